import type { Flash } from '../ports.js';
import { Identity } from './identity.js';
import { KeySlots } from './slots.js';

/** Sectors that a key store takes: two slots and the identity. */
export const KEY_STORE_SECTORS = 3;

/**
 * What a device finds in its flash:
 * `unprovisioned`: nobody gave it keys; it may take some. `ready`: it has an identity and a key.
 * `identity-lost`, `slots-lost`: it was provisioned and has lost it. A fault that only a deliberate erase ends.
 */
export type KeyState = 'unprovisioned' | 'ready' | 'identity-lost' | 'slots-lost';

/** Identity and key slots of a device: sectors `first` (slot), `first + 1` (slot), `first + 2` (identity). */
export class KeyStore {
  readonly identity: Identity;
  readonly slots: KeySlots;

  constructor(flash: Flash, first = 0) {
    if (first + KEY_STORE_SECTORS > flash.sectors)
      throw new RangeError('key store: not enough flash sectors');
    this.slots = new KeySlots(flash, first);
    this.identity = new Identity(flash, first + 2);
  }

  load(): KeyState {
    const identity = this.identity.load();
    if (identity === 'blank') return 'unprovisioned';
    if (identity === 'damaged') return 'identity-lost';
    return this.slots.load() ? 'ready' : 'slots-lost';
  }

  /**
   * Gives the device its keys: the chain key of its first epoch and the down key; the root itself never
   * comes here. Refuses when the device is provisioned already, whatever its state.
   * @returns '' or what failed: then the device is still unprovisioned
   */
  provision(id: Uint8Array, down: Uint8Array, epoch: number, chain: Uint8Array): string {
    if (this.load() !== 'unprovisioned') return 'already provisioned';
    // An erase that is cut may leave the mark in any state, which is a fault that only the button ends: a board
    // fresh from the factory, which most are, is spared it.
    if (!(this.identity.untouched && this.slots.untouched) && !this.identity.erase())
      return 'flash erase failed';
    const slot = this.slots.format(epoch, chain);
    if (slot !== '') return slot;
    const written = this.identity.write(id, down);
    if (written !== '') return written;
    // Everything that the mark promises is durable and read back.
    return this.identity.mark();
  }
}
