import { Epochs } from './epochs.js';
import type { DeviceLimits } from './limits.js';
import type { Digest, Mac, Sealer } from './seal/index.js';
import type { KeySlots } from './store/slots.js';

/**
 * When an epoch ends: at the next boot, after so many readings or so long, or when the gateway says that this
 * device's epochs have been used by someone else. A flash that fails keeps the present epoch going and is
 * tried again; an epoch whose successor is not durable never begins.
 */
export class Rotation {
  /** What the flash said last; '' when it is well. */
  fault = '';
  /** Times that the gateway named an epoch too far ahead. */
  refused = 0;
  readonly #epochs: Epochs;
  readonly #sealer: Sealer;
  readonly #limits: DeviceLimits;
  #startedMs = 0;
  #retryMs = 0;
  #target = -1;
  #ratcheting = false;

  constructor(digest: Digest, slots: KeySlots, sealer: Sealer, limits: DeviceLimits) {
    this.#epochs = new Epochs(digest, slots, sealer);
    this.#sealer = sealer;
    this.#limits = limits;
  }

  get up(): Mac {
    return this.#epochs.up;
  }

  /** Whether only the final reading still belongs into this epoch; false while the flash does not let it end. */
  get full(): boolean {
    return this.fault === '' && this.#sealer.nextSeq >= this.#limits.maxEpochReadings - 1;
  }

  /** The first epoch of a boot. @returns '' or what failed */
  begin(nowMs: number): string {
    this.fault = this.#epochs.take();
    if (this.fault === '') this.fault = this.#epochs.commit();
    if (this.fault === '') this.start(nowMs);
    return this.fault;
  }

  /** The gateway's word: seal nothing more before this epoch. */
  advance(epoch: number): void {
    if (epoch <= this.#sealer.epoch || epoch <= this.#target) return;
    if (epoch > this.#sealer.epoch + this.#limits.maxAdvance) this.refused++;
    else this.#target = epoch;
  }

  /**
   * Prepares the next epoch when it is time for it, some steps of the key chain at a time.
   * @returns what may now be done, with the next epoch's key durable: then `start` must follow
   */
  due(nowMs: number, quiet: boolean): 'nothing' | 'rotate' | 'advance' {
    if (nowMs < this.#retryMs) return 'nothing';
    if (this.#target >= 0) {
      if (!this.#ratcheting) {
        if (!this.#try(this.#epochs.take(), nowMs)) return 'nothing';
        this.#ratcheting = true;
      }
      if (!this.#epochs.ratchet(this.#target, this.#limits.ratchetSteps)) return 'nothing';
      this.#ratcheting = false;
      return this.#try(this.#epochs.commit(), nowMs) ? 'advance' : 'nothing';
    }
    if (quiet || !this.#old(nowMs)) return 'nothing';
    if (!this.#try(this.#epochs.take(), nowMs) || !this.#try(this.#epochs.commit(), nowMs)) return 'nothing';
    return 'rotate';
  }

  /** ms until `due` has something to do. */
  waitMs(nowMs: number, quiet: boolean): number {
    if (this.#target >= 0) return Math.max(0, this.#retryMs - nowMs);
    if (quiet) return Number.POSITIVE_INFINITY;
    if (this.#old(nowMs)) return Math.max(0, this.#retryMs - nowMs);
    return this.#startedMs + this.#limits.maxEpochMs - nowMs;
  }

  start(nowMs: number): void {
    this.#epochs.start();
    this.#startedMs = nowMs;
    if (this.#target <= this.#sealer.epoch) this.#target = -1;
  }

  #old(nowMs: number): boolean {
    return (
      this.#sealer.nextSeq >= this.#limits.maxEpochReadings - 1 ||
      nowMs - this.#startedMs >= this.#limits.maxEpochMs
    );
  }

  #try(fault: string, nowMs: number): boolean {
    this.fault = fault;
    if (fault !== '') this.#retryMs = nowMs + this.#limits.flashRetryMs;
    return fault === '';
  }
}
