/** The virtual board's chip: what `firmware/native/chip` has in C, and the handles that a test holds it by. */
import type { SeededRandom } from './random.js';

/** What ended the program: it asked for it, the watchdog was not fed, or power went away. */
export type ChipEnd = 'restart' | 'watchdog' | 'power';

/** Thrown at whatever the program does once it has ended: a chip that is reset runs nothing more. */
export class ChipEnded extends Error {
  constructor(end: ChipEnd) {
    super(`chip ended: ${end}`);
    this.name = 'ChipEnded';
  }
}

/** As `startCause` says them. */
const CAUSES: Record<ChipEnd, number> = Object.freeze({ power: 0, watchdog: 1, restart: 2 });
const RETAINED_BYTES = 160;
const MAX_WATCHDOG_MS = 8_300;
const NEVER_MS = Number.POSITIVE_INFINITY;

/**
 * Time passes only by `advance`. The functions are fields, so that the object stands for the module. At first the
 * chip has just been given power.
 */
export class VirtualChip {
  /** Why the program ended, '' while it runs. */
  ended: ChipEnd | '' = '';
  /** What `freeMemoryBytes` says. */
  freeBytes = 40_000;
  readonly #noise: SeededRandom;
  readonly #retained = new Uint8Array(RETAINED_BYTES);
  #cause: ChipEnd = 'power';
  #bootMs = 0;
  #nowMs = 0;
  #watchdogMs = NEVER_MS;
  #biteAtMs = NEVER_MS;

  /** @param noise what memory holds when power comes */
  constructor(noise: SeededRandom) {
    this.#noise = noise;
    noise.fill(this.#retained);
  }

  readonly micros = (): number => 1000 * this.uptimeMs();

  readonly uptimeMs = (): number => {
    this.check();
    return this.#nowMs - this.#bootMs;
  };

  readonly startWatchdog = (ms: number): void => {
    this.check();
    if (!(ms >= 1 && ms <= MAX_WATCHDOG_MS)) throw new RangeError('watchdog: period out of range');
    this.#watchdogMs = ms;
    this.#biteAtMs = this.#nowMs + ms;
  };

  readonly feedWatchdog = (): void => {
    this.check();
    this.#biteAtMs = this.#nowMs + this.#watchdogMs;
  };

  readonly startCause = (): number => {
    this.check();
    return CAUSES[this.#cause];
  };

  readonly restart = (): void => this.end('restart');

  readonly freeMemoryBytes = (): number => {
    this.check();
    return this.freeBytes;
  };

  readonly readRetained = (target: Uint8Array): boolean => {
    this.check();
    if (target.length > RETAINED_BYTES) return false;
    target.set(this.#retained.subarray(0, target.length));
    return true;
  };

  readonly writeRetained = (source: Uint8Array): boolean => {
    this.check();
    if (source.length > RETAINED_BYTES) return false;
    this.#retained.set(source);
    return true;
  };

  /** Since the chip was made, over all its boots. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** How long the watchdog still waits; infinite while nobody has started it. */
  get watchdogLeftMs(): number {
    return this.#biteAtMs - this.#nowMs;
  }

  /** Lets time pass. @throws ChipEnded at the moment when the watchdog bites, if that comes first */
  advance(ms: number): void {
    this.check();
    if (this.watchdogLeftMs > ms) this.#nowMs += ms;
    else {
      this.#nowMs = this.#biteAtMs;
      this.end('watchdog');
    }
  }

  /** @throws ChipEnded always */
  end(how: ChipEnd): never {
    this.check();
    this.ended = how;
    throw new ChipEnded(how);
  }

  /** @throws ChipEnded when the program has ended */
  check(): void {
    if (this.ended !== '') throw new ChipEnded(this.ended);
  }

  /** Starts anew, for the reason that the program ended; while it runs, that is a power cut. */
  boot(): void {
    this.#cause = this.ended || 'power';
    this.ended = '';
    this.#bootMs = this.#nowMs;
    this.#watchdogMs = NEVER_MS;
    this.#biteAtMs = NEVER_MS;
    if (this.#cause === 'power') this.#noise.fill(this.#retained);
  }
}
