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
    return this.#find(high, low) ?? this.#keep(high, low, hexOf(bytes, at, at + 8));
  }

  /** The 16 lower-case hex digits that stand at `at`; undefined when others do. */
  ofText(bytes: Buffer, at: number): string | undefined {
    const high = digits(bytes, at);
    const low = digits(bytes, at + 8);
    if (high === undefined || low === undefined) return undefined;
    return this.#find(high, low) ?? this.#keep(high, low, bytes.toString('latin1', at, at + 16));
  }

  #find(high: number, low: number): string | undefined {
    const known = this.#known.get(low);
    return known?.high === high ? known.text : undefined;
  }

  #keep(high: number, low: number, text: string): string {
    if (this.#known.size >= MAX_IDS) this.#known.clear();
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

/** Eight hex digits as a number. */
function digits(bytes: Uint8Array, at: number): number | undefined {
  let value = 0;
  for (let i = at; i < at + 8; i++) {
    const c = bytes[i];
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : -1;
    if (digit < 0) return undefined;
    value = (value << 4) | digit;
  }
  return value;
}
