import { type Label, label, type RecordWriter, utf8 } from '../seal/index.js';
import { TROUBLE_WORDS, Trouble } from './trouble.js';

export interface RetrySettings {
  /** Before a failed sensor is opened anew; doubles with each failure up to `maxRetryMs`. Default 1,000. */
  readonly retryMs?: number;
  /** Default 60,000. */
  readonly maxRetryMs?: number;
}

/** Whether a sensor works, since when not, and what its readings say about that. */
export class Outage {
  /** The last attempt failed. */
  failing = false;
  /** It works again, and no reading has said so yet. */
  recovered = false;
  /** Why the last attempt failed. */
  trouble: Trouble = Trouble.none;
  /** Failed attempts in a row. */
  failures = 0;
  readonly #retryMs: number;
  readonly #maxRetryMs: number;
  readonly #fault: Label;
  readonly #failures: Label;
  readonly #outage: Label;
  #sinceMs = 0;
  #endMs = 0;
  #toldMs = -1;

  constructor(name: string, settings: RetrySettings) {
    this.#retryMs = settings.retryMs ?? 1_000;
    this.#maxRetryMs = settings.maxRetryMs ?? 60_000;
    this.#fault = label(`${name}/fault`);
    this.#failures = label(`${name}/failures`, 'count');
    this.#outage = label(`${name}/outage`, 's');
  }

  /** An attempt failed. @returns whether a fault reading is due: the first is, then one in `maxIntervalMs` */
  fail(trouble: Trouble, nowMs: number, maxIntervalMs: number): boolean {
    this.trouble = trouble;
    this.recovered = false;
    this.failures++;
    if (!this.failing) {
      this.failing = true;
      // One that fails again before its recovery was told has not recovered for anyone.
      if (this.#toldMs < 0) this.#sinceMs = nowMs;
    }
    return this.#toldMs < 0 || nowMs - this.#toldMs >= maxIntervalMs;
  }

  /** An attempt succeeded. */
  succeed(nowMs: number): void {
    if (!this.failing) return;
    this.failing = false;
    this.failures = 0;
    this.recovered = true;
    this.#endMs = nowMs;
  }

  /** ms until the next attempt. */
  get waitMs(): number {
    let waitMs = this.#retryMs;
    for (let i = 1; i < this.failures && waitMs < this.#maxRetryMs; i++) waitMs *= 2;
    return Math.min(waitMs, this.#maxRetryMs);
  }

  /** The records of a fault reading. */
  writeFault(records: RecordWriter, nowMs: number): void {
    this.#toldMs = nowMs;
    // Rare enough to be encoded each time.
    records.text(this.#fault, utf8(TROUBLE_WORDS[this.trouble]));
    records.number(this.#failures, this.failures);
  }

  /** What a reading says besides its values when it is the first after a failure. */
  writeRecovery(records: RecordWriter): void {
    if (!this.recovered) return;
    this.recovered = false;
    this.#toldMs = -1;
    records.text(this.#fault, utf8(TROUBLE_WORDS[Trouble.none]));
    records.number(this.#outage, (this.#endMs - this.#sinceMs) / 1000);
  }

  /** Uptime ran backwards to `nowMs`: what lies ahead of it is now. */
  rebase(nowMs: number): void {
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
    this.#endMs = Math.min(this.#endMs, nowMs);
    this.#toldMs = Math.min(this.#toldMs, nowMs);
  }
}
