import type { Clock, Log, Timer } from '../ports.js';

/** Where an uplink's place in the journal is kept. */
export interface UplinkCursor {
  /** Durable: everything below has been passed. */
  readonly offset: number;
  /** Makes a new place durable. */
  save(offset: number): Promise<void>;
}

/** A pause before saving is tried again after it failed. */
const RETRY_MS = 1000;

/** Saves a cursor now and then: what is not saved before a crash is published again, which is allowed. */
export class CursorKeeper {
  readonly #cursor: UplinkCursor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #everyMs: number;
  #wanted: number;
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
    this.#wanted = cursor.offset;
    this.#savedAt = clock.monotonic() - everyMs;
  }

  /** Everything below `offset` has been acknowledged. It never falls back. */
  passed(offset: number): void {
    if (offset <= this.#wanted) return;
    this.#wanted = offset;
    this.#soon(this.#everyMs);
  }

  /** Saves what there is to save. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#closed = true;
    await this.#saving;
    if (this.#wanted > this.#cursor.offset) await this.#save();
  }

  #soon(pauseMs: number): void {
    if (this.#closed || this.#timer !== undefined || this.#saving !== undefined) return;
    const waitMs = Math.max(0, this.#savedAt + pauseMs - this.#clock.monotonic());
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#saving = this.#save().finally(() => {
        this.#saving = undefined;
        if (this.#wanted > this.#cursor.offset) this.#soon(this.#failed ? RETRY_MS : this.#everyMs);
      });
    });
  }

  async #save(): Promise<void> {
    this.#savedAt = this.#clock.monotonic();
    try {
      await this.#cursor.save(this.#wanted);
      if (this.#failed) this.#log.info('cursor-saved-again', { offset: this.#wanted });
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#log.error('cursor-not-saved', { error: String(error), offset: this.#wanted });
      this.#failed = true;
    }
  }
}
