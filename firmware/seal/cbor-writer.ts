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
 */
export class CborWriter {
  readonly buffer: Uint8Array;
  position = 0;
  fault: WriteFault | '' = '';
  /** Whether nothing has been refused: the same as no fault, without a string, which XS would copy to compare. */
  ok = true;
  #limit: number;
  readonly #float = new DataView(new ArrayBuffer(8));

  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
    this.#limit = buffer.length;
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
  }

  uint(value: number): void {
    if (!(value >= 0) || Math.floor(value) !== value) this.refuse('not-unsigned');
    else this.number(value);
  }

  number(value: number): void {
    if (!this.ok) return;
    if (Math.floor(value) === value) this.#integer(value);
    else this.#fraction(value);
  }

  bool(value: boolean): void {
    if (this.#room(1)) this.buffer[this.position++] = value ? 0xf5 : 0xf4;
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

  #integer(value: number): void {
    if (value === 0 && 1 / value < 0) this.refuse('negative-zero');
    else if (!Number.isFinite(value)) this.refuse('not-finite');
    else if (value > MAX_SAFE || value < -MAX_SAFE) this.refuse('integer-too-large');
    else if (value >= 0) this.#head(0x00, value);
    else this.#head(0x20, -1 - value);
  }

  #fraction(value: number): void {
    if (Number.isNaN(value)) this.refuse('not-finite');
    if (!this.ok) return;
    const float = this.#float;
    float.setFloat32(0, value);
    let size = 9;
    if (float.getFloat32(0) === value) {
      const half = halfOfSingle(float.getUint32(0));
      if (half >= 0) {
        size = 3;
        float.setUint16(0, half);
      } else size = 5;
    } else float.setFloat64(0, value);
    if (!this.#room(size)) return;
    const buffer = this.buffer;
    let n = this.position;
    buffer[n++] = size === 3 ? 0xf9 : size === 5 ? 0xfa : 0xfb;
    for (let i = 0; i < size - 1; i++) buffer[n++] = float.getUint8(i);
    this.position = n;
  }

  /** Major type (in the upper three bits) and argument, in the fewest bytes. */
  #head(major: number, argument: number): void {
    const size =
      argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument < 0x100000000 ? 5 : 9;
    if (!this.#room(size)) return;
    const buffer = this.buffer;
    let n = this.position;
    if (size === 1) buffer[n++] = major | argument;
    else if (size === 2) {
      buffer[n++] = major | 24;
      buffer[n++] = argument;
    } else if (size === 3) {
      buffer[n++] = major | 25;
      buffer[n++] = argument >> 8;
      buffer[n++] = argument & 0xff;
    } else {
      buffer[n++] = major | (size === 5 ? 26 : 27);
      let low = argument;
      if (size === 9) {
        const high = Math.floor(argument / 0x100000000);
        low = argument - high * 0x100000000;
        buffer[n++] = high >>> 24;
        buffer[n++] = (high >>> 16) & 0xff;
        buffer[n++] = (high >>> 8) & 0xff;
        buffer[n++] = high & 0xff;
      }
      buffer[n++] = low >>> 24;
      buffer[n++] = (low >>> 16) & 0xff;
      buffer[n++] = (low >>> 8) & 0xff;
      buffer[n++] = low & 0xff;
    }
    this.position = n;
  }

  #room(size: number): boolean {
    if (!this.ok) return false;
    if (size <= this.#limit - this.position) return true;
    this.refuse('overflow');
    return false;
  }
}
