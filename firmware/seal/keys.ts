/**
 * The key chain: one key per epoch, and no way back.
 *
 *   chain(0)   = Expand(root, "sovereign/1 chain" || id)
 *   chain(n+1) = Expand(chain(n), "sovereign/1 next")
 *   seal(n)    = Expand(chain(n), "sovereign/1 seal")      readings
 *   up(n)      = Expand(chain(n), "sovereign/1 up")        hello and time request
 *   down       = Expand(root, "sovereign/1 down" || id)    gateway to device
 *
 * Expand is HKDF-Expand (RFC 5869, section 2.3) with SHA-256, to 32 bytes. The root is 32 uniformly random
 * bytes, so there is nothing to extract. A device stores chain(n) and down, never the root: who reads its
 * flash learns no key of an earlier epoch.
 */
import { utf8 } from './bytes.js';
import type { Digest } from './digest.js';
import { ID_BYTES, KEY_BYTES } from './limits.js';

/** HKDF-Expand (RFC 5869, section 2.3): `length` bytes, at most 8,160, of the pseudo-random key `prk`. */
export function hkdfExpand(digest: Digest, prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length > 255 * 32) throw new RangeError(`HKDF-Expand gives at most 8160 bytes, not ${length}`);
  const mac = digest.hmac(prk);
  const out = new Uint8Array(length);
  const block = new Uint8Array(32 + info.length + 1); // T(i-1) || info || i, of which the first has no T(0)
  block.set(info, 32);
  for (let i = 1, at = 0; at < length; i++, at += 32) {
    block[block.length - 1] = i;
    mac.compute(block, i === 1 ? 32 : 0, block.length, block, 0);
    for (let k = 0; k < 32 && at + k < length; k++) out[at + k] = block[k];
  }
  block.fill(0);
  return out;
}

/** Derives the keys of a device. Every method returns a new array of 32 bytes, which the caller wipes. */
export class KeyChain {
  readonly #digest: Digest;

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  /** chain(0). `id` has 8 bytes, `root` 32. */
  first(root: Uint8Array, id: Uint8Array): Uint8Array {
    return this.#derive(root, 'chain', id);
  }

  /** chain(n+1) of chain(n). */
  next(chain: Uint8Array): Uint8Array {
    return this.#derive(chain, 'next');
  }

  /** What the readings of the chain's epoch are sealed with. */
  seal(chain: Uint8Array): Uint8Array {
    return this.#derive(chain, 'seal');
  }

  /** What the device's session messages are sealed with in the chain's epoch. */
  up(chain: Uint8Array): Uint8Array {
    return this.#derive(chain, 'up');
  }

  /** What the gateway's session messages to the device are sealed with. */
  down(root: Uint8Array, id: Uint8Array): Uint8Array {
    return this.#derive(root, 'down', id);
  }

  #derive(key: Uint8Array, purpose: string, id?: Uint8Array): Uint8Array {
    if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${key.length}`);
    const name = utf8(`sovereign/1 ${purpose}`);
    if (id === undefined) return hkdfExpand(this.#digest, key, name, KEY_BYTES);
    if (id.length !== ID_BYTES) throw new RangeError(`a device id has ${ID_BYTES} bytes, not ${id.length}`);
    const info = new Uint8Array(name.length + ID_BYTES);
    info.set(name);
    info.set(id, name.length);
    return hkdfExpand(this.#digest, key, info, KEY_BYTES);
  }
}
