import type { Random } from '../ports.js';

const FIRST_MS = 500;
const LAST_MS = 30_000;

/** Doubling pauses, each drawn from its upper half, so that boards which lost one gateway don't return together. */
export class Backoff {
  readonly #random: Random;
  readonly #byte = new Uint8Array(1);
  #nextMs = FIRST_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): number {
    this.#random.fill(this.#byte);
    const pauseMs = this.#nextMs / 2 + (this.#nextMs / 2) * (this.#byte[0] / 256);
    this.#nextMs = Math.min(2 * this.#nextMs, LAST_MS);
    return Math.ceil(pauseMs);
  }

  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
