/**
 * What a contact means, from what its pin does. A level counts once it has stayed for `debounceMs`, and then
 * from the first edge that led to it. A burst that ends where it began is a glitch.
 */
export class Debounce {
  /** 0 or 1; below 0 until the first level has settled. */
  level = -1;
  /** Uptime of the first edge of the burst that led to `level`. */
  atMs = 0;
  /** Bursts that came to nothing, since boot. */
  glitches = 0;
  /** Levels found changed without an edge having been told: their time is when they were found. */
  missed = 0;
  readonly #debounceMs: number;
  #pin = -1;
  #burst = false;
  #untold = false;
  #firstMs = 0;
  #lastMs = 0;

  constructor(debounceMs: number) {
    this.#debounceMs = debounceMs;
  }

  /** The pin had an edge, and has this level now. Call `settle` first: an earlier burst may be over. */
  edge(pin: number, nowMs: number): void {
    this.#touch(nowMs);
    this.#pin = pin;
    this.#untold = false;
  }

  /** The pin was looked at, without an edge. */
  look(pin: number, nowMs: number): void {
    if (pin === this.#pin) return;
    const forgotten = this.#pin < 0;
    this.#pin = pin;
    // After a failure the machine is as it was.
    if (forgotten && pin === this.level) return;
    // The edge may be on its way here still.
    this.#untold = this.level >= 0;
    this.#touch(nowMs);
  }

  /** @returns whether `level` is another than before */
  settle(nowMs: number): boolean {
    if (!this.#burst || nowMs - this.#lastMs < this.#debounceMs) return false;
    this.#burst = false;
    if (this.#untold) this.missed++;
    this.#untold = false;
    if (this.#pin === this.level) {
      this.glitches++;
      return false;
    }
    this.level = this.#pin;
    this.atMs = this.#firstMs;
    return true;
  }

  /** ms until `settle` has something to do, infinite when nothing is going on. */
  waitMs(nowMs: number): number {
    return this.#burst ? Math.max(1, this.#lastMs + this.#debounceMs - nowMs) : Number.POSITIVE_INFINITY;
  }

  /** No edge is waiting for others to follow. */
  get resting(): boolean {
    return !this.#burst;
  }

  /** How long the pin has been restless, 0 when it is not. */
  restlessMs(nowMs: number): number {
    return this.#burst ? nowMs - this.#firstMs : 0;
  }

  /** What was known of the pin is worth nothing any more; `level` is what was said last. */
  forget(): void {
    this.#pin = -1;
    this.#burst = false;
    this.#untold = false;
  }

  /** Uptime ran backwards: nothing lies ahead. */
  rebase(nowMs: number): void {
    this.#firstMs = Math.min(this.#firstMs, nowMs);
    this.#lastMs = Math.min(this.#lastMs, nowMs);
    this.atMs = Math.min(this.atMs, nowMs);
  }

  #touch(nowMs: number): void {
    if (!this.#burst) this.#firstMs = nowMs;
    this.#burst = true;
    this.#lastMs = nowMs;
  }
}
