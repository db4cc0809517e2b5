import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Digest } from '../../firmware/seal/digest.js';

/**
 * The digest driver of the virtual board: plain JavaScript that runs on any engine. Its SHA-256 keeps scratch
 * memory at module level, so it must not be preloaded into flash; boards have a native driver instead.
 */
export const nobleDigest: Digest = {
  sha256(data, from, to, out, at) {
    const hash = sha256(data.subarray(from, to));
    for (let i = 0; i < hash.length; i++) out[at + i] = hash[i];
  },
  hmac(key) {
    const keyed = hmac.create(sha256, key);
    const running = keyed.clone();
    const tag = new Uint8Array(keyed.outputLen);
    return {
      compute(data, from, to, out, at) {
        keyed._cloneInto(running);
        running.update(data.subarray(from, to)).digestInto(tag);
        for (let i = 0; i < tag.length; i++) out[at + i] = tag[i];
      },
    };
  },
};
