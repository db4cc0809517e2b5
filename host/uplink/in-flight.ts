/**
 * What one connection has sent and the broker has not acknowledged yet. Messages and bytes are bounded, and some of the room is
 * kept for readings of now: neither what was asked for nor what newer readings have overtaken may take all of it.
 */
import type { Clock } from '../ports.js';

/** Whatever the window: what a broker that stalls has to keep, and we too. */
const MAX_BYTES = 4 * 1024 * 1024;

export class InFlight {
  /** Messages at most. */
  readonly limit: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #pastLimit: number;
  readonly #fetchedLimit: number;
  #count = 0;
  #bytes = 0;
  #fetched = 0;
  #acknowledgedMs: number;
  #emptied: (() => void) | undefined;

  constructor(clock: Pick<Clock, 'monotonic'>, limit: number) {
    this.#clock = clock;
    this.limit = Math.max(1, limit);
    this.#fetchedLimit = Math.max(1, this.limit >> 3);
    this.#pastLimit = Math.max(1, this.limit - (this.limit >> 3));
    this.#acknowledgedMs = clock.monotonic();
  }

  /** Messages. */
  get count(): number {
    return this.#count;
  }

  get hasRoom(): boolean {
    return this.#count < this.limit && this.#bytes < MAX_BYTES;
  }

  /** For what newer readings have overtaken. */
  get hasRoomForPast(): boolean {
    return this.#count < this.#pastLimit;
  }

  /** For what was asked for. */
  get hasRoomForFetched(): boolean {
    return this.#fetched < this.#fetchedLimit;
  }

  /** For how long the broker has acknowledged nothing, though there is something; 0 when there is nothing. */
  get silentMs(): number {
    return this.#count === 0 ? 0 : this.#clock.monotonic() - this.#acknowledgedMs;
  }

  sent(bytes: number): void {
    this.#count++;
    this.#bytes += bytes;
  }

  acknowledged(bytes: number): void {
    this.#count--;
    this.#bytes -= bytes;
    this.#acknowledgedMs = this.#clock.monotonic();
    if (this.#count === 0) this.#emptied?.();
  }

  sentFetched(): void {
    this.#fetched++;
    this.sent(0);
  }

  acknowledgedFetched(): void {
    this.#fetched--;
    this.acknowledged(0);
  }

  /** Resolves when nothing is left (or never). */
  empty(): Promise<void> {
    return new Promise(resolve => {
      if (this.#count === 0) resolve();
      else this.#emptied = resolve;
    });
  }
}
