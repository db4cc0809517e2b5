import { nobleDigest } from '../../../boards/virtual/digest.js';
import type { Digest, Mac } from '../../../firmware/seal/index.js';

/**
 * In place of a chip's own digest, whose work the meter would not see either: a tag that depends on the length
 * alone. Proves nothing.
 */
class FreeMac implements Mac {
  compute(_data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void {
    out.fill(to - from, at, at + 32);
  }
}

const freeDigest: Digest = {
  sha256: (_data, from, to, out, at) => out.fill(to - from, at, at + 32),
  hmac: () => new FreeMac(),
};

export type DigestName = 'noble' | 'free';

export const digests: Record<DigestName, Digest> = { noble: nobleDigest, free: freeDigest };
