import type { Random } from '../ports.js';

export interface BackoffLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Of a certificate that is not valid yet: on a machine without a clock chip it will be, as soon as the time is known. */
export const CLOCK_FAULT = 'broker-certificate-early';
/** Nobody tells that the clock was set, so it is tried. */
const CLOCK_PAUSE_MS = 5000;

/** Doubling pauses; each is drawn from its upper half, so that many clients of one broker don't come back together. */
export class Backoff {
  readonly #random: Random;
  readonly #limits: BackoffLimits;
  readonly #bytes = new Uint8Array(2);
  #nextMs: number;

  constructor(random: Random, limits: BackoffLimits) {
    this.#random = random;
    this.#limits = limits;
    this.#nextMs = limits.minMs;
  }

  /** The pause before the next attempt, in ms. @param fault the code of why the last one failed */
  next(fault = ''): number {
    this.#random.fill(this.#bytes);
    const fraction = (this.#bytes[0] * 256 + this.#bytes[1]) / 65_536;
    const pauseMs = this.#nextMs / 2 + (this.#nextMs / 2) * fraction;
    this.#nextMs = Math.min(this.#nextMs * 2, this.#limits.maxMs);
    return Math.ceil(fault === CLOCK_FAULT ? Math.min(pauseMs, CLOCK_PAUSE_MS) : pauseMs);
  }

  /** Things go well again. */
  reset(): void {
    this.#nextMs = this.#limits.minMs;
  }
}
