import { createHash, createHmac, createSecretKey } from 'node:crypto';
import type { Digest } from '../../firmware/seal/digest.js';

/** The digest driver of hosts: OpenSSL through `node:crypto`. */
export const nodeDigest: Digest = {
  sha256(data, from, to, out, at) {
    out.set(createHash('sha256').update(data.subarray(from, to)).digest(), at);
  },
  hmac(key) {
    const secret = createSecretKey(key);
    return {
      compute(data, from, to, out, at) {
        out.set(createHmac('sha256', secret).update(data.subarray(from, to)).digest(), at);
      },
    };
  },
};
