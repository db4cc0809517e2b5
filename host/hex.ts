/** Lower-case hex of `bytes[from, to)`, made by the platform: for what is done with every reading. */
export function hexOf(bytes: Uint8Array, from = 0, to = bytes.length): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return buffer.toString('hex', from, to);
}

const MAX_IDS = 4096;

/**
 * Ids of devices as hex. The same ones come all day: each is made once, so that maps that have them for keys find the very
 * same text and need not compare it.
 */
export class IdTexts {
  /** By the last four bytes, which are as random as any. */
  readonly #known = new Map<number, Id>();

  /** The 8 bytes at `at`, as 16 hex digits. */
  of(bytes: Uint8Array, at: number): string {
    const high = word(bytes, at);
    const low = word(bytes, at + 4);
    const known = this.#known.get(low);
    if (known?.high === high) return known.text;
    if (this.#known.size >= MAX_IDS) this.#known.clear();
    const text = hexOf(bytes, at, at + 8);
    this.#known.set(low, { high, text });
    return text;
  }
}

interface Id {
  readonly high: number;
  readonly text: string;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
