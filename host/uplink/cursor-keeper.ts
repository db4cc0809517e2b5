import type { OffsetRange } from '../journal/cursor.js';
import type { Clock, Log, Timer } from '../ports.js';
import { type Place, samePlace } from './place.js';

/** Where an uplink's place in the journal is kept. */
export interface UplinkCursor extends Place {
  /** Makes a new place durable; then `offset` and `ranges` are those. */
  save(offset: number, ranges: readonly OffsetRange[]): Promise<void>;
}

/** A pause before saving is tried again after it failed. */
const RETRY_MS = 1000;

/** Saves a cursor now and then: what is not saved before a crash is published again, which is allowed. */
export class CursorKeeper {
  readonly #cursor: UplinkCursor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  #wanted: Place;
  #timer: Timer | undefined;
  #saving: Promise<void> | undefined;
  #savedAt: number;
  #failed = false;
  #closed = false;

  constructor(cursor: UplinkCursor, clock: Clock, log: Log, everyMs: number) {
    this.#cursor = cursor;
    this.#clock = clock;
    this.#log = log;
    this.#everyMs = everyMs;
    this.#wanted = { offset: cursor.offset, ranges: cursor.ranges };
    this.#savedAt = clock.monotonic() - everyMs;
  }

  /** All this has been acknowledged. It never falls back. */
  passed(place: Place): void {
    if (place.offset < this.#wanted.offset || samePlace(place, this.#wanted)) return;
    this.#wanted = place;
    this.#soon(this.#everyMs);
  }

  /** Saves what there is to save. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#closed = true;
    await this.#saving;
    if (!samePlace(this.#wanted, this.#cursor)) await this.#save();
  }

  #soon(pauseMs: number): void {
    if (this.#closed || this.#timer !== undefined || this.#saving !== undefined) return;
    const waitMs = Math.max(0, this.#savedAt + pauseMs - this.#clock.monotonic());
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#saving = this.#save().finally(() => {
        this.#saving = undefined;
        if (!samePlace(this.#wanted, this.#cursor)) this.#soon(this.#failed ? RETRY_MS : this.#everyMs);
      });
    });
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#clock.monotonic();
    const { offset, ranges } = this.#wanted;
    try {
      await this.#cursor.save(offset, ranges);
      if (this.#failed) this.#log.info('cursor-saved-again', { offset });
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#log.error('cursor-not-saved', { error: String(error), offset });
      this.#failed = true;
    }
  }
}
