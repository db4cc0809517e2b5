/**
 * A machine that runs the real gateway over simulated ports, under a supervisor that starts it again a few seconds after
 * each end: killed at any awaited effect or any time, without power, stopped in order, with a wrong clock.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Config } from '../../../host/config.js';
import type { NodeStatus } from '../../../host/control/status.js';
import { Gateway, type GatewayPorts } from '../../../host/gateway.js';
import { nodeDigest } from '../../../host/node/digest.js';
import type { Broker, Clock, LinkSource, Log, LogFields } from '../../../host/ports.js';
import type { JournalCheck } from '../checks/journal.js';
import type { Disk } from '../disk/disk.js';
import type { DiskStorage } from '../disk/disk-storage.js';
import { Life } from '../kernel/life.js';
import { SimClock, type WallClock } from '../kernel/sim-clock.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import { drawSettings, type GatewaySettings, gatewayConfig } from './gateway-settings.js';
import type { SimKeyring } from './sim-keyring.js';

export interface MachineLinks {
  readonly serial?: readonly LinkSource[];
  readonly tcp?: LinkSource;
  readonly mqtt?: LinkSource;
  readonly sdk?: LinkSource;
}

export interface GatewayMachineOptions {
  /** Of the actor, and of the gateway in topics. */
  readonly name: string;
  readonly site: string;
  readonly disk: Disk;
  readonly keyring: SimKeyring;
  readonly check?: JournalCheck;
  /** Asked once for every life. */
  readonly broker: (life: Life) => Broker;
  readonly links: (life: Life, clock: Clock) => MachineLinks;
  /** Instead of what is drawn. */
  readonly settings?: GatewaySettings;
  readonly devices?: Config['devices'];
}

export const DATA_DIRECTORY = '/data';
const STOP_TIMEOUT_MS = 90_000;
const MINUTE_MS = 60_000;
const NEVER = Number.POSITIVE_INFINITY;

const noLinks: LinkSource = { start: () => Promise.resolve(), stop: () => Promise.resolve() };

export class GatewayMachine {
  readonly name: string;
  readonly config: Config;
  readonly wall: WallClock = { offsetMs: 0, synchronised: true };
  /** Counts of what the gateway logged, by event. */
  readonly logged = new Map<string, number>();
  life: Life | undefined;
  gateway: Gateway | undefined;
  /** Since when the operator has the process that is up publish nothing; -1: it may. */
  pausedMs = -1;
  lives = 0;
  kills = 0;
  powerCuts = 0;
  /** Clean stops that were carried out. */
  stops = 0;
  /** Starts that ended in a Fault. */
  refusals = 0;
  readonly #world: World;
  readonly #options: GatewayMachineOptions;
  readonly #chance: SeededRandom;
  #storage: DiskStorage | undefined;
  #everStarted = false;
  #cutAtEnd = false;
  /** Lives to be cut short while they start. */
  #cutsAhead = 0;
  #killsAhead = 0;
  readonly #lodgers = new Set<Life>();
  #healed = false;
  #awayUntilMs = 0;
  #gone = false;

  constructor(world: World, options: GatewayMachineOptions) {
    this.#world = world;
    this.#options = options;
    this.name = options.name;
    this.#chance = world.derive(`${options.name} chance`);
    const settings = options.settings ?? drawSettings(world.derive(`${options.name} settings`));
    const names = { site: options.site, gateway: options.name, dataDirectory: DATA_DIRECTORY };
    this.config = gatewayConfig(names, settings, options.devices ?? new Map());
    const { faults } = world;
    faults.arrivals('gateway-kill', details => {
      this.#killsAhead = repeats(details);
      this.kill();
    });
    faults.arrivals('gateway-kill-effect', details => {
      this.#killsAhead = repeats(details);
      this.killAtEffect(details.below(1 << details.below(7)), details.unit() < 0.5);
    });
    faults.arrivals('gateway-power-cut', details => {
      this.#cutsAhead = repeats(details);
      if (details.unit() < 0.3) {
        this.powerCut();
        return;
      }
      this.#cutAtEnd = true;
      this.killAtEffect(details.below(1 << details.below(7)), details.unit() < 0.5);
    });
    faults.arrivals('gateway-away', details => {
      this.#awayUntilMs = world.nowMs + MINUTE_MS * 60 ** details.unit();
      this.powerCut();
    });
    faults.arrivals('gateway-stop', () => this.terminate());
    faults.arrivals('clock-jump', details => this.#jump(details));
    faults.arrivals('clock-unsynchronised', details => this.#unsynchronise(details));
  }

  get up(): boolean {
    return this.gateway !== undefined;
  }

  /** The power comes on. */
  start(): void {
    this.#begin();
  }

  kill(): void {
    this.life?.end();
  }

  killAtEffect(effects: number, after = false): void {
    this.life?.killAt(effects, after);
  }

  powerCut(): void {
    if (this.#gone) return;
    this.#cutAtEnd = true;
    if (this.life === undefined) this.#cut();
    else this.life.end();
  }

  /** The machine is stolen, or burns: nothing of it comes back. */
  vanish(): void {
    this.#gone = true;
    this.life?.end();
  }

  /** It turns up all the same. */
  revive(): void {
    this.#gone = false;
    if (this.life === undefined) this.#begin();
  }

  /** Another process on this machine, which ends at the latest when the power goes. */
  lodger(name: string): Life {
    const life = new Life(this.#world, name);
    this.#lodgers.add(life);
    life.onEnd(() => this.#lodgers.delete(life));
    return life;
  }

  /** SIGTERM: while it starts, it just goes. */
  terminate(): void {
    const { life, gateway } = this;
    if (life === undefined) return;
    if (gateway === undefined) {
      life.end();
      return;
    }
    this.gateway = undefined;
    this.pausedMs = -1;
    const storage = this.#storage!;
    gateway.stop().then(
      () => {
        if (life.over) return;
        this.stops++;
        this.#options.check?.stopped(storage.errors.size === 0);
        life.end();
      },
      error => this.#world.fail(new Violation('a clean stop does not fail', String(error))),
    );
    life.after(STOP_TIMEOUT_MS, () => {
      if (storage.errors.size === 0 && storage.hangs === 0)
        this.#world.fail(new Violation('a clean stop ends', `not in ${STOP_TIMEOUT_MS} ms`));
      life.end();
    });
  }

  /** Faults have stopped: what they left behind is mended as far as people would. */
  heal(): void {
    this.#healed = true;
    this.#cutsAhead = 0;
    this.#killsAhead = 0;
    this.#cutAtEnd = false;
    this.life?.killAt(NEVER, false);
    this.wall.offsetMs = 0;
    this.wall.synchronised = true;
    this.#options.disk.heal();
    if (this.#awayUntilMs <= this.#world.nowMs) return;
    this.#awayUntilMs = 0;
    this.#world.after(5_000, () => this.#return());
  }

  #begin(): void {
    const world = this.#world;
    const { disk, keyring, broker, links, name, check } = this.#options;
    const life = new Life(world, name);
    const storage = disk.storage(life);
    this.life = life;
    this.#storage = storage;
    this.lives++;
    life.onEnd(() => this.#ended(life));
    world.trace.note(name, 'starts', `life ${this.lives}`);
    check?.begun(life);
    this.#cutShort(life);
    const clock = new SimClock(life, this.wall);
    const random = world.random(`${name} secrets`);
    const ports: GatewayPorts = {
      storage,
      clock,
      random: { fill: target => random.fill(target) },
      log: this.#log(),
      digest: nodeDigest,
      broker: broker(life),
      keyring,
      control: noLinks,
      serial: [],
      ...links(life, clock),
    };
    const facts = { version: '0.0.0', runtime: 'simulation', pid: this.lives };
    Gateway.start(this.config, {}, facts, ports).then(
      gateway => {
        if (life.over) return;
        this.gateway = gateway;
        this.#everStarted = true;
        world.trace.note(name, 'is up');
        this.#look(life, gateway);
      },
      error => {
        if (!life.over) this.#refused(life, storage, error);
      },
    );
  }

  #ended(life: Life): void {
    if (this.life !== life) return;
    if (this.#gone) for (const lodger of [...this.#lodgers]) lodger.end();
    const orderly = this.gateway === undefined;
    this.life = undefined;
    this.gateway = undefined;
    this.pausedMs = -1;
    this.#world.trace.note(this.name, this.#cutAtEnd ? 'loses power' : 'ends', orderly ? '' : 'while up');
    if (this.#cutAtEnd) this.#cut();
    else this.kills++;
    const pauseMs = 1000 + this.#chance.unit() * 4000;
    const awayMs = this.#awayUntilMs - this.#world.nowMs;
    this.#world.after(Math.max(pauseMs, awayMs), () => this.#return());
  }

  #return(): void {
    if (this.life !== undefined || this.#gone) return;
    const awayMs = this.#awayUntilMs - this.#world.nowMs;
    if (awayMs > 0) this.#world.after(awayMs, () => this.#return());
    else this.#begin();
  }

  #cut(): void {
    this.#cutAtEnd = false;
    this.powerCuts++;
    for (const life of [...this.#lodgers]) life.end();
    this.#options.disk.powerCut();
  }

  /** One trouble seldom comes alone: the next start may be cut short as well. */
  #cutShort(life: Life): void {
    if (this.#healed || this.#cutsAhead + this.#killsAhead === 0) return;
    if (this.#cutsAhead > 0) {
      this.#cutsAhead--;
      this.#cutAtEnd = true;
    } else this.#killsAhead--;
    life.killAt(this.#chance.below(60), this.#chance.unit() < 0.5);
  }

  /** Faults of the disk may keep it from starting for now; what is stored, never. */
  #refused(life: Life, storage: DiskStorage, error: unknown): void {
    this.refusals++;
    this.#world.trace.note(this.name, 'does not start', String(error));
    const codes = [...storage.errors.keys()];
    const excused = codes.some(code => code !== 'ENOSPC' || !this.#everStarted);
    if (!excused)
      this.#world.fail(
        new Violation('a gateway starts whatever is stored', `${String(error)} (errors: ${codes.join()})`),
      );
    life.end();
  }

  /** Its status now and then, held against what is known. */
  #look(life: Life, gateway: Gateway): void {
    life.after(20_000 + this.#chance.unit() * 280_000, () => {
      if (this.gateway !== gateway) return;
      gateway.status().then(
        status => {
          if (this.gateway !== gateway) return;
          try {
            this.#checkStatus(status);
          } catch (error) {
            this.#world.fail(error);
          }
          this.#look(life, gateway);
        },
        error => this.#world.fail(new Violation('the status can be asked for', String(error))),
      );
    });
  }

  #checkStatus(status: NodeStatus): void {
    const { uplink, journal } = status;
    const wrong = (details: string) => {
      throw new Violation('the status is true', details);
    };
    if (uplink !== undefined) {
      if (uplink.cursor > uplink.head) wrong(`cursor ${uplink.cursor} beyond head ${uplink.head}`);
      if (uplink.drained && uplink.state !== 'online') wrong(`drained while ${uplink.state}`);
      if (uplink.paused !== this.pausedMs >= 0) wrong(uplink.paused ? 'paused' : 'not paused');
      if (uplink.drained) this.#options.check?.drained(uplink.head);
    }
    if (journal.pendingBytes < 0) wrong(`${journal.pendingBytes} bytes pending`);
    for (const { id, epoch, seq, readings } of status.devices) {
      if (epoch === undefined || seq === undefined) continue;
      this.#options.check?.stands(id, epoch, seq, readings);
    }
  }

  #log(): Log {
    const note = (level: string) => (event: string, fields?: LogFields) => {
      this.logged.set(event, (this.logged.get(event) ?? 0) + 1);
      const { trace } = this.#world;
      if (trace.on) trace.note(this.name, `${level} ${event}`, fields && JSON.stringify(fields));
    };
    const debug = (event: string, fields?: LogFields) => {
      if (event === 'fork-beyond') this.#options.check?.beyond(String(fields?.evidence));
    };
    return { debug, info: note('info'), warn: note('warn'), error: note('error') };
  }

  #jump(details: SeededRandom): void {
    const spanMs = 1000 * 100_000 ** details.unit();
    this.wall.offsetMs = details.unit() < 0.3 ? 0 : details.unit() < 0.5 ? -spanMs : spanMs;
    this.#world.trace.note(this.name, 'clock is set', `${Math.round(this.wall.offsetMs)} ms off`);
  }

  /** It has started without a network: nobody knows how late it is, or at least nobody says. */
  #unsynchronise(details: SeededRandom): void {
    const { wall } = this;
    const said = details.unit() < 0.7;
    if (wall.synchronised !== true) return;
    const before = wall.offsetMs;
    wall.synchronised = said ? false : undefined;
    if (said) wall.offsetMs = -1000 * 3_000_000 ** details.unit();
    this.#world.after(1000 * 3600 ** details.unit(), () => {
      wall.synchronised = true;
      if (said && !this.#world.faults.stopped) wall.offsetMs = before;
    });
  }
}

/** How many of the following starts are cut short. */
function repeats(details: SeededRandom): number {
  let times = 0;
  while (times < 5 && details.unit() < 0.4) times++;
  return times;
}
