/** Bytes on their way out, a bounded number of them: a message is taken whole or not at all. */
export class Output {
  readonly #ring: Uint8Array;
  #first = 0;
  #length = 0;

  constructor(capacityBytes: number) {
    this.#ring = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** @returns false when there is no room; nothing has been taken then */
  put(buffer: Uint8Array, from: number, to: number): boolean {
    const ring = this.#ring;
    if (to - from > ring.length - this.#length) return false;
    let at = (this.#first + this.#length) % ring.length;
    for (let i = from; i < to; i++) {
      ring[at++] = buffer[i];
      if (at === ring.length) at = 0;
    }
    this.#length += to - from;
    return true;
  }

  /** Copies the oldest bytes into the whole of `target`, which must not be longer than what there is. */
  peek(target: Uint8Array): void {
    const ring = this.#ring;
    let at = this.#first;
    for (let i = 0; i < target.length; i++) {
      target[i] = ring[at++];
      if (at === ring.length) at = 0;
    }
  }

  /** Forgets the oldest bytes: they are out. */
  drop(bytes: number): void {
    this.#first = (this.#first + bytes) % this.#ring.length;
    this.#length -= bytes;
  }

  clear(): void {
    this.#first = 0;
    this.#length = 0;
  }
}
