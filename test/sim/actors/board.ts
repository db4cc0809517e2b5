/**
 * A board: flash, the memory that a reset spares, a clock that drifts, sensors, and on it the firmware's own device, put
 * together as `firmware/main.ts` does. Its power goes at any time and at any flash write; it restarts, alone or in fast
 * loops; its flash fails; an old image of its flash is put back.
 */
import { PowerCut, VirtualFlash } from '../../../boards/virtual/flash.js';
import type { SeededRandom } from '../../../boards/virtual/random.js';
import { Alive } from '../../../firmware/alive.js';
import { Device } from '../../../firmware/device.js';
import { DEVICE_LIMITS, type DeviceLimits } from '../../../firmware/limits.js';
import type { RestartMemory, Wire } from '../../../firmware/ports.js';
import { Restarts } from '../../../firmware/restarts.js';
import { toHex } from '../../../firmware/seal/index.js';
import { FlashBacklog } from '../../../firmware/store/flash-backlog.js';
import { KEY_STORE_SECTORS, KeyStore } from '../../../firmware/store/key-store.js';
import { FlashRestartMemory } from '../../../firmware/store/restart-memory.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { type Ledger, Lineage, type Sealed } from '../checks/ledger.js';
import type { Scheduled } from '../kernel/event-queue.js';
import { Life } from '../kernel/life.js';
import { BEGIN_UNIX_MS } from '../kernel/sim-clock.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import type { DeviceKeys } from './keys.js';
import { SimSource } from './sim-source.js';

/** The board's end of its way to the gateway. */
export interface BoardPort {
  /** Gives a boot its wire; it ends with the life. `up` and `down` come later, never from within. */
  open(life: Life, events: BoardEvents): Wire;
}

export interface BoardEvents {
  up(): void;
  down(): void;
  received(bytes: Uint8Array): void;
}

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
const MAX_ENVELOPE_BYTES = 512;
/** When the effects of all faults are over. */
const WELL_MS = 15 * 60_000;
const TICK_MS = 10;
const WATCHDOG_MS = 8_000;
/** As `firmware/alive.ts` has it. */
const SLACK_MS = 15_000;
const RESTART_MS = 300;
const START_RETRY_MS = 60_000;
const MINUTE_MS = 60_000;
/** Half of the longest answer that counts, and what a clock drifts by until the next one. */
const TIME_ERROR_MS = 2_000;

export class Board {
  readonly id: string;
  readonly name: string;
  readonly flash: VirtualFlash;
  /** While it has power. */
  device: Device | undefined;
  life: Life | undefined;
  boots = 0;
  /** Boots that ended since nothing fed the watchdog. */
  watchdogs = 0;
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #options: BoardOptions;
  readonly #random: SeededRandom;
  readonly #retained = new Uint8Array(256);
  #lineage = new Lineage();
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
  #refusing: string | undefined;
  #quiet = false;
  #healedMs = Number.POSITIVE_INFINITY;
  #epochChecked = -1;
  /** What it must have: sealed or found at boot, and neither freed nor lost. */
  readonly #held = new Set<Sealed>();
  /** What is to happen within one of the next programs of its flash. */
  #programHurt: { programs: number; readonly hurt: () => void } | undefined;
  /** What was in flash when it went off. */
  #kept: readonly Sealed[] = [];

  constructor(world: World, ledger: Ledger, name: string, options: BoardOptions) {
    const { keys, copyOf } = options;
    this.#world = world;
    this.#ledger = ledger;
    this.#options = options;
    this.name = name;
    this.id = keys.id;
    this.#random = world.random(name);
    this.flash = new VirtualFlash({
      sectors: BACKLOG_AT + options.backlogSectors,
      sectorBytes: SECTOR_BYTES,
      ...(copyOf && { image: copyOf.bytes.slice() }),
    });
    const program = this.flash.program.bind(this.flash);
    this.flash.program = (sector, offset, source) => {
      const next = this.#programHurt;
      if (next !== undefined && next.programs-- === 0) {
        this.#programHurt = undefined;
        next.hurt();
      }
      return program(sector, offset, source);
    };
    if (copyOf !== undefined) {
      this.#lineage = copyOf.lineage.copy();
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
    faults.arrivals('board-flash-cut', details => this.#hurtFlash('cut', details));
    faults.arrivals('board-flash-fail', details => this.#hurtFlash('fail', details));
  }

  /** Copies its flash, as somebody does who has it in hand for a moment. */
  copy(): Image {
    return { bytes: this.flash.image.slice(), lineage: this.#lineage.copy() };
  }

  /** Puts back what its flash held before. */
  restore(image: Image): void {
    if (this.#retired) return;
    this.#note('restored');
    this.#ledger.fork(this.id);
    this.#off();
    this.#kept = [];
    this.flash.image.set(image.bytes);
    this.#lineage = image.lineage.copy();
    this.#on(1_000, 'power-on');
  }

  /** The power goes, and comes back. */
  cut(offMs: number): void {
    if (this.#retired || this.life === undefined) return;
    this.#note('power cut');
    this.#off();
    this.#retained.fill(0xa5);
    this.#on(offMs, 'power-on');
  }

  /** For good. */
  retire(): void {
    this.#retired = true;
    this.#off();
    this.#powerOn?.cancel();
  }

  /** The faults are over: nothing that was on its way happens any more. */
  heal(): void {
    this.#programHurt = undefined;
    this.#healedMs = this.#world.nowMs;
    this.flash.cutAfter(Number.POSITIVE_INFINITY, 1);
    this.flash.failAfter(Number.POSITIVE_INFINITY);
    if (this.#retired || this.life !== undefined) return;
    this.#powerOn?.cancel();
    this.#on(2_000, 'power-on');
  }

  /** At one of the next steps of its flash, or within one of the next programs, which are short beside what is erased. */
  #hurtFlash(how: 'cut' | 'fail', details: SeededRandom): void {
    const seed = details.bits();
    const hurt = (after: number) => {
      if (how === 'cut') this.flash.cutAfter(after, seed);
      else this.flash.failAfter(after);
    };
    if (details.unit() < 0.6) {
      hurt(steps(details));
      return;
    }
    const byte = 1 + details.below(details.unit() < 0.5 ? 64 : 256);
    this.#programHurt = { programs: details.below(6), hurt: () => hurt(byte) };
  }

  /** No readings any more of its own accord. */
  hush(): void {
    this.#quiet = true;
    if (this.device !== undefined) this.device.quiet = true;
  }

  get retired(): boolean {
    return this.#retired;
  }

  /** Whether it holds nothing any more that was sealed before this time. */
  drained(beforeMs: number): boolean {
    if (this.#retired) return true;
    const { device } = this;
    if (device === undefined || !this.#started) return false;
    if (this.#lineage.named !== this.#lineage.lost) return false;
    if (device.retained.count === 0) return true;
    const backlog = this.#backlog!;
    if (!device.retained.oldest()) return true;
    const held = this.#ledger.all(this.id, backlog.epoch, backlog.seq);
    return held.every(({ sealedMs }) => sealedMs > beforeMs);
  }

  /** What it is about, for whoever looks for why it does not get on. */
  describe(): string {
    const { device } = this;
    if (device === undefined) return `${this.name}: off`;
    const oldest = device.retained.oldest() ? `${this.#backlog!.epoch}:${this.#backlog!.seq}` : 'none';
    return (
      `${this.name} ${this.id}: at ${device.epoch}:${device.nextSeq}, holds ${device.retained.count} from ${oldest}, ` +
      `session ${device.session.open ? 'open' : 'closed'}, link ${this.#linked ? 'up' : 'down'}, ` +
      `started ${this.#started}, fault '${device.rotation.fault}', in flight ${device.sender.inFlight}`
    );
  }

  #boot(cause: string): void {
    const world = this.#world;
    const { keys, port, limits, drift, periodsMs, burst, backlogSectors, ramBytes } = this.#options;
    this.boots++;
    const life = new Life(world, this.name);
    this.life = life;
    this.#bootMs = world.nowMs;
    this.#started = false;
    this.#linked = false;
    this.#lineage.lost = 0;
    this.#lineage.lostBefore = 0;
    this.#lineage.named = 0;
    this.#epochChecked = -1;
    const details = world.faults.hit('board-boot-cut', this.name);
    if (details !== undefined) this.#hurtFlash('cut', details);
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
        maxEnvelopeBytes: MAX_ENVELOPE_BYTES,
      });
      this.#backlog = backlog;
      this.#takeStock();
      const random = this.#random;
      const wire = port.open(life, {
        up: () => this.#link(life, true),
        down: () => this.#link(life, false),
        received: bytes => this.#received(life, bytes),
      });
      const uptime = { nowMs: () => Math.floor((world.nowMs - this.#bootMs) * drift) };
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
          observer: {
            sealed: (epoch, seq, kind, buffer, from, to) => {
              if (epoch !== this.#epochChecked) this.#checkKeys(epoch);
              const sealed = this.#ledger.sealed(keys.id, this.#lineage, epoch, seq, kind, buffer, from, to);
              this.#held.add(sealed);
              this.#checkTime();
            },
            receipted: (epoch, seq, buffer, from, to) =>
              this.#held.delete(this.#ledger.receipted(keys.id, epoch, seq, buffer, from, to)),
            lost: (epoch, seq) => {
              for (const sealed of this.#ledger.lost(keys.id, this.#lineage, epoch, seq, this.#refusing))
                this.#held.delete(sealed);
            },
          },
        },
        {
          firmware: 'sim',
          restart: restarts.reason,
          limits: { ...limits, maxEnvelopeBytes: MAX_ENVELOPE_BYTES },
        },
      );
      device.quiet = this.#quiet;
      this.#listen(device);
      this.device = device;
      const feed = () => {
        this.#fedMs = world.nowMs;
      };
      const { heartbeatMs = DEVICE_LIMITS.heartbeatMs } = limits;
      this.#alive = new Alive(device, { feed }, uptime, { sealMs: heartbeatMs + SLACK_MS });
      this.#note(`boots: ${restarts.reason}`, restarts.waitMs > 0 ? `after ${restarts.waitMs} ms` : '');
      this.#pollAfter(Math.max(TICK_MS, restarts.waitMs / drift));
    });
  }

  /** Hears the words that only a fork should lead to. */
  #listen(device: Device): void {
    const refuse = device.refuse.bind(device);
    device.refuse = message => {
      this.#refusing = toHex(message.bytes, message.tag8At, message.tag8At + 8);
      try {
        refuse(message);
      } finally {
        this.#refusing = undefined;
      }
    };
    const giveUp = device.retained.giveUp.bind(device.retained);
    device.retained.giveUp = (epoch, seq) => {
      if (!this.#ledger.forked(this.id))
        throw new Violation('only forks are given up', `${this.name} up to ${epoch}:${seq}`);
      giveUp(epoch, seq);
    };
    const advance = device.advance.bind(device);
    device.advance = message => {
      if (!this.#ledger.forked(this.id))
        throw new Violation('only forks are advanced', `${this.name} to ${message.epoch}`);
      advance(message);
    };
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
    this.#fedMs = this.#world.nowMs;
    if (this.#linked) device.linkUp();
    return true;
  }

  #turn(): void {
    if (!this.#start()) return;
    const device = this.device!;
    const waitMs = device.poll();
    const fed = this.#alive!.polled();
    this.#restarts!.running(Math.floor((this.#world.nowMs - this.#bootMs) * this.#options.drift));
    if (!fed && this.#world.nowMs - this.#fedMs > WATCHDOG_MS) {
      this.#bite();
      return;
    }
    // A board whose device has nothing to do is looked at again before its watchdog bites.
    this.#pollAfter(Math.min(waitMs / this.#options.drift, fed ? MINUTE_MS : 1_000));
  }

  #bite(): void {
    this.watchdogs++;
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
      this.cut(offMs(this.#random));
    }
  }

  #restart(cause: string): void {
    if (this.#retired || this.life === undefined) return;
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
    this.#kept = this.#entries(this.#backlog?.kept ?? 0);
    this.life?.end();
    this.life = undefined;
    this.device = undefined;
    this.#backlog = undefined;
    this.#poll?.cancel();
    this.#poll = undefined;
  }

  #on(afterMs: number, cause: string): void {
    this.#powerOn?.cancel();
    this.#powerOn = this.#world.after(afterMs, () => this.#boot(cause));
  }

  #restartMemory(): RestartMemory {
    if (this.#options.flashRestarts) return new FlashRestartMemory(this.flash, RESTART_AT);
    const retained = this.#retained;
    return {
      read: target => {
        target.set(retained.subarray(0, target.length));
        return true;
      },
      write: source => {
        retained.set(source);
        return true;
      },
    };
  }

  /** The first entries of the backlog. */
  #entries(count: number): Sealed[] {
    const backlog = this.#backlog;
    const entries: Sealed[] = [];
    for (let i = 0; i < count && backlog?.select(i); i++) {
      const { epoch, seq, buffer, from, to } = backlog;
      if (to === from) continue;
      const sealed = this.#ledger.exact(this.id, epoch, seq, buffer, from, to);
      if (sealed === undefined)
        throw new Violation('a backlog keeps what was sealed', `${this.name} holds another ${epoch}:${seq}`);
      entries.push(sealed);
    }
    return entries;
  }

  /** At boot: what was in flash is still there, also when power went while something was written. */
  #takeStock(): void {
    const found = new Set(this.#entries(this.#backlog!.count));
    for (const sealed of this.#kept)
      if (!found.has(sealed))
        throw new Violation('a backlog outlives a power cut', `${this.name}: ${sealed}`);
    this.#kept = [];
    this.#held.clear();
    for (const sealed of found) this.#held.add(sealed);
  }

  /** Everything that has neither been freed nor lost is held. */
  checkHeld(): void {
    if (this.device === undefined) return;
    const found = new Set(this.#entries(this.#backlog!.count));
    for (const sealed of this.#held)
      if (!found.has(sealed))
        throw new Violation('a backlog keeps what was sealed', `${this.name}: ${sealed}`);
  }

  /** A time that is told is right, unless the gateway's own was wrong. */
  #checkTime(): void {
    const { faults, nowMs } = this.#world;
    if (faults.has('clock-jump')) return;
    const uptimeMs = Math.floor((nowMs - this.#bootMs) * this.#options.drift);
    const unixMs = this.device!.time.unixMs(uptimeMs);
    if (unixMs >= 0 && Math.abs(unixMs - BEGIN_UNIX_MS - nowMs) > TIME_ERROR_MS)
      throw new Violation('a time is right or absent', `${this.name} says ${unixMs} at ${nowMs}`);
  }

  /** Whoever reads the flash of a board learns no key of what it has sealed, nor of what it seals now. */
  #checkKeys(epoch: number): void {
    this.#epochChecked = epoch;
    const slots = Buffer.from(this.flash.image.buffer, 0, 2 * SECTOR_BYTES);
    if (slots.includes(Buffer.from(this.#options.keys.chain(epoch))))
      throw new Violation('no key of an epoch in use lies in flash', `${this.name} epoch ${epoch}`);
  }

  #note(what: string, detail = ''): void {
    this.#world.trace.note(this.name, what, detail);
  }
}

/** How long a board is without power: some ms to some minutes. */
function offMs(random: SeededRandom): number {
  return 10 * 10 ** (random.unit() * 4.5);
}

/** Where in the writing of flash something happens: at the very next byte, or sectors later. */
function steps(random: SeededRandom): number {
  return Math.floor(4 ** (random.unit() * 7.2)) + random.below(3);
}
