/** CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), the same as zlib's and PNG's. */
export class Crc32 {
  // Made per instance: a table at module level would have to be filled while preloading, and 1 KB is little.
  readonly #table = new Int32Array(256);

  constructor() {
    for (let n = 0; n < 256; n++) {
      let c = n;
      for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
      this.#table[n] = c;
    }
  }

  /** The checksum of `bytes[from, to)`, as a signed 32-bit integer; `>>> 0` gives the usual form. */
  compute(bytes: Uint8Array, from: number, to: number): number {
    const table = this.#table;
    let c = -1;
    for (let i = from; i < to; i++) c = table[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
    return c ^ -1;
  }
}
