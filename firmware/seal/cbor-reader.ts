import { validUtf8 } from './bytes.js';
import type { SealFault } from './fault.js';
import { halfOfSingle, halfValue } from './half.js';
import { MAX_DEPTH, MAX_SAFE } from './limits.js';

/** What `CborReader.next()` found. */
export const Token = {
  fault: 0,
  /** An integer or a float, in `value`. Integral values are always integers: the other form is refused. */
  number: 1,
  /** A byte string: `bytes[start, stop)`. */
  bytes: 2,
  /** A text string, valid UTF-8: `bytes[start, stop)`. */
  text: 3,
  /** An array of `count` items, which follow. */
  array: 4,
  /** A map of `count` pairs, which follow; the caller checks the keys' order. */
  map: 5,
  /** A boolean: `value` is 0 or 1. */
  bool: 6,
  null: 7,
} as const;

/**
 * Reads core deterministic CBOR (RFC 8949, section 4.2.1) item by item and refuses any other: longer forms of
 * integers, lengths and floats, integral floats, integers past ±(2^53 - 1), NaN, infinities, -0, tags,
 * `undefined` and other simple values, indefinite lengths, invalid UTF-8. A claimed length is compared with
 * what remains before anything is done with it. Allocates nothing.
 *
 * The first fault stays in `fault`; after it every method returns 0, false or `Token.fault`.
 */
export class CborReader {
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;
  end = 0;
  fault: SealFault | '' = '';
  /** Whether nothing has been refused: the same as no fault, without a string, which XS would copy to compare. */
  ok = true;
  /** Of the last token. */
  value = 0;
  count = 0;
  start = 0;
  stop = 0;
  readonly #float = new DataView(new ArrayBuffer(8));

  /** Reads `bytes[from, to)` from now on. */
  reset(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.bytes = bytes;
    this.position = from;
    this.end = to;
    if (this.ok) return;
    this.ok = true;
    this.fault = '';
  }

  /** Refuses what is being read: for callers that find its content wrong. The first reason is kept. */
  refuse(fault: SealFault): void {
    if (!this.ok) return;
    this.ok = false;
    this.fault = fault;
  }

  /** The next item's head, and for strings their content as well. */
  next(): number {
    if (!this.ok) return Token.fault;
    if (this.position >= this.end) return this.#refused('truncated');
    const initial = this.bytes[this.position++];
    const major = initial >> 5;
    const info = initial & 31;
    if (major === 6) return this.#refused('tag');
    if (major === 7) return this.#simple(info);
    if (info > 27) return this.#refused(info === 31 && major > 1 ? 'indefinite-length' : 'reserved');
    let argument = info;
    if (info > 23) {
      const size = 1 << (info - 24);
      if (size > this.end - this.position) return this.#refused('truncated');
      argument = this.#argument(size);
      if (argument < (size === 1 ? 24 : size === 2 ? 0x100 : size === 4 ? 0x10000 : 0x100000000)) {
        return this.#refused('not-shortest');
      }
    }
    if (major === 0) {
      if (argument > MAX_SAFE) return this.#refused('integer-too-large');
      this.value = argument;
      return Token.number;
    }
    if (major === 1) {
      if (argument >= MAX_SAFE) return this.#refused('integer-too-large');
      this.value = -1 - argument;
      return Token.number;
    }
    // What is claimed must be there before anything else is done: an item has at least one byte, a pair two.
    const remaining = this.end - this.position;
    if (argument > remaining || (major === 5 && 2 * argument > remaining)) return this.#refused('truncated');
    if (major > 3) {
      this.count = argument;
      return major === 4 ? Token.array : Token.map;
    }
    this.start = this.position;
    this.stop = this.position + argument;
    this.position = this.stop;
    if (major === 2) return Token.bytes;
    return validUtf8(this.bytes, this.start, this.stop) ? Token.text : this.#refused('invalid-utf8');
  }

  /** An integer from 0 to 2^53 - 1. */
  uint(): number {
    const token = this.next();
    if (token !== Token.number || this.value < 0 || Math.floor(this.value) !== this.value) {
      this.refuse('unexpected-type');
      return 0;
    }
    return this.value;
  }

  /** An integer or float. */
  number(): number {
    return this.#expect(Token.number) ? this.value : 0;
  }

  bool(): boolean {
    return this.#expect(Token.bool) && this.value === 1;
  }

  /** A byte string of exactly `size` bytes; returns where its content begins. */
  fixed(size: number): number {
    if (!this.#expect(Token.bytes)) return 0;
    if (this.stop - this.start !== size) {
      this.refuse('length');
      return 0;
    }
    return this.start;
  }

  /** A byte string, in `start` and `stop`. */
  data(): boolean {
    return this.#expect(Token.bytes);
  }

  /** A text string, in `start` and `stop`. */
  text(): boolean {
    return this.#expect(Token.text);
  }

  /** The head of an array; returns how many items follow. */
  array(): number {
    return this.#expect(Token.array) ? this.count : 0;
  }

  /** The head of a map; returns how many pairs follow. */
  map(): number {
    return this.#expect(Token.map) ? this.count : 0;
  }

  /** One of the keys that this map must have next. */
  key(expected: number): void {
    if (this.uint() !== expected) this.refuse('unexpected-key');
  }

  /** Checks one whole item, with everything in it. */
  skip(depth = 0): void {
    const token = this.next();
    if (token !== Token.array && token !== Token.map) return;
    if (depth >= MAX_DEPTH) this.refuse('too-deep');
    const count = this.count;
    let lastAt = 0;
    let lastEnd = 0;
    for (let i = 0; i < count && this.ok; i++) {
      if (token === Token.map) {
        const at = this.position;
        this.skip(depth + 1);
        if (this.ok && i > 0) this.ascending(lastAt, lastEnd, at);
        lastAt = at;
        lastEnd = this.position;
      }
      this.skip(depth + 1);
    }
  }

  /** Refuses a key at `[at, position)` that does not come after the one at `[lastAt, lastEnd)`, by encoded bytes. */
  ascending(lastAt: number, lastEnd: number, at: number): void {
    const bytes = this.bytes;
    let i = lastAt;
    let k = at;
    while (i < lastEnd && k < this.position && bytes[i] === bytes[k]) {
      i++;
      k++;
    }
    // Encodings are prefix-free, so one that ends here is the same as the other.
    if (i === lastEnd || k === this.position) this.refuse('duplicate-key');
    else if (bytes[i] > bytes[k]) this.refuse('unsorted-keys');
  }

  /** Refuses bytes after the last item; says whether all was well. */
  finish(): boolean {
    if (this.ok && this.position !== this.end) this.refuse('trailing-bytes');
    return this.ok;
  }

  #expect(token: number): boolean {
    if (this.next() !== token) this.refuse('unexpected-type');
    return this.ok;
  }

  #simple(info: number): number {
    if (info === 20 || info === 21) {
      this.value = info - 20;
      return Token.bool;
    }
    if (info === 22) return Token.null;
    if (info === 31) return this.#refused('indefinite-length');
    if (info < 25) return this.#refused('simple-value');
    if (info > 27) return this.#refused('reserved');
    const size = 1 << (info - 24);
    if (size > this.end - this.position) return this.#refused('truncated');
    const float = this.#float;
    for (let i = 0; i < size; i++) float.setUint8(i, this.bytes[this.position++]);
    let value: number;
    let shorter = false;
    if (size === 2) value = halfValue(float.getUint16(0));
    else if (size === 4) {
      value = float.getFloat32(0);
      shorter = halfOfSingle(float.getUint32(0)) >= 0;
    } else {
      value = float.getFloat64(0);
      float.setFloat32(0, value);
      shorter = float.getFloat32(0) === value;
    }
    if (!Number.isFinite(value)) return this.#refused('not-finite');
    // Zeros of both signs and every float from 2^53 on are integral too.
    if (Math.floor(value) === value) return this.#refused('integral-float');
    if (shorter) return this.#refused('not-shortest');
    this.value = value;
    return Token.number;
  }

  /** Past 2^53 the result is rounded, which is as good for being refused. */
  #argument(size: number): number {
    let argument = 0;
    for (let i = 0; i < size; i++) argument = argument * 256 + this.bytes[this.position++];
    return argument;
  }

  #refused(fault: SealFault): number {
    this.refuse(fault);
    return Token.fault;
  }
}
