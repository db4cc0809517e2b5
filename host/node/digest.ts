import { hash } from 'node:crypto';
import type { Digest, Mac } from '../../firmware/seal/digest.js';

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/**
 * The digest driver of hosts: SHA-256 of OpenSSL through `node:crypto`.
 *
 * HMAC (RFC 2104, section 2) is made of two hashes at one call each, whose results come as strings: the objects of
 * `createHmac` and the buffers of `digest()` take 2.5 times as long, most of it for the garbage collector.
 */
export const nodeDigest: Digest = {
  sha256(data, from, to, out, at) {
    put(hash('sha256', data.subarray(from, to), 'binary'), out, at);
  },
  hmac: key => new HashedMac(key),
};

class HashedMac implements Mac {
  readonly #innerPad = new Uint8Array(BLOCK_BYTES);
  /** The outer pad, and behind it the inner digest. */
  readonly #outer = new Uint8Array(BLOCK_BYTES + DIGEST_BYTES);

  constructor(key: Uint8Array) {
    const block = new Uint8Array(BLOCK_BYTES);
    if (key.length > BLOCK_BYTES) put(hash('sha256', key, 'binary'), block, 0);
    else block.set(key);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      this.#innerPad[i] = block[i] ^ INNER_PAD;
      this.#outer[i] = block[i] ^ OUTER_PAD;
    }
    block.fill(0);
  }

  compute(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    const end = BLOCK_BYTES + to - from;
    if (end > scratch.length) scratch = new Uint8Array(2 * end);
    scratch.set(this.#innerPad);
    scratch.set(data.subarray(from, to), BLOCK_BYTES);
    put(hash('sha256', scratch.subarray(0, end), 'binary'), this.#outer, BLOCK_BYTES);
    put(hash('sha256', this.#outer, 'binary'), out, at);
  }
}

/** Of whatever is being hashed; nothing is kept in it between calls. */
let scratch = new Uint8Array(BLOCK_BYTES + 4096);

/** A string of one byte a character, as bytes. */
function put(digest: string, out: Uint8Array, at: number): void {
  for (let i = 0; i < DIGEST_BYTES; i++) out[at + i] = digest.charCodeAt(i);
}
