/**
 * Messages that have come and are not acknowledged. They are handled in batches: whatever came while one was being made
 * durable is the next. The order is output, state, PUBACK: a crash between output and state repeats the readings of a batch, a
 * crash before the output loses nothing, since the broker still has them.
 */
import type { Log } from '../ports.js';

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface InboxHandler {
  /** Whether there is something to do without any message. */
  readonly due: boolean;
  /** Handles messages, and whatever else is due. @returns how many were handled: the rest is not acknowledged */
  open(batch: readonly Message[]): number;
  /** Resolves when the output is out of our hands. What it throws ends everything. */
  flush(): Promise<void>;
  /** Makes durable what `open` has changed. What it throws leaves the batch unacknowledged. */
  commit(): Promise<void>;
  /** The batch is acknowledged. */
  acknowledged(): void;
  failed(error: unknown): void;
}

interface Waiting extends Message {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Messages of one batch, and their bytes: bound what repeats after a crash, and the size of a state line. */
export const MAX_BATCH = 1000;
export const MAX_BATCH_BYTES = 256 * 1024;

export class Inbox {
  readonly #handler: InboxHandler;
  readonly #log: Log;
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(handler: InboxHandler, log: Log) {
    this.#handler = handler;
    this.#log = log;
  }

  /** Resolves when the message may be acknowledged; rejects when it may not. */
  add(topic: string, payload: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, payload, resolve, reject });
      this.work();
    });
  }

  /** There may be something due. */
  work(): void {
    if (this.#working !== undefined || this.#stopped) return;
    this.#working = this.#batches().finally(() => {
      this.#working = undefined;
      if (this.#waiting.length > 0 && !this.#stopped) this.work();
    });
  }

  /** No further batch is begun. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when the batch at hand is done. */
  async idle(): Promise<void> {
    await this.#working;
  }

  async #batches(): Promise<void> {
    const handler = this.#handler;
    // What came in the same turn belongs to the same batch.
    await Promise.resolve();
    while ((this.#waiting.length > 0 || handler.due) && !this.#stopped) {
      const batch = this.#waiting.splice(0, this.#size());
      const done = handler.open(batch);
      try {
        await handler.flush();
      } catch (error) {
        this.#stopped = true;
        handler.failed(error);
        return;
      }
      try {
        await handler.commit();
      } catch (error) {
        // Nothing of this is acknowledged: it comes again, as duplicates, and is made durable then.
        this.#log.error('subscriber-state-not-durable', { error: String(error) });
        for (const { reject } of batch)
          reject(new Error(`the state can't be made durable: ${String(error)}`));
        continue;
      }
      // Printed and durable: the broker may forget them.
      for (let i = 0; i < done; i++) batch[i].resolve();
      handler.acknowledged();
    }
  }

  #size(): number {
    let count = 0;
    let bytes = 0;
    for (const { payload } of this.#waiting) {
      bytes += payload.length;
      if (count === MAX_BATCH || (count > 0 && bytes > MAX_BATCH_BYTES)) break;
      count++;
    }
    return count;
  }
}
