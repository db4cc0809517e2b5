/** What is done to valid bytes before a reader gets them: everything that a line, a disk or an attacker does. */

/** Whole numbers from a seed; the same sequence everywhere (mulberry32, by Tommy Ettinger, public domain). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits. */
  bits(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to n - 1; 0 when n is not above 0. */
  below(n: number): number {
    return n > 0 ? this.bits() % n : 0;
  }

  /** True once in n. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.bits();
    return bytes;
  }

  /** A whole number of any size up to 2^53 - 1, small ones and the borders of CBOR's heads often. */
  uint(): number {
    const edge = EDGES[this.below(EDGES.length)];
    switch (this.below(4)) {
      case 0:
        return this.below(24);
      case 1:
        return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, edge + this.below(3) - 1));
      case 2:
        return this.below(100_000);
      default:
        return (this.bits() % 0x20_0000) * 0x1_0000_0000 + this.bits();
    }
  }

  /** Text of up to so many characters, ASCII mostly. */
  text(maxChars: number): string {
    let text = '';
    for (let n = this.below(maxChars + 1); n > 0; n--) {
      text += this.oneIn(8) ? this.pick(STRANGE) : String.fromCharCode(0x20 + this.below(0x5f));
    }
    return text;
  }
}

const EDGES = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52, 2 ** 53 - 1];
const STRANGE = [
  'é',
  '°',
  '"',
  '\\',
  '\n',
  '\u0000',
  '\u007f',
  '\u2028',
  '\uffff',
  '\u{1f321}',
  '/',
  '#',
  "'",
];

const INTERESTING = [
  0x00, 0x01, 0x17, 0x18, 0x1b, 0x20, 0x5f, 0x7f, 0x80, 0x9f, 0xbf, 0xf4, 0xf7, 0xfb, 0xfe, 0xff,
];
const SIZES = [0, 1, 23, 24, 255, 256, 4095, 4096, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

export interface Mutation {
  /** Bytes that mean something to the reader: keys, heads, brackets. */
  readonly words: readonly Uint8Array[];
  /** Other valid inputs, to splice with. */
  readonly others: readonly Uint8Array[];
  readonly maxBytes: number;
}

/** Bytes after one step, which the number alone chooses. */
export function mutate(bytes: Uint8Array, step: number, { words, others, maxBytes }: Mutation): Uint8Array {
  const dice = new Dice(step);
  const at = dice.below(bytes.length + 1);
  const size = 1 + dice.below(dice.oneIn(4) ? 64 : 6);
  switch (dice.below(15)) {
    case 0:
      return changed(bytes, at, byte => byte ^ (1 << dice.below(8)));
    case 1:
      return changed(bytes, at, () => dice.pick(INTERESTING));
    case 2:
      return changed(bytes, at, byte => byte + dice.below(9) - 4);
    case 3:
      return replaced(bytes, at, at + size, NOTHING);
    case 4:
      return bytes.slice(0, at);
    case 5:
      return clamp(replaced(bytes, at, at, dice.bytes(size)), maxBytes);
    case 6:
      return clamp(replaced(bytes, at, at, dice.pick(words)), maxBytes);
    case 7: {
      const word = dice.pick(words);
      return clamp(replaced(bytes, at, at + word.length, word), maxBytes);
    }
    case 8:
      return clamp(
        replaced(bytes, at, at, repeated(bytes.subarray(at, at + size), 1 + dice.below(4))),
        maxBytes,
      );
    case 9: {
      const other = dice.pick(others);
      return clamp(replaced(bytes, at, bytes.length, other.subarray(dice.below(other.length + 1))), maxBytes);
    }
    case 10: {
      const from = dice.below(bytes.length + 1);
      return replaced(bytes, at, at + size, bytes.slice(from, from + size));
    }
    case 11: {
      const field = bigEndian(dice.pick(SIZES) + dice.below(3) - 1, dice.pick([1, 2, 4, 8]));
      return clamp(replaced(bytes, at, at + field.length, field), maxBytes);
    }
    case 12:
      return clamp(replaced(bytes, at, at, repeated(dice.pick(words), 1 + dice.below(40))), maxBytes);
    case 13: {
      const digits = new TextEncoder().encode(String(dice.uint()));
      const from = digitAt(bytes, at);
      return clamp(replaced(bytes, from, from + dice.below(digits.length + 1), digits), maxBytes);
    }
    default: {
      const other = dice.pick(others);
      const from = dice.below(other.length + 1);
      return clamp(replaced(bytes, at, at + size, other.subarray(from, from + size)), maxBytes);
    }
  }
}

const NOTHING = new Uint8Array(0);

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  const copy = bytes.slice();
  if (copy.length > 0) copy[at % copy.length] = change(copy[at % copy.length]);
  return copy;
}

function replaced(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  const end = Math.min(to, bytes.length);
  const out = new Uint8Array(bytes.length - (end - from) + by.length);
  out.set(bytes.subarray(0, from));
  out.set(by, from);
  out.set(bytes.subarray(end), from + by.length);
  return out;
}

function repeated(bytes: Uint8Array, times: number): Uint8Array {
  const out = new Uint8Array(bytes.length * times);
  for (let i = 0; i < times; i++) out.set(bytes, i * bytes.length);
  return out;
}

function clamp(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return bytes.length > maxBytes ? bytes.slice(0, maxBytes) : bytes;
}

function bigEndian(value: number, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let rest = Math.max(0, value);
  for (let i = size - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

function digitAt(bytes: Uint8Array, at: number): number {
  for (let i = at; i < bytes.length; i++) if (bytes[i] >= 0x30 && bytes[i] <= 0x39) return i;
  return at;
}

export const words = (...list: readonly (string | readonly number[])[]): Uint8Array[] =>
  list.map(word => (typeof word === 'string' ? new TextEncoder().encode(word) : Uint8Array.from(word)));
