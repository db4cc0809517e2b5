/**
 * The keys that verify what devices send, from the bases in the keyring.
 *
 *   base ──64──▸ checkpoint ──64──▸ … ──▸ last accepted ──▸ … 4,096 epochs ahead at most
 *
 * A chain only runs forward, so a key costs as many derivations as its epoch lies past the nearest chain that
 * is kept. Kept are the base, a checkpoint at each multiple of 64 that was passed (a bounded number, the least
 * recently used goes first) and the chain where the device really is. Anybody may claim any epoch before its MAC is
 * checked, so derivations are charged to a budget until an envelope proves authentic. Free of charge are the
 * epochs right around the last accepted one, where devices really are: their keys are few, and are kept.
 */
import { type Digest, KeyChain, type Mac } from '../../firmware/seal/index.js';
import { type DerivationBudget, unlimited } from './budget.js';
import type { KeyringEntry } from './entry.js';

/** Why there is no key. `budget`: too many derivations for now; the same may succeed later. */
export type NoKey = 'too-old' | 'too-far' | 'budget';

export const EPOCH_WINDOW = 4096;
const CHECKPOINT_EPOCHS = 64;
/** Both sides of the last accepted epoch as far as the window reaches. */
const MAX_CHECKPOINTS = (2 * EPOCH_WINDOW) / CHECKPOINT_EPOCHS + 2;
/** Epochs before and after the last accepted one that cost no budget. */
const NEAR_BEFORE = 1;
const NEAR_AFTER = 4;
/** Keys kept a device: those near, and some that were asked for last. */
const MAX_KEYS = NEAR_BEFORE + 1 + NEAR_AFTER + 2;
/** Derivations in one call on the way to what was accepted already; the next call goes on from there. */
const MAX_STEPS = 65_536;

interface EpochKeys {
  readonly seal: Mac;
  readonly up: Mac;
}

interface DeviceKeys {
  /** The entry that this was derived from; another one in its place starts anew. */
  entry: KeyringEntry;
  readonly checkpoints: Map<number, Uint8Array>;
  readonly keys: Map<number, EpochKeys>;
  /** The furthest chain on the way that the device has really gone; it never falls back. */
  anchor: Uint8Array;
  anchorEpoch: number;
  /** What the key of one epoch was charged, until it proves authentic. */
  charged: { epoch: number; count: number; budget: DerivationBudget } | undefined;
}

export interface KeyCacheOptions {
  /** Epochs past the last accepted one. */
  readonly window?: number;
  /** Checkpoints kept over all devices, of 32 bytes each and what a map adds; default 65,536, some 10 MB. */
  readonly maxCheckpoints?: number;
}

/** Verification keys for as many devices as the keyring holds; about 20 kB for one that is used. */
export class KeyCache {
  readonly #digest: Digest;
  readonly #chain: KeyChain;
  readonly #window: number;
  readonly #maxCheckpoints: number;
  readonly #devices = new Map<string, DeviceKeys>();
  readonly #accepted = new Map<string, number>();
  #checkpoints = 0;

  constructor(digest: Digest, options: KeyCacheOptions = {}) {
    this.#digest = digest;
    this.#chain = new KeyChain(digest);
    this.#window = options.window ?? EPOCH_WINDOW;
    this.#maxCheckpoints = options.maxCheckpoints ?? 65_536;
  }

  /** Checkpoints kept, over all devices. */
  get checkpoints(): number {
    return this.#checkpoints;
  }

  /** What the device's readings of `epoch` are verified with. */
  seal(entry: KeyringEntry, epoch: number, budget: DerivationBudget): Mac | NoKey {
    const keys = this.#keys(entry, epoch, budget);
    return typeof keys === 'string' ? keys : keys.seal;
  }

  /** What the device's session messages in `epoch` are verified with. */
  up(entry: KeyringEntry, epoch: number, budget: DerivationBudget): Mac | NoKey {
    const keys = this.#keys(entry, epoch, budget);
    return typeof keys === 'string' ? keys : keys.up;
  }

  /** A MAC under the key of this epoch was right: the derivations are given back. */
  verified(id: string, epoch: number): void {
    const device = this.#devices.get(id);
    if (device?.charged?.epoch !== epoch) return;
    device.charged.budget.give(device.charged.count);
    device.charged = undefined;
  }

  /** A reading of this epoch was accepted, now or in an earlier run: the window moves along. */
  accepted(id: string, epoch: number): void {
    this.verified(id, epoch);
    if (epoch > (this.#accepted.get(id) ?? -1)) this.#accepted.set(id, epoch);
  }

  /** Drops what belongs to devices that the keyring no longer has. */
  retain(known: (id: string) => boolean): void {
    for (const [id, device] of this.#devices) {
      if (known(id)) continue;
      this.#checkpoints -= device.checkpoints.size;
      this.#devices.delete(id);
    }
    for (const id of this.#accepted.keys()) if (!known(id)) this.#accepted.delete(id);
  }

  #keys(entry: KeyringEntry, epoch: number, budget: DerivationBudget): EpochKeys | NoKey {
    if (entry.chain.length === 0) throw new Error(`${entry.id} has no key chain: it is a sovereign-sdk node`);
    const device = this.#device(entry);
    const kept = device.keys.get(epoch);
    if (kept !== undefined) return kept;
    if (epoch < entry.epoch) return 'too-old';
    const last = Math.max(entry.epoch, this.#accepted.get(entry.id) ?? -1);
    if (epoch > last + this.#window) return 'too-far';
    // Up to the last accepted epoch, the way is one that the device has really gone: nobody made it up.
    if (epoch >= last - NEAR_BEFORE)
      while (!this.#walk(device, last - NEAR_BEFORE)) if (budget !== unlimited) return 'budget';
    return this.#derive(device, epoch, last, budget);
  }

  /** Brings the anchor forward to `epoch`, free of charge; false when that takes another call. */
  #walk(device: DeviceKeys, epoch: number): boolean {
    if (device.anchorEpoch >= epoch) return true;
    const end = Math.min(epoch, device.anchorEpoch + MAX_STEPS);
    device.anchor = this.#run(device, device.anchor, device.anchorEpoch, end);
    device.anchorEpoch = end;
    return end >= epoch;
  }

  #derive(device: DeviceKeys, epoch: number, last: number, budget: DerivationBudget): EpochKeys | NoKey {
    const near = epoch >= last - NEAR_BEFORE && epoch <= last + NEAR_AFTER;
    const { from, start } = nearest(device, epoch);
    if (!near) {
      const count = epoch - from + 4; // deriving the seal and up keys, and setting them up, as well
      if (!budget.take(count)) return 'budget';
      device.charged = { epoch, count, budget };
    }
    const chain = this.#run(device, start, from, epoch);
    const keys = {
      seal: this.#digest.hmac(this.#chain.seal(chain)),
      up: this.#digest.hmac(this.#chain.up(chain)),
    };
    this.#keepKeys(device, epoch, keys, last);
    return keys;
  }

  /** The chain at `to`, from the one at `from`; leaves checkpoints on the way. */
  #run(device: DeviceKeys, start: Uint8Array, from: number, to: number): Uint8Array {
    let chain = start;
    for (let epoch = from + 1; epoch <= to; epoch += 1) {
      chain = this.#chain.next(chain);
      if (epoch % CHECKPOINT_EPOCHS === 0) this.#keepCheckpoint(device, epoch, chain);
    }
    return chain;
  }

  #keepCheckpoint(device: DeviceKeys, epoch: number, chain: Uint8Array): void {
    const { checkpoints } = device;
    this.#checkpoints -= checkpoints.size;
    checkpoints.delete(epoch);
    checkpoints.set(epoch, chain);
    if (checkpoints.size > MAX_CHECKPOINTS) checkpoints.delete(oldest(checkpoints));
    this.#checkpoints += checkpoints.size;
    if (this.#checkpoints <= this.#maxCheckpoints) return;
    // The devices that were asked for first lose theirs first.
    for (const other of this.#devices.values()) {
      if (other === device || other.checkpoints.size === 0) continue;
      this.#checkpoints -= other.checkpoints.size;
      other.checkpoints.clear();
      return;
    }
  }

  /** Keeps a key; the one that goes is the oldest of those that are not near. */
  #keepKeys(device: DeviceKeys, epoch: number, keys: EpochKeys, last: number): void {
    device.keys.set(epoch, keys);
    if (device.keys.size <= MAX_KEYS) return;
    for (const other of device.keys.keys()) {
      if (other >= last - NEAR_BEFORE && other <= last + NEAR_AFTER) continue;
      device.keys.delete(other);
      return;
    }
  }

  #device(entry: KeyringEntry): DeviceKeys {
    const device = this.#devices.get(entry.id);
    if (device?.entry === entry) return device;
    if (device !== undefined && sameBase(device.entry, entry)) {
      device.entry = entry; // the keyring was read again
      return device;
    }
    this.#checkpoints -= device?.checkpoints.size ?? 0;
    const fresh: DeviceKeys = {
      entry,
      checkpoints: new Map(),
      keys: new Map(),
      anchor: entry.chain,
      anchorEpoch: entry.epoch,
      charged: undefined,
    };
    this.#devices.set(entry.id, fresh);
    return fresh;
  }
}

/** The kept chain nearest below or at `epoch`, which is not below the base. */
function nearest(device: DeviceKeys, epoch: number): { from: number; start: Uint8Array } {
  const { entry, checkpoints } = device;
  let from = entry.epoch;
  let start = entry.chain;
  if (device.anchorEpoch <= epoch) {
    from = device.anchorEpoch;
    start = device.anchor;
  }
  let best = from;
  for (const checkpoint of checkpoints.keys())
    if (checkpoint <= epoch && checkpoint > best) best = checkpoint;
  const found = checkpoints.get(best);
  if (best === from || found === undefined) return { from, start };
  checkpoints.delete(best); // now it is the one used last
  checkpoints.set(best, found);
  return { from: best, start: found };
}

const oldest = (map: ReadonlyMap<number, unknown>) => map.keys().next().value ?? -1;

function sameBase(a: KeyringEntry, b: KeyringEntry): boolean {
  return (
    a.epoch === b.epoch && a.chain.length === b.chain.length && a.chain.every((x, i) => x === b.chain[i])
  );
}
