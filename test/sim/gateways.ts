/**
 * The gateways of a site, one after another: when a machine is gone for good, another one under another name is restored
 * from its last backup, and goes on with the same devices, broker and subscribers.
 */
import type { SeededRandom } from '../../boards/virtual/random.js';
import type { NamedSourceSettings } from '../../firmware/seal/index.js';
import type { GatewayPlace } from '../../host/backup/contents.js';
import { segmentFirst } from '../../host/journal/names.js';
import { MqttLinkSource } from '../../host/node/mqtt-link.js';
import type { Clock } from '../../host/ports.js';
import { type Backup, restoreBackup, takeBackup } from './actors/backup.js';
import { DATA_DIRECTORY, GatewayMachine } from './actors/gateway.js';
import { drawSettings, type GatewaySettings } from './actors/gateway-settings.js';
import { deviceKeys } from './actors/keys.js';
import type { SimKeyring } from './actors/sim-keyring.js';
import { JournalCheck } from './checks/journal.js';
import type { JournalOrigin } from './checks/journal-options.js';
import type { Ledger } from './checks/ledger.js';
import { PublishCheck } from './checks/publish-order.js';
import { checkPlace, checkRestored } from './checks/restored.js';
import { SiteJournals } from './checks/site-journals.js';
import { Disk } from './disk/disk.js';
import type { Scheduled } from './kernel/event-queue.js';
import { Life } from './kernel/life.js';
import { SimClock } from './kernel/sim-clock.js';
import { Violation } from './kernel/violation.js';
import type { World } from './kernel/world.js';
import type { GatewayPort } from './network/gateway-port.js';
import type { SimBroker } from './network/sim-broker.js';
import type { Scenario } from './scenario.js';

export const SITE = 'site';
const GATEWAY = 'gateway';
const MAX_RESTORES = 2;
/** From a machine's end to the start of the next one. */
const WITHOUT_MS = [10_000, 3_600_000] as const;
const AT_ONCE_MS = 5_000;

export interface SitePorts {
  readonly serial: readonly GatewayPort[];
  readonly tcp: GatewayPort;
  readonly sdk: GatewayPort;
}

/** One of them. */
export interface SiteGateway {
  readonly machine: GatewayMachine;
  readonly disk: Disk;
  readonly journal: JournalCheck;
  readonly published: PublishCheck;
}

interface Options {
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly broker: SimBroker;
  readonly keyring: SimKeyring;
  readonly ports: SitePorts;
}

export class Gateways {
  readonly journals: SiteJournals;
  readonly #world: World;
  readonly #options: Options;
  readonly #settings: GatewaySettings;
  readonly #all: SiteGateway[] = [];
  /** The last one of the gateway that goes on now. */
  #backup: Backup | undefined;
  #lost = false;
  /** A gateway that was replaced, and is there all the same. */
  #zombie: SiteGateway | undefined;
  #zombies = 0;
  #restoring: Scheduled | undefined;
  #settled = false;

  constructor(world: World, options: Options) {
    this.#world = world;
    this.#options = options;
    this.#settings = drawSettings(world.derive(`${GATEWAY} settings`));
    const first = this.#make(GATEWAY, new Disk(world, { name: 'disk' }));
    this.journals = new SiteJournals(world, first.journal);
    const { ledger, broker } = options;
    ledger.journals = this.journals;
    const each = (tell: (published: PublishCheck) => void) => {
      for (const { published } of this.#all) tell(published);
    };
    broker.observer = {
      connected: id => each(published => published.connected(id)),
      published: (id, message) => each(published => published.published(id, message)),
      acknowledged: (id, message) => each(published => published.acknowledged(id, message)),
    };
    world.faults.arrivals('operator-backup', details => this.#takeBackup(details));
    world.faults.arrivals('gateway-lost', details => this.#lose(details));
  }

  /** The one that goes on now, or that was there last. */
  get current(): SiteGateway {
    return this.#all.at(-1)!;
  }

  /** One that had been replaced was there again: it may be waited for, since it may come once more. */
  get haunted(): boolean {
    return this.#zombies > 0;
  }

  get all(): readonly SiteGateway[] {
    return this.#all;
  }

  /** Whether `name` goes on for the gateway `from`. */
  replaces(name: string, from: string): boolean {
    const names = this.#all.map(({ machine }) => machine.name);
    return names.indexOf(from) >= 0 && names.indexOf(from) < names.indexOf(name);
  }

  isAcknowledged(device: string, epoch: number, seq: number): boolean {
    return this.#all.some(({ published }) => published.isAcknowledged(device, epoch, seq));
  }

  /** The faults are over. */
  settle(): void {
    this.#settled = true;
    this.#exorcise();
    this.current.machine.heal();
    if (this.#restoring === undefined) return;
    this.#restoring.cancel();
    this.#restoreIn(AT_ONCE_MS);
  }

  #make(name: string, disk: Disk, origin?: JournalOrigin): SiteGateway {
    const { scenario, ledger, broker, keyring, ports } = this.#options;
    const world = this.#world;
    const settings = this.#settings;
    const journal = new JournalCheck(world, disk, {
      dataDirectory: DATA_DIRECTORY,
      limits: settings.quarantine,
      ledger,
      ...(origin && { origin }),
    });
    const published = new PublishCheck(world, `sovereign-${name}`);
    published.onAcknowledged = payload => journal.published(payload);
    // A destroyed snapshot takes positions with it: then a copy of a device may come in with what is older.
    published.excused = (...place) => journal.damaged || journal.isDestroyed(...place);
    published.pausedMs = () => machine.pausedMs;
    published.durableMs = payload => journal.durableMs(payload);
    published.order = settings.uplink.order;
    published.before = this.#all.at(-1)?.published;
    const devices = new Map<string, readonly NamedSourceSettings[]>();
    scenario.boards.forEach(({ settings: sources }, i) => {
      if (sources !== undefined) devices.set(deviceKeys(i).id, sources);
    });
    const mqtt = scenario.boards.some(({ link, clone }) => link === 'mqtt' || clone?.link === 'mqtt');
    const machine: GatewayMachine = new GatewayMachine(world, {
      name,
      site: SITE,
      disk,
      keyring,
      check: journal,
      broker: life => broker.port(life),
      links: (life, clock) => ({
        // Cables are plugged into the one that goes on.
        serial: this.current.machine === machine ? ports.serial.map(port => port.source(life)) : [],
        tcp: ports.tcp.source(life),
        ...(scenario.sdk.length > 0 && { sdk: ports.sdk.source(life) }),
        ...(mqtt && { mqtt: this.#mqttLinks(machine, life, clock) }),
      }),
      settings,
      devices,
    });
    const made = { machine, disk, journal, published };
    this.#all.push(made);
    return made;
  }

  #mqttLinks({ name, config }: GatewayMachine, life: Life, clock: Clock): MqttLinkSource {
    const random = this.#world.random('mqtt-link');
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const { protocol, keepAliveSeconds, connectTimeoutMs } = config.links.mqtt!;
    return new MqttLinkSource(
      {
        broker: {
          url: 'mqtt://broker.test',
          clientId: `sovereign-${name}-link`,
          protocol,
          keepAliveSeconds,
          connectTimeoutMs,
        },
        maxLinks: 16,
      },
      {
        broker: this.#options.broker.port(life),
        clock,
        random: { fill: target => random.fill(target) },
        log,
      },
    );
  }

  #takeBackup(details: SeededRandom): void {
    const { machine, disk, journal } = this.current;
    if (!machine.up) return;
    const world = this.#world;
    const life = machine.lodger('backup');
    const storage = disk.storage(life);
    const { keyring } = this.#options;
    const ended = (what: string) => {
      world.trace.note('operator', what, machine.name);
      life.end();
    };
    const placed = (place: GatewayPlace) => checkPlace(place, journal);
    takeBackup(machine, { life, storage, disk, keyring, placed }, details.unit() < 0.5).then(
      backup => {
        if (life.over || machine !== this.current.machine || this.#lost) return;
        this.#backup = backup;
        ended(backup.withJournal ? 'has a backup with the journal' : 'has a backup');
      },
      error => {
        if (life.over) return;
        if (error instanceof Violation) world.fail(error);
        ended(`has no backup: ${String(error)}`);
        // A disk that hung so long that retention has let even the newest segment go: take another one.
        const late = /\/journal\/\d{20}\.jsonl: ENOENT$/.test(String(error));
        if (storage.errors.size === 0 && !disk.damaged && !late)
          world.fail(new Violation('a backup of a sound gateway succeeds', String(error)));
      },
    );
  }

  #lose(details: SeededRandom): void {
    if (this.#lost || this.#backup === undefined || this.#all.length > MAX_RESTORES) return;
    const { machine } = this.current;
    this.#lost = true;
    this.#world.trace.note(machine.name, 'is lost');
    machine.vanish();
    this.journals.gone(this.current.journal, true);
    const [least, most] = WITHOUT_MS;
    this.#restoreIn(least * (most / least) ** details.unit());
  }

  #restoreIn(ms: number): void {
    this.#restoring = this.#world.after(ms, () => {
      this.#restoring = undefined;
      this.#world.outside(this.#restore(this.#backup!));
    });
  }

  async #restore(backup: Backup): Promise<void> {
    const world = this.#world;
    const { place, withJournal } = backup;
    const name = `gw-${world
      .random('gateway names')
      .below(2 ** 31)
      .toString(16)}`;
    const disk = new Disk(world, { name: `disk of ${name}` });
    const life = new Life(world, 'restore');
    const { restored, files } = await restoreBackup(
      backup,
      name,
      new SimClock(life, { offsetMs: 0, synchronised: true }),
    );
    const { offset } = restored;
    const segments = new Map<number, Uint8Array>();
    for (const [path, bytes] of files) {
      const first = segmentFirst(path.slice(`${DATA_DIRECTORY}/journal/`.length));
      if (path.startsWith(`${DATA_DIRECTORY}/journal/`) && first !== undefined) segments.set(first, bytes);
    }
    checkRestored(place, segments, offset);
    const old = this.current;
    const before = old.journal;
    const { machine, journal } = this.#make(name, disk, { before, positions: place.positions, offset });
    this.journals.next(journal, place.positions);
    journal.damaged = withJournal && before.damaged;
    for (const path of [...files.keys()].sort())
      disk.install(path, files.get(path)!, life, backup.destroyed.get(path.slice(path.lastIndexOf('/') + 1)));
    life.end();
    world.trace.note(
      name,
      'is restored',
      `from ${backup.from}, ${withJournal ? 'with' : 'without'} the journal`,
    );
    this.#backup = undefined;
    this.#lost = false;
    if (this.#settled) machine.heal();
    machine.start();
    const details = world.faults.hit('gateway-zombie', old.machine.name);
    if (details === undefined) return;
    world.after(1000 * 600 ** details.unit(), () => this.#haunt(old, 10_000 * 360 ** details.unit()));
  }

  /** Somebody has switched the old machine on again; at its former address, and without its cables. */
  #haunt(old: SiteGateway, forMs: number): void {
    if (this.#settled || this.#zombie !== undefined) return;
    this.#zombie = old;
    this.#zombies++;
    this.#world.trace.note(old.machine.name, 'is there again');
    this.journals.gone(old.journal, false);
    old.machine.revive();
    this.#world.after(forMs, () => {
      if (this.#zombie === old) this.#exorcise();
    });
  }

  #exorcise(): void {
    if (this.#zombie === undefined) return;
    this.#zombie.machine.vanish();
    this.journals.gone(this.#zombie.journal, true);
    this.#zombie = undefined;
  }
}
