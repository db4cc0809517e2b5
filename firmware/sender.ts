import type { DeviceLimits } from './limits.js';
import type { Outbox } from './outbox.js';
import { FrameType } from './seal/index.js';
import type { Backlog } from './store/backlog.js';

/** How long to wait for room on a wire that had none. */
const BLOCKED_MS = 20;

/**
 * Sends the backlog, oldest first, never more than a window beyond the last receipt; and sends it again from
 * the first reading without a receipt when none comes. Nothing of an epoch goes out before everything held of
 * earlier epochs is receipted: the gateway relies on that to know that nothing is missing between two epochs.
 */
export class Sender {
  /** Resends for want of any receipt, since the gateway was last heard. */
  silentResends = 0;
  /** Frames with readings that the wire took. */
  sent = 0;
  /** Readings sent more than once. */
  resent = 0;
  readonly #backlog: Backlog;
  readonly #outbox: Outbox;
  readonly #limits: DeviceLimits;
  /** Entries of the backlog, from the oldest, that are in flight. */
  #inFlight = 0;
  #inFlightBytes = 0;
  #deadlineMs = 0;
  #resendMs: number;
  #quickMs: number;
  #quickAtMs = 0;

  constructor(backlog: Backlog, outbox: Outbox, limits: DeviceLimits) {
    this.#backlog = backlog;
    this.#outbox = outbox;
    this.#limits = limits;
    this.#resendMs = limits.resendMs;
    this.#quickMs = limits.quickResendMs;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** A new session: everything held goes out again, at once. */
  restart(): void {
    this.#rewind();
    this.silentResends = 0;
    this.#resendMs = this.#limits.resendMs;
    this.#quickMs = this.#limits.quickResendMs;
    this.#quickAtMs = 0;
  }

  /** The oldest entry, of so many bytes, is about to leave the backlog together with `removed` ones after it. */
  leaving(entries: number, bytes: number): void {
    if (this.#inFlight === 0) return;
    this.#inFlight = Math.max(0, this.#inFlight - entries);
    this.#inFlightBytes = this.#inFlight === 0 ? 0 : Math.max(0, this.#inFlightBytes - bytes);
  }

  /** A receipt freed something. */
  progress(nowMs: number): void {
    this.#resendMs = this.#limits.resendMs;
    this.#quickMs = this.#limits.quickResendMs;
    this.#deadlineMs = nowMs + this.#resendMs;
  }

  /**
   * A receipt freed nothing: what is in flight did not arrive, or not in order.
   * @returns whether it goes out again at once
   */
  noProgress(nowMs: number): boolean {
    if (this.#inFlight === 0 || nowMs < this.#quickAtMs) return false;
    // Readings sent again are answered by such receipts too: without the doubling a slow disk would make
    // every device send its window over and over.
    this.#quickAtMs = nowMs + this.#quickMs;
    this.#quickMs = Math.min(2 * this.#quickMs, this.#limits.maxResendMs);
    this.#rewind();
    return true;
  }

  /** Sends what may go now. @returns ms until it wants to be asked again */
  poll(nowMs: number): number {
    if (this.#inFlight > 0 && nowMs >= this.#deadlineMs) {
      this.silentResends++;
      this.#resendMs = Math.min(2 * this.#resendMs, this.#limits.maxResendMs);
      this.#rewind();
    }
    const backlog = this.#backlog;
    if (!backlog.select(0)) return Number.POSITIVE_INFINITY;
    const epoch = backlog.epoch;
    const sendable = Math.min(this.#limits.windowEntries, backlog.sendable);
    while (this.#inFlight < sendable && backlog.select(this.#inFlight)) {
      if (backlog.epoch !== epoch) break;
      const bytes = backlog.to - backlog.from;
      if (bytes > 0) {
        if (this.#inFlight > 0 && this.#inFlightBytes + bytes > this.#limits.windowBytes) break;
        if (!this.#outbox.post(FrameType.reading, backlog.buffer, backlog.from, backlog.to))
          return BLOCKED_MS;
        this.sent++;
      }
      if (this.#inFlight === 0) this.#deadlineMs = nowMs + this.#resendMs;
      this.#inFlight++;
      this.#inFlightBytes += bytes;
    }
    return this.#inFlight > 0 ? Math.max(0, this.#deadlineMs - nowMs) : Number.POSITIVE_INFINITY;
  }

  #rewind(): void {
    this.resent += this.#inFlight;
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
  }
}
