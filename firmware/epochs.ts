import type { Digest, Mac, Sealer } from './seal/index.js';
import { KeyChain } from './seal/index.js';
import type { KeySlots } from './store/slots.js';

/**
 * Moves a device from epoch to epoch. The key of the epoch after is durable before anything is sealed under
 * an epoch: `take`, perhaps `ratchet`, `commit`, and only then `start`.
 */
export class Epochs {
  readonly #digest: Digest;
  readonly #keys: KeyChain;
  readonly #slots: KeySlots;
  readonly #sealer: Sealer;
  readonly #chain = new Uint8Array(32);
  #taken = -1;
  #committed = false;
  #up: Mac | undefined;

  constructor(digest: Digest, slots: KeySlots, sealer: Sealer) {
    this.#digest = digest;
    this.#keys = new KeyChain(digest);
    this.#slots = slots;
    this.#sealer = sealer;
  }

  /** Seals what goes up in the epoch that was started. */
  get up(): Mac {
    if (this.#up === undefined) throw new Error('no epoch has been started');
    return this.#up;
  }

  /** The epoch that was taken and is not started yet, -1 without one. */
  get taken(): number {
    return this.#taken;
  }

  /** Reads the next epoch from the slots, past a burnt one. @returns '' or what is wrong */
  take(): string {
    this.#committed = false;
    this.#taken = -1;
    if (!this.#slots.load()) return 'no valid key slot';
    this.#taken = this.#slots.epoch;
    this.#chain.set(this.#slots.chain);
    if (this.#slots.burnt) this.#step();
    return '';
  }

  /** Goes on to a later epoch, at most so many steps at once. @returns whether it has been reached */
  ratchet(epoch: number, maxSteps: number): boolean {
    for (let i = 0; i < maxSteps && this.#taken < epoch; i++) this.#step();
    return this.#taken >= epoch;
  }

  /** Makes the key of the epoch after the taken one durable. @returns '' or what failed */
  commit(): string {
    const next = this.#keys.next(this.#chain);
    const fault = this.#slots.store(this.#taken + 1, next);
    next.fill(0);
    this.#committed = fault === '';
    return fault;
  }

  /** Seals under the taken epoch from now on; its chain key is gone then. */
  start(): void {
    if (!this.#committed) throw new Error('the next epoch is not durable');
    this.#sealer.startEpoch(this.#taken, this.#chain);
    const up = this.#keys.up(this.#chain);
    this.#up = this.#digest.hmac(up);
    up.fill(0);
    this.#chain.fill(0);
    this.#committed = false;
    this.#taken = -1;
  }

  #step(): void {
    const next = this.#keys.next(this.#chain);
    this.#chain.set(next);
    next.fill(0);
    this.#taken++;
  }
}
