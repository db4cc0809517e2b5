/**
 * One buffer with views of 1, 2, 4 … bytes from its beginning. IO takes and fills whole views, and making one for
 * each length costs memory: with these, any length goes in a few pieces and nothing is allocated.
 */
export class Pieces {
  readonly bytes: Uint8Array;
  readonly #views: Uint8Array[] = [];

  /** @param maxBytes a power of two */
  constructor(maxBytes: number) {
    this.bytes = new Uint8Array(maxBytes);
    for (let length = maxBytes; length >= 1; length = length >> 1)
      this.#views.push(this.bytes.subarray(0, length));
  }

  /** The longest view of at most `length` bytes, which is at least 1. */
  upTo(length: number): Uint8Array {
    let i = 0;
    while (this.#views[i].length > length) i++;
    return this.#views[i];
  }
}
