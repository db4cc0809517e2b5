import type { Random } from '../../ports.js';

/** Pauses, none of them exact: many subscribers of one broker notice the same things at the same time. */
export class Delays {
  readonly #random: Random;
  readonly #bytes = new Uint8Array(2);

  constructor(random: Random) {
    this.#random = random;
  }

  between(minMs: number, maxMs: number): number {
    this.#random.fill(this.#bytes);
    return Math.round(minMs + ((maxMs - minMs) * (this.#bytes[0] * 256 + this.#bytes[1])) / 65_535);
  }

  /** Doubles with each try, to five minutes, and when that has not helped for more than an hour, to an hour. */
  after(tries: number): number {
    const longest = tries < MANY_TRIES ? MAX_PAUSE_MS : LONGEST_PAUSE_MS;
    const ms = Math.min(longest, MIN_PAUSE_MS * 2 ** Math.min(tries, 20));
    return this.between(ms / 2, ms);
  }
}

const MIN_PAUSE_MS = 2000;
const MAX_PAUSE_MS = 300_000;
const LONGEST_PAUSE_MS = 3_600_000;
const MANY_TRIES = 24;
