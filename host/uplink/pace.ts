import type { Clock } from '../ports.js';

/** A token bucket: at most `perSecond` a second, and no more than a tenth of that at once. */
export class Pace {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #perSecond: number;
  readonly #lifted: () => boolean;
  readonly #burst: number;
  #tokens: number;
  #filledAt: number;

  /**
   * @param perSecond 0: no limit
   * @param lifted no limit while this says so
   */
  constructor(clock: Pick<Clock, 'monotonic'>, perSecond: number, lifted: () => boolean = () => false) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#lifted = lifted;
    this.#burst = Math.max(1, perSecond / 10);
    this.#tokens = this.#burst;
    this.#filledAt = clock.monotonic();
  }

  /** Takes one, or says in how many ms there will be one. */
  take(): number {
    if (this.#perSecond === 0 || this.#lifted()) return 0;
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filledAt) * this.#perSecond) / 1000);
    this.#filledAt = now;
    if (this.#tokens < 1) return Math.max(1, Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond));
    this.#tokens -= 1;
    return 0;
  }
}
