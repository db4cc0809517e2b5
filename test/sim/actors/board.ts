/**
 * A board with the firmware's own device on it, put together as `firmware/main.ts` does. Its power goes at any time and at
 * any flash write; it restarts, alone or in fast loops; its flash fails; an old image of its flash is put back.
 */
import { PowerCut } from '../../../boards/virtual/flash.js';
import type { SeededRandom } from '../../../boards/virtual/random.js';
import { Alive } from '../../../firmware/alive.js';
import { Device } from '../../../firmware/device.js';
import { DEVICE_LIMITS, type DeviceLimits } from '../../../firmware/limits.js';
import type { RestartMemory } from '../../../firmware/ports.js';
import { Restarts } from '../../../firmware/restarts.js';
import { FlashBacklog } from '../../../firmware/store/flash-backlog.js';
import { KEY_STORE_SECTORS, KeyStore } from '../../../firmware/store/key-store.js';
import { FlashRestartMemory } from '../../../firmware/store/restart-memory.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { BoardCheck } from '../checks/board.js';
import type { Ledger, Lineage } from '../checks/ledger.js';
import type { Scheduled } from '../kernel/event-queue.js';
import { Life } from '../kernel/life.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { BoardPort } from '../network/board-port.js';
import type { DeviceKeys } from './keys.js';
import { SimFlash } from './sim-flash.js';
import { SimSource } from './sim-source.js';

export interface BoardOptions {
  readonly keys: DeviceKeys;
  readonly port: BoardPort;
  /** Of the backlog in flash: at least 3. */
  readonly backlogSectors: number;
  readonly ramBytes: number;
  readonly limits: Partial<DeviceLimits>;
  /** Mean ms between two readings of each sensor. */
  readonly periodsMs: readonly number[];
  /** Chance that a reading begins a burst. */
  readonly burst: number;
  /** How fast its clock runs. */
  readonly drift: number;
  /** Whether why it restarted is kept in flash, or in memory that only a power cut clears. */
  readonly flashRestarts: boolean;
  /** When this board is a copy of another one. */
  readonly copyOf?: Image;
}

/** What was in a board's flash at one moment. */
export interface Image {
  readonly bytes: Uint8Array;
  readonly lineage: Lineage;
}

const RESTART_AT = KEY_STORE_SECTORS;
const BACKLOG_AT = RESTART_AT + 1;
const SECTOR_BYTES = 4096;
/** When the effects of all faults are over. */
const WELL_MS = 15 * 60_000;
const TICK_MS = 10;
const WATCHDOG_MS = 8_000;
/** As `firmware/alive.ts` has it. */
const SLACK_MS = 15_000;
const RESTART_MS = 300;
const START_RETRY_MS = 60_000;
const MINUTE_MS = 60_000;

export class Board {
  readonly id: string;
  readonly name: string;
  readonly flash: SimFlash;
  readonly check: BoardCheck;
  /** While it has power. */
  device: Device | undefined;
  life: Life | undefined;
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #options: BoardOptions;
  readonly #random: SeededRandom;
  readonly #retained = new Uint8Array(256);
  #alive: Alive | undefined;
  #restarts: Restarts | undefined;
  #backlog: FlashBacklog | undefined;
  #bootMs = 0;
  #started = false;
  #linked = false;
  #fedMs = 0;
  #poll: Scheduled | undefined;
  #pollAtMs = Number.POSITIVE_INFINITY;
  #powerOn: Scheduled | undefined;
  #retired = false;
  #quiet = false;
  #healedMs = Number.POSITIVE_INFINITY;
  constructor(world: World, ledger: Ledger, name: string, options: BoardOptions) {
    const { keys, copyOf } = options;
    this.#world = world;
    this.#ledger = ledger;
    this.#options = options;
    this.name = name;
    this.id = keys.id;
    this.#random = world.random(name);
    this.flash = new SimFlash({
      sectors: BACKLOG_AT + options.backlogSectors,
      sectorBytes: SECTOR_BYTES,
      ...(copyOf && { image: copyOf.bytes.slice() }),
    });
    this.check = new BoardCheck(world, ledger, this, keys, copyOf?.lineage.copy());
    if (copyOf !== undefined) {
      ledger.fork(this.id);
      return;
    }
    new KeyStore(this.flash).provision(keys.idBytes, keys.down, 0, keys.chain(0));
  }

  /** Gives it power for the first time, and faults from then on. */
  powerUp(): void {
    this.#boot('power-on');
    const { faults } = this.#world;
    faults.arrivals('board-power-cut', details => this.cut(offMs(details)));
    faults.arrivals('board-restart', () => this.#restart('watchdog'));
    faults.arrivals('board-restart-loop', details => this.#loop(3 + details.below(6), details));
    faults.arrivals('board-restore', details => {
      const image = this.copy();
      this.#world.after(MINUTE_MS * 30 ** details.unit(), () => this.restore(image));
    });
    faults.arrivals('board-flash-cut', details => this.flash.hurt('cut', details));
    faults.arrivals('board-flash-fail', details => this.flash.hurt('fail', details));
  }

  /** Copies its flash, as somebody does who has it in hand for a moment. */
  copy(): Image {
    return { bytes: this.flash.image.slice(), lineage: this.check.lineage.copy() };
  }

  /** Puts back what its flash held before. */
  restore(image: Image): void {
    if (this.#retired || this.#world.faults.stopped) return;
    this.#note('restored');
    this.#ledger.fork(this.id);
    this.#off();
    this.flash.image.set(image.bytes);
    this.check.replaced(image.lineage.copy());
    this.#on(1_000);
  }

  /** The power goes, and comes back. */
  cut(offMs: number): void {
    if (this.#retired || this.life === undefined) return;
    this.check.held();
    this.#cut(offMs);
  }

  #cut(offMs: number): void {
    this.#note('power cut');
    this.#off();
    this.#retained.fill(0xa5);
    this.#on(offMs);
  }

  /** For good. */
  retire(): void {
    this.#retired = true;
    this.#off();
    this.#powerOn?.cancel();
  }

  /** The faults are over: nothing that was on its way happens any more. */
  heal(): void {
    this.#healedMs = this.#world.nowMs;
    this.flash.heal();
    if (this.#retired || this.life !== undefined) return;
    this.#powerOn?.cancel();
    this.#on(2_000);
  }

  /** No readings any more of its own accord. */
  hush(): void {
    this.#quiet = true;
    if (this.device !== undefined) this.device.quiet = true;
  }

  get uptimeMs(): number {
    return Math.floor((this.#world.nowMs - this.#bootMs) * this.#options.drift);
  }

  get slots(): Buffer {
    return Buffer.from(this.flash.image.buffer, 0, 2 * SECTOR_BYTES);
  }

  /** Whether it holds nothing any more that was sealed before this time. */
  drained(beforeMs: number): boolean {
    if (this.#retired) return true;
    const { device } = this;
    if (device === undefined || !this.#started) return false;
    const { named, lost } = this.check.lineage;
    if (named !== lost) return false;
    if (device.retained.count === 0) return true;
    const backlog = this.#backlog!;
    if (!device.retained.oldest()) return true;
    const held = this.#ledger.all(this.id, backlog.epoch, backlog.seq);
    return held.every(({ sealedMs }) => sealedMs > beforeMs);
  }

  /** What it is about, for whoever looks for why it does not get on. */
  describe(): string {
    if (this.device === undefined) return `${this.name}: off`;
    const { epoch, nextSeq, retained, session, rotation, sender } = this.device;
    const oldest = retained.oldest() ? `${this.#backlog!.epoch}:${this.#backlog!.seq}` : 'none';
    return (
      `${this.name} ${this.id}: at ${epoch}:${nextSeq}, holds ${retained.count} from ${oldest}, ` +
      `session ${session.open}, link ${this.#linked}, started ${this.#started}, in flight ${sender.inFlight} ${rotation.fault}`
    );
  }

  #boot(cause: string): void {
    const world = this.#world;
    const { port, limits, drift, periodsMs, burst, backlogSectors, ramBytes } = this.#options;
    const life = new Life(world, this.name);
    this.life = life;
    this.#bootMs = world.nowMs;
    this.#started = false;
    this.#linked = false;
    const details = world.faults.hit('board-boot-cut', this.name);
    if (details !== undefined) this.flash.hurt('cut', details);
    this.#guard(() => {
      const restarts = new Restarts(this.#restartMemory());
      this.#restarts = restarts;
      restarts.boot(cause);
      const store = new KeyStore(this.flash);
      const state = store.load();
      if (state !== 'ready') throw new Violation('keys outlive a power cut', `${this.name}: ${state}`);
      const backlog = new FlashBacklog(this.flash, {
        first: BACKLOG_AT,
        sectors: backlogSectors,
        id: store.identity.id,
        ramBytes,
        maxEnvelopeBytes: DEVICE_LIMITS.maxEnvelopeBytes,
      });
      this.#backlog = backlog;
      this.check.boot(backlog);
      const random = this.#random;
      const wire = port.open(life, {
        up: () => this.#link(life, true),
        down: () => this.#link(life, false),
        received: bytes => this.#received(life, bytes),
      });
      const uptime = { nowMs: () => this.uptimeMs };
      const device = new Device(
        {
          digest: nodeDigest,
          uptime,
          random,
          wire,
          board: { freeMemoryBytes: () => -1 },
          keys: store,
          backlog,
          sources: periodsMs.map((periodMs, i) => new SimSource(`s${i}`, random, periodMs, burst)),
          observer: this.check.observer,
        },
        { firmware: 'sim', restart: restarts.reason, limits },
      );
      device.quiet = this.#quiet;
      this.check.listen(device);
      this.device = device;
      const feed = () => this.#fed();
      const { heartbeatMs = DEVICE_LIMITS.heartbeatMs } = limits;
      this.#alive = new Alive(device, { feed }, uptime, { sealMs: heartbeatMs + SLACK_MS });
      this.#note(`boots: ${restarts.reason}`, restarts.waitMs > 0 ? `after ${restarts.waitMs} ms` : '');
      this.#pollAfter(Math.max(TICK_MS, restarts.waitMs / drift));
    });
  }

  #start(): boolean {
    if (this.#started) return true;
    const device = this.device!;
    const fault = device.start();
    if (fault !== '') {
      this.#note('cannot start:', fault);
      this.#pollAfter(START_RETRY_MS);
      return false;
    }
    this.#started = true;
    this.#fed();
    if (this.#linked) device.linkUp();
    return true;
  }

  #fed(): void {
    this.#fedMs = this.#world.nowMs;
  }

  #turn(): void {
    if (!this.#start()) return;
    const device = this.device!;
    const waitMs = device.poll();
    const fed = this.#alive!.polled();
    this.#restarts!.running(this.uptimeMs);
    if (!fed && this.#world.nowMs - this.#fedMs > WATCHDOG_MS) {
      this.#bite();
      return;
    }
    // A board whose device has nothing to do is looked at again before its watchdog bites.
    this.#pollAfter(Math.min(waitMs / this.#options.drift, fed ? MINUTE_MS : 1_000));
  }

  #bite(): void {
    // A link on which nothing passes may have been so when the faults ended, and last a while.
    if (this.#world.nowMs > this.#healedMs + WELL_MS)
      throw new Violation('a device that works feeds its watchdog', this.describe());
    this.#restart('watchdog');
  }

  #pollAfter(ms: number): void {
    const atMs = this.#world.nowMs + Math.max(1, ms);
    if (this.#poll !== undefined && this.#pollAtMs <= atMs && this.#pollAtMs > this.#world.nowMs) return;
    this.#poll?.cancel();
    this.#pollAtMs = atMs;
    this.#poll = this.life!.after(atMs - this.#world.nowMs, () => {
      this.#poll = undefined;
      this.#guard(() => this.#turn());
    });
  }

  #link(life: Life, up: boolean): void {
    if (life.over || this.device === undefined) return;
    this.#linked = up;
    if (!this.#started) return;
    if (up) this.device.linkUp();
    else this.device.linkDown();
    this.#pollAfter(1);
  }

  #received(life: Life, bytes: Uint8Array): void {
    if (life.over || !this.#started) return;
    this.#guard(() => {
      this.device!.receive(bytes);
      this.#pollAfter(TICK_MS);
    });
  }

  /** Runs what may write to flash: there the power may go. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.#cut(offMs(this.#random));
    }
  }

  #restart(cause: string): void {
    if (this.#retired || this.life === undefined) return;
    this.check.held();
    this.#note('restarts');
    this.#off();
    this.#on(RESTART_MS, cause);
  }

  /** A program that fails soon after each start. */
  #loop(times: number, details: SeededRandom): void {
    this.#restart('reset');
    if (times > 0 && !this.#world.faults.stopped)
      this.#world.after(RESTART_MS + details.below(3_000), () => this.#loop(times - 1, details));
  }

  #off(): void {
    this.check.off();
    this.life?.end();
    this.life = undefined;
    this.device = undefined;
    this.#backlog = undefined;
    this.#poll?.cancel();
    this.#poll = undefined;
  }

  #on(afterMs: number, cause = 'power-on'): void {
    this.#powerOn?.cancel();
    this.#powerOn = this.#world.after(afterMs, () => this.#boot(cause));
  }

  #restartMemory(): RestartMemory {
    if (this.#options.flashRestarts) return new FlashRestartMemory(this.flash, RESTART_AT);
    const retained = this.#retained;
    const read = (target: Uint8Array) => {
      target.set(retained.subarray(0, target.length));
      return true;
    };
    const write = (source: Uint8Array) => {
      retained.set(source);
      return true;
    };
    return { read, write };
  }

  #note(what: string, detail = ''): void {
    this.#world.trace.note(this.name, what, detail);
  }
}

/** How long a board is without power: some ms to some minutes. */
function offMs(random: SeededRandom): number {
  return 10 * 10 ** (random.unit() * 4.5);
}
