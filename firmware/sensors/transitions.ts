/** Transitions that wait to be told. When full, the oldest goes: the last state is always right. */
export class Transitions {
  /** Lost since boot. */
  dropped = 0;
  count = 0;
  readonly #levels: Uint8Array;
  readonly #atMs: Float64Array;
  readonly #sinceMs: Float64Array;
  #first = 0;

  constructor(capacity: number) {
    this.#levels = new Uint8Array(capacity);
    this.#atMs = new Float64Array(capacity);
    this.#sinceMs = new Float64Array(capacity);
  }

  /** @param sinceMs uptime of the transition before, below 0 when there was none */
  push(level: number, atMs: number, sinceMs: number): void {
    const capacity = this.#levels.length;
    if (this.count === capacity) {
      this.shift();
      this.dropped++;
    }
    const i = (this.#first + this.count) % capacity;
    this.#levels[i] = level;
    this.#atMs[i] = atMs;
    this.#sinceMs[i] = sinceMs;
    this.count++;
  }

  /** Of the oldest. */
  get level(): number {
    return this.#levels[this.#first];
  }

  get atMs(): number {
    return this.#atMs[this.#first];
  }

  get sinceMs(): number {
    return this.#sinceMs[this.#first];
  }

  shift(): void {
    if (this.count === 0) return;
    this.#first = (this.#first + 1) % this.#levels.length;
    this.count--;
  }
}
