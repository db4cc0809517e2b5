import type { Flash } from '../ports.js';
import type { Backlog } from './backlog.js';
import { FlashRing, type FlashRingOptions } from './flash-ring.js';
import { RamBacklog } from './ram-backlog.js';

export { eraseBacklog } from './flash-ring.js';

export interface FlashBacklogOptions extends FlashRingOptions {
  /** Bytes of envelopes held in memory. */
  readonly ramBytes: number;
  /** How long nobody must have taken readings until they go to flash, and how often they go there then. */
  readonly graceMs?: number;
  readonly everyMs?: number;
}

const GRACE_MS = 5_000;
const EVERY_MS = 10_000;
/** Before a flash that failed twice is tried again. */
const RETRY_MS = 60_000;

/**
 * A backlog that outlives a power cut. The newest entries are in memory; all of them move to flash, in one
 * batch, when nobody has taken readings for a while, and when memory is full. So a healthy link writes nothing,
 * and a cut costs at most what memory held: while the gateway is away, the readings of `everyMs`.
 *
 * Either everything that was ever sent is in memory, or all of it is in flash: what is in memory is sent only
 * once flash is empty. So after a reboot the gateway's last receipt speaks of something that is still held.
 */
export class FlashBacklog implements Backlog {
  epoch = 0;
  seq = 0;
  buffer: Uint8Array;
  from = 0;
  to = 0;
  readonly #ring: FlashRing;
  readonly #ram: RamBacklog;
  readonly #graceMs: number;
  readonly #everyMs: number;
  #nowMs = 0;
  #awayMs = -1;
  #movedMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #retryMs = 0;

  /** Reads what an earlier boot left. */
  constructor(flash: Flash, options: FlashBacklogOptions) {
    this.#ring = new FlashRing(flash, options);
    this.#ram = new RamBacklog(options.ramBytes);
    this.buffer = this.#ram.buffer;
    this.#graceMs = options.graceMs ?? GRACE_MS;
    this.#everyMs = options.everyMs ?? EVERY_MS;
  }

  get count(): number {
    return this.#ring.count + this.#ram.count;
  }

  get removed(): number {
    return this.#ring.removed + this.#ram.removed;
  }

  get sendable(): number {
    const { count } = this.#ring;
    return count > 0 ? count : this.#ram.count;
  }

  /** Entries in flash. */
  get kept(): number {
    return this.#ring.count;
  }

  /** Times that the flash failed. */
  get failures(): number {
    return this.#ring.failures;
  }

  push(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): boolean {
    if (this.#ram.push(epoch, seq, buffer, from, to)) return true;
    this.#move();
    return this.#ram.push(epoch, seq, buffer, from, to);
  }

  select(index: number): boolean {
    const ring = this.#ring;
    const kept = ring.count;
    if (index >= kept) {
      const ram = this.#ram;
      if (!ram.select(index - kept)) return false;
      this.epoch = ram.epoch;
      this.seq = ram.seq;
      this.buffer = ram.buffer;
      this.from = ram.from;
      this.to = ram.to;
      return true;
    }
    if (!ring.select(index)) return false;
    this.epoch = ring.epoch;
    this.seq = ring.seq;
    this.buffer = ring.buffer;
    this.from = ring.from;
    this.to = ring.to;
    return true;
  }

  shift(): void {
    if (this.#ring.count === 0) this.#ram.shift();
    else {
      this.#ring.shift();
      if (this.#ring.count === 0) this.#ram.trim();
    }
  }

  remove(index: number): boolean {
    const kept = this.#ring.count;
    if (index >= kept) {
      if (index >= this.count) return true;
      return kept > 0 ? this.#ram.blank(index - kept) : this.#ram.remove(index);
    }
    const removed = this.#ring.remove(index);
    if (this.#ring.count === 0) this.#ram.trim();
    return removed;
  }

  tend(nowMs: number, away: boolean): number {
    this.#nowMs = nowMs;
    if (!away) {
      this.#awayMs = -1;
      return Number.POSITIVE_INFINITY;
    }
    if (this.#ram.count === 0) return Number.POSITIVE_INFINITY;
    if (this.#awayMs < 0) this.#awayMs = nowMs;
    const dueMs = Math.max(this.#awayMs + this.#graceMs, this.#movedMs + this.#everyMs, this.#retryMs);
    if (nowMs < dueMs) return dueMs - nowMs;
    this.#movedMs = nowMs;
    this.#move();
    return this.#everyMs;
  }

  #move(): void {
    if (this.#nowMs < this.#retryMs) return;
    const { failures } = this.#ring;
    this.#ram.drop(this.#ring.take(this.#ram));
    this.#failures = this.#ring.failures > failures ? this.#failures + 1 : 0;
    if (this.#failures < 2) return;
    this.#failures = 0;
    this.#retryMs = this.#nowMs + RETRY_MS;
  }
}
