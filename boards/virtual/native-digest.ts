/** The exports of `firmware/native/digest`, over the portable digest. */
import type { Mac } from '../../firmware/seal/index.js';
import { nobleDigest } from './digest.js';

const TAG_BYTES = 32;

export class Hmac implements Mac {
  readonly #mac: Mac;

  constructor(key: Uint8Array) {
    this.#mac = nobleDigest.hmac(key);
  }

  compute(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    check(data, from, to, out, at);
    this.#mac.compute(data, from, to, out, at);
  }
}

export function sha256(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
  check(data, from, to, out, at);
  nobleDigest.sha256(data, from, to, out, at);
}

function check(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
  if (!(from >= 0 && from <= to && to <= data.length)) throw new RangeError('digest: outside of the data');
  if (!(at >= 0 && at + TAG_BYTES <= out.length)) throw new RangeError('digest: no room for the result');
}
