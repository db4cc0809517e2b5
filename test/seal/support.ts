import { readFileSync } from 'node:fs';
import { nobleDigest } from '../../boards/virtual/digest.js';
import type { Digest, Mac } from '../../firmware/seal/index.js';
import { fromHex, KeyChain, label, Sealer, toHex } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import type * as Vectors from '../vectors/types.js';

/** The digest drivers that every test of cryptography runs with. */
export const DIGESTS: readonly (readonly [string, Digest])[] = [
  ['nodeDigest', nodeDigest],
  ['nobleDigest', nobleDigest],
];

/** The compiled tests lie in build/test/seal. */
export function vectors<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../test/vectors/${file}`, import.meta.url), 'utf8'));
}

export function hex(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`not hex: ${text}`);
  return bytes;
}

const envelopes = vectors<Vectors.Envelopes>('envelopes.json');

export const ID = hex(envelopes.id);

/** A sealer of the vectors' device that has begun an epoch, and what verifies its readings. */
export function sealerOf(digest: Digest, epoch = 1, maxBytes?: number): { sealer: Sealer; mac: Mac } {
  const chain = hex(envelopes.chains[epoch]);
  const sealer = new Sealer(digest, ID, maxBytes);
  sealer.startEpoch(epoch, chain);
  return { sealer, mac: digest.hmac(new KeyChain(digest).seal(chain)) };
}

const VALUE = label('v');

/** A copy of the next envelope of a sealer, with one record. */
export function sealOne(sealer: Sealer, value = 1, kind = 0): Uint8Array {
  sealer.begin(sealer.nextSeq * 1000, -1, kind).number(VALUE, value);
  const length = sealer.seal();
  if (length === 0) throw new Error(`not sealed: ${sealer.fault}`);
  return sealer.buffer.slice(sealer.start, sealer.start + length);
}

/** A copy of `bytes` with one bit, counted from 0, turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] ^= 0x80 >> (bit & 7);
  return copy;
}

export { toHex };
