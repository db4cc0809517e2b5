/**
 * A stretch of the journal on its way to the broker: entries are taken in its order, and its cursor stands where everything
 * before has been acknowledged, whatever the order of acknowledgements. With `live-first` there are two of them.
 */
import type { OffsetRange } from '../journal/cursor.js';
import type { Entry } from '../journal/entry.js';
import type { ReadAhead } from './read-ahead.js';
import { type Slot, Window } from './window.js';

export interface LaneOptions {
  /** Where it begins: everything below is passed, or is another lane's. */
  readonly from: number;
  /** Entries from here on are another lane's; infinite: it has no end. */
  readonly until: number;
  /** Was passed before. */
  readonly passed: readonly OffsetRange[];
  /** What it holds came in some time ago, and newer readings overtake it. */
  readonly historical: boolean;
}

export class Lane {
  readonly historical: boolean;
  readonly from: number;
  readonly #until: number;
  readonly #passed: readonly OffsetRange[];
  readonly #journal: ReadAhead;
  readonly #window: Window;

  constructor(journal: ReadAhead, { from, until, passed, historical }: LaneOptions) {
    this.historical = historical;
    this.from = from;
    this.#until = until;
    this.#passed = passed;
    this.#journal = journal;
    this.#window = new Window(from);
  }

  /** Everything from the lane's beginning up to here has been acknowledged, or is nothing to be published. */
  get cursor(): number {
    return this.#window.cursor;
  }

  /** All that there is now has been taken, and is acknowledged. */
  get empty(): boolean {
    return this.#exhausted && this.#window.size === 0;
  }

  /** The entry that `take` would give; undefined when there is none now. */
  peek(): Entry | undefined {
    for (;;) {
      const entry = this.#journal.peek();
      if (entry === undefined || entry.offset >= this.#until) return undefined;
      if (!this.#was(entry.offset)) return entry;
      this.#journal.take();
    }
  }

  take(): void {
    this.#journal.take();
  }

  /** What was taken is on its way: entries up to `offset`, with so many readings, in so many messages. */
  sent(offset: number, readings: number, messages: number): Slot {
    return this.#window.push(offset, readings, messages);
  }

  /** One of the messages was acknowledged. @returns how many readings have none left by it */
  acknowledge(slot: Slot): number {
    return this.#window.acknowledge(slot) ? slot.readings : 0;
  }

  /** At its end, passes what holds no entries. */
  settle(): void {
    if (this.empty) this.#window.reached(Math.min(this.#until, this.#journal.offset));
  }

  wake(): void {
    this.#journal.wake();
  }

  /** Reads on if few entries are left. */
  fill(): void {
    if (!this.#ended) this.#journal.fill();
  }

  close(): void {
    this.#journal.close();
  }

  get #exhausted(): boolean {
    return this.#ended || this.#journal.exhausted;
  }

  /** The next entry is another lane's. */
  get #ended(): boolean {
    const journal = this.#journal;
    const next = journal.peek();
    return next !== undefined
      ? next.offset >= this.#until
      : !journal.reading && journal.offset >= this.#until;
  }

  #was(offset: number): boolean {
    return this.#passed.some(([from, to]) => offset >= from && offset < to);
  }
}
