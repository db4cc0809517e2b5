import { cdeEncodeOptions, encode } from 'cbor2';
import type { CborValue } from '../../firmware/seal/index.js';
import { utf8 } from '../../firmware/seal/index.js';
import { toHex } from './support.js';

/** Encodes a value in one of the many ways that CBOR allows: `choices` says which, mostly the right one. */
export class LooseWriter {
  readonly out: number[] = [];
  readonly #choices: readonly number[];
  #next = 0;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
  }

  write(value: CborValue): void {
    if (typeof value === 'number') this.#number(value);
    else if (typeof value === 'string') this.#string(3, utf8(value));
    else if (value instanceof Uint8Array) this.#string(2, value);
    else if (typeof value === 'boolean') this.out.push(value ? 0xf5 : 0xf4);
    else if (value === null) this.out.push(this.#odd() ? 0xf7 : 0xf6);
    else if (value instanceof Map) this.#map(value);
    else {
      const items = value as readonly CborValue[];
      const end = this.#container(4, items.length);
      for (const item of items) this.write(item);
      this.out.push(...end);
    }
  }

  /** Whether something unusual is to be done here, once in twenty. */
  #odd(): boolean {
    return this.#choices.length > 0 && this.#choices[this.#next++ % this.#choices.length] === 0;
  }

  #head(major: number, argument: number): void {
    let size = argument < 24 ? 0 : argument < 256 ? 1 : argument < 65536 ? 2 : argument < 2 ** 32 ? 4 : 8;
    if (this.#odd()) size = size === 0 ? 1 : Math.min(8, size * 2);
    const info = size === 0 ? argument : 24 + Math.log2(size);
    this.out.push((major << 5) | info);
    for (let i = size - 1; i >= 0; i--) this.out.push(Math.floor(argument / 256 ** i) % 256);
  }

  #number(value: number): void {
    if (Number.isInteger(value) && !this.#odd()) {
      this.#head(value < 0 ? 1 : 0, value < 0 ? -1 - value : value);
      return;
    }
    const view = new DataView(new ArrayBuffer(9));
    view.setUint8(0, 0xfb);
    view.setFloat64(1, value);
    let size = 9;
    if (Math.fround(value) === value && !this.#odd()) {
      view.setUint8(0, 0xfa);
      view.setFloat32(1, value);
      size = 5;
      // The right half is what the writer under test is trusted with elsewhere: here it comes from cbor2.
      const shortest = encode(value, cdeEncodeOptions);
      if (shortest[0] === 0xf9 && !this.#odd()) {
        this.out.push(...shortest);
        return;
      }
    }
    for (let i = 0; i < size; i++) this.out.push(view.getUint8(i));
  }

  #string(major: number, bytes: Uint8Array): void {
    if (this.#odd()) {
      this.out.push((major << 5) | 31);
      this.#head(major, bytes.length);
      this.out.push(...bytes, 0xff);
      return;
    }
    this.#head(major, bytes.length);
    this.out.push(...bytes);
  }

  #map(map: ReadonlyMap<CborValue, CborValue>): void {
    const pairs = [...map].map(([key, item]) => ({ key, item, sort: toHex(encode(key, cdeEncodeOptions)) }));
    if (!this.#odd()) pairs.sort((a, b) => (a.sort < b.sort ? -1 : 1));
    if (pairs.length > 0 && this.#odd()) pairs.push(pairs[pairs.length - 1]);
    const end = this.#container(5, pairs.length);
    for (const { key, item } of pairs) {
      this.write(key);
      this.write(item);
    }
    this.out.push(...end);
  }

  /** The head of a container; returns what ends it. */
  #container(major: number, count: number): number[] {
    if (this.#odd()) {
      this.out.push((major << 5) | 31);
      return [0xff];
    }
    this.#head(major, count);
    return [];
  }
}
