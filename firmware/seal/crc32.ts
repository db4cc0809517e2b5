/** CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), the same as zlib's and PNG's. */

/** One for all: never written again, so on a board it lies in flash with the code and takes no memory. */
const TABLE = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    table[n] = c;
  }
  return table;
}

export class Crc32 {
  /** The checksum of `bytes[from, to)`, as a signed 32-bit integer; `>>> 0` gives the usual form. */
  compute(bytes: Uint8Array, from: number, to: number): number {
    const table = TABLE;
    let c = -1;
    for (let i = from; i < to; ++i) c = table[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
    return ~c;
  }

  /** The checksum of the byte `first` and then `bytes[from, to)`; copies both to `out[at …]` on the way. */
  copy(first: number, bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    const table = TABLE;
    out[at] = first;
    let n = at + 1;
    let byte = 0;
    let c = table[~first & 0xff] ^ 0xffffff;
    // `++n` as a statement and `byte` outside: a sixth of what XS executes here.
    for (let i = from; i < to; ++i) {
      byte = bytes[i];
      out[n] = byte;
      ++n;
      c = table[(c ^ byte) & 0xff] ^ (c >>> 8);
    }
    return ~c;
  }
}
