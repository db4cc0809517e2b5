/**
 * When the next sample of a steady series is due. A series that fell behind catches up at most
 * `maxBehindMs`; what lies further back is skipped, since a burst of samples would all carry one instant.
 */
export class Period {
  readonly #periodMs: number;
  readonly #maxBehindMs: number;
  #nextMs: number;

  /**
   * @param periodMs ms between two samples, above 0; need not be whole
   * @param firstMs uptime of the first sample
   * @param maxBehindMs how far the series may catch up
   */
  constructor(periodMs: number, firstMs: number, maxBehindMs = 1000) {
    this.#periodMs = periodMs;
    this.#maxBehindMs = maxBehindMs;
    this.#nextMs = firstMs;
  }

  /** ms until the next sample, 0 when it is due. */
  waitMs(nowMs: number): number {
    return nowMs >= this.#nextMs ? 0 : this.#nextMs - nowMs;
  }

  /** The sample that was due has been taken. */
  taken(nowMs: number): void {
    this.#nextMs += this.#periodMs;
    if (this.#nextMs < nowMs - this.#maxBehindMs) this.#nextMs = nowMs;
  }
}
