import type { WriteFault } from './fault.js';
import { halfOfSingle } from './half.js';
import { MAX_SAFE } from './limits.js';

/**
 * Writes core deterministic CBOR (RFC 8949, section 4.2.1) into a buffer that is given to it.
 *
 * Numbers: an integral value up to ±(2^53 - 1) is an integer, any other finite value the shortest float that
 * keeps it. Larger integers, NaN, infinities and -0 are refused. The first thing that is refused, or does not
 * fit, is kept in `fault`; from then on nothing is written and `position` stays.
 *
 * Map keys are the caller's to sort: they are constants wherever this class is used.
 *
 * Every reading goes through here on boards, where each call costs microseconds. So the common cases come
 * first, several bytes are written by one native call, and what was refused needs no check of its own: it has
 * moved the limit to before every position.
 */
export class CborWriter {
  readonly buffer: Uint8Array;
  position = 0;
  fault: WriteFault | '' = '';
  /** Whether nothing has been refused: the same as no fault, without a string, which XS would copy to compare. */
  ok = true;
  /** Nothing is written here or past it; -1 after a refusal. */
  #limit: number;
  readonly #view: DataView;
  readonly #scratch = new DataView(new ArrayBuffer(4));

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
    this.#limit = buffer.length;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  get overflowed(): boolean {
    return this.fault === 'overflow';
  }

  /** Starts over at `at`; nothing will be written at `limit` or past it. */
  reset(at = 0, limit: number = this.buffer.length): void {
    this.position = at;
    this.#limit = limit;
    if (this.ok) return;
    this.ok = true;
    this.fault = '';
  }

  /** Refuses everything that follows: for callers that find something wrong with what they were given. */
  refuse(fault: WriteFault): void {
    if (!this.ok) return;
    this.ok = false;
    this.fault = fault;
    this.#limit = -1;
  }

  uint(value: number): void {
    // Shifts and comparisons are instructions of the engine, Math.floor is a call.
    if (value >>> 0 === value && value > 0) this.#head(0x00, value);
    else if (!(value >= 0) || Math.floor(value) !== value) this.refuse('not-unsigned');
    else this.#integer(value);
  }

  number(value: number): void {
    const whole = value | 0;
    if (whole === value && whole !== 0) {
      if (whole > 0) this.#head(0x00, whole);
      else this.#head(0x20, -1 - whole);
    } else if (Math.floor(value) === value) this.#integer(value);
    else if (Math.fround(value) === value) this.#single(value);
    else {
      const at = this.position;
      const end = at + 9;
      if (!(value < MAX_SAFE))
        this.refuse('not-finite'); // NaN: what is larger has no fraction
      else if (end > this.#limit) this.refuse('overflow');
      else {
        this.buffer[at] = 0xfb;
        this.#view.setFloat64(at + 1, value);
        this.position = end;
      }
    }
  }

  /** A map's pair of a key below 24 and an unsigned integer. */
  pair(key: number, value: number): void {
    const at = this.position;
    if (at < this.#limit) {
      this.buffer[at] = key;
      this.position = at + 1;
      this.uint(value);
    } else this.refuse('overflow');
  }

  bool(value: boolean): void {
    const at = this.position;
    if (at < this.#limit) {
      this.buffer[at] = value ? 0xf5 : 0xf4;
      this.position = at + 1;
    } else this.refuse('overflow');
  }

  null(): void {
    if (this.#room(1)) this.buffer[this.position++] = 0xf6;
  }

  /** A byte string of `bytes[from, to)`. */
  bytes(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#head(0x40, to - from);
    this.raw(bytes, from, to);
  }

  /** A text string of bytes that are known to be valid UTF-8. */
  utf8(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#head(0x60, to - from);
    this.raw(bytes, from, to);
  }

  /** A text string; a lone surrogate is refused. Costs slots on XS: not for every reading. */
  text(text: string): void {
    let size = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i)!;
      if (code >= 0xd800 && code <= 0xdfff) this.refuse('invalid-utf8');
      if (code > 0xffff) i++;
      size += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    }
    this.#head(0x60, size);
    if (!this.#room(size)) return;
    const buffer = this.buffer;
    let n = this.position;
    for (let i = 0; i < text.length; i++) {
      const code = text.codePointAt(i)!;
      if (code < 0x80) {
        buffer[n++] = code;
        continue;
      }
      if (code < 0x800) buffer[n++] = 0xc0 | (code >> 6);
      else {
        if (code < 0x10000) buffer[n++] = 0xe0 | (code >> 12);
        else {
          i++;
          buffer[n++] = 0xf0 | (code >> 18);
          buffer[n++] = 0x80 | ((code >> 12) & 0x3f);
        }
        buffer[n++] = 0x80 | ((code >> 6) & 0x3f);
      }
      buffer[n++] = 0x80 | (code & 0x3f);
    }
    this.position = n;
  }

  /** The head of an array; its `count` items follow. */
  array(count: number): void {
    this.#head(0x80, count);
  }

  /** The head of a map; its `count` pairs follow, keys ascending by their encoded bytes. */
  map(count: number): void {
    this.#head(0xa0, count);
  }

  /** Bytes that are CBOR already. */
  raw(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    if (!this.#room(to - from)) return;
    const buffer = this.buffer;
    let n = this.position;
    for (let i = from; i < to; i++) buffer[n++] = bytes[i];
    this.position = n;
  }

  /** All of an array of bytes that are CBOR already, in one native call. Not an array on the same buffer. */
  whole(bytes: Uint8Array): void {
    const at = this.position;
    const end = at + bytes.length;
    if (end > this.#limit) this.refuse('overflow');
    else {
      this.buffer.set(bytes, at);
      this.position = end;
    }
  }

  #integer(value: number): void {
    if (value === 0 && 1 / value < 0) this.refuse('negative-zero');
    else if (!Number.isFinite(value)) this.refuse('not-finite');
    else if (value > MAX_SAFE || value < -MAX_SAFE) this.refuse('integer-too-large');
    else if (value >= 0) this.#head(0x00, value);
    else this.#head(0x20, -1 - value);
  }

  /** A fraction that a single keeps: that, or the half of the same value if there is one. */
  #single(value: number): void {
    const at = this.position;
    const end = at + 5;
    if (end - 2 > this.#limit) {
      this.refuse('overflow');
      return;
    }
    const scratch = this.#scratch;
    scratch.setFloat32(0, value);
    const bits = scratch.getUint32(0);
    const half = (bits & 0x1fff) !== 0 ? -1 : halfOfSingle(bits);
    if (half >= 0) {
      this.buffer[at] = 0xf9;
      this.#view.setUint16(at + 1, half);
      this.position = end - 2;
    } else if (end > this.#limit) this.refuse('overflow');
    else {
      this.buffer[at] = 0xfa;
      this.#view.setUint32(at + 1, bits);
      this.position = end;
    }
  }

  /** Major type (in the upper three bits) and argument, in the fewest bytes. */
  #head(major: number, argument: number): void {
    const at = this.position;
    const size =
      argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9;
    if (!this.#room(size)) return;
    this.position = at + size;
    const buffer = this.buffer;
    if (size === 1) buffer[at] = major | argument;
    else if (size === 2) {
      buffer[at] = major | 24;
      buffer[at + 1] = argument;
    } else if (size === 3) {
      buffer[at] = major | 25;
      this.#view.setUint16(at + 1, argument);
    } else if (size === 5) {
      buffer[at] = major | 26;
      this.#view.setUint32(at + 1, argument);
    } else {
      buffer[at] = major | 27;
      this.#view.setUint32(at + 1, argument / 0x100000000);
      this.#view.setUint32(at + 5, argument); // takes the lower 32 bits
    }
  }

  #room(size: number): boolean {
    if (this.position + size <= this.#limit) return true;
    this.refuse('overflow');
    return false;
  }
}
