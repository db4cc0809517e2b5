import { type Digest, ID_BYTES, KEY_BYTES, KeyChain, toHex } from '../../firmware/seal/index.js';
import type { Random } from '../ports.js';
import type { KeyringEntry } from './entry.js';

/** What a new device is given: it stores id, chain and down. The root is forgotten here, where it was made. */
export interface DeviceKeys {
  /** 16 hex digits. */
  readonly id: string;
  /** The epoch of `chain`; the device starts with the one after it. */
  readonly epoch: number;
  readonly chain: Uint8Array;
  readonly down: Uint8Array;
}

/** A new identity with keys from a fresh random root. */
export function newDeviceKeys(random: Random, digest: Digest, taken: (id: string) => boolean): DeviceKeys {
  const id = new Uint8Array(ID_BYTES);
  do random.fill(id);
  while (taken(toHex(id)));
  const root = new Uint8Array(KEY_BYTES);
  random.fill(root);
  const keys = new KeyChain(digest);
  const made = { id: toHex(id), epoch: 0, chain: keys.first(root, id), down: keys.down(root, id) };
  root.fill(0);
  return made;
}

/** The keyring's side of a device. */
export function entryFor(keys: DeviceKeys, name: string): KeyringEntry {
  return { id: keys.id, name, epoch: keys.epoch, chain: keys.chain, down: keys.down };
}

/** The chain `steps` epochs on. */
export function ratchet(digest: Digest, chain: Uint8Array, steps: number): Uint8Array {
  const keys = new KeyChain(digest);
  let at = chain;
  for (let i = 0; i < steps; i += 1) at = keys.next(at);
  return at;
}
