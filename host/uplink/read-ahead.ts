/** Keeps entries of the journal ready to be published: at most twice as many as are asked of the reader at a time. */
import { Fault } from '../fault.js';
import type { Entry } from '../journal/entry.js';

const READ_ENTRIES = 256;

/** What is read of the journal, durable entries only. */
export interface UplinkReader {
  /** Everything below has been handed out. */
  readonly offset: number;
  /** None at the durable end. */
  next(maxEntries: number): Promise<readonly Entry[]>;
  close(): Promise<void>;
}

export interface ReadAheadEvents {
  /** Entries that were read, before any of them is taken. */
  arrived(entries: readonly Entry[]): void;
  /** There is something new to look at: entries, or the end. */
  settled(): void;
  failed(fault: Fault): void;
}

export class ReadAhead {
  readonly #reader: UplinkReader;
  readonly #events: ReadAheadEvents;
  #entries: Entry[] = [];
  #next = 0;
  #reading = false;
  #atEnd = false;
  #closed = false;

  constructor(reader: UplinkReader, events: ReadAheadEvents) {
    this.#reader = reader;
    this.#events = events;
  }

  /** Everything below has been read. */
  get offset(): number {
    return this.#reader.offset;
  }

  /** The journal has been read to its durable end, and all of it was taken. */
  get exhausted(): boolean {
    return this.#atEnd && !this.#reading && this.#next === this.#entries.length;
  }

  /** A read is under way: `offset` may be ahead of what `peek` gives. */
  get reading(): boolean {
    return this.#reading;
  }

  /** The entry that `take` would give. */
  peek(): Entry | undefined {
    return this.#entries[this.#next];
  }

  take(): void {
    this.#next++;
  }

  /** The journal has more. */
  wake(): void {
    this.#atEnd = false;
  }

  /** Reads on if few entries are left. */
  fill(): void {
    if (this.#reading || this.#atEnd || this.#entries.length - this.#next >= READ_ENTRIES) return;
    this.#reading = true;
    // Cleared when the journal wakes us while we read: then what we read is not the end.
    this.#atEnd = true;
    this.#reader.next(READ_ENTRIES).then(
      entries => {
        this.#reading = false;
        if (this.#closed) return this.#closeReader();
        if (entries.length > 0) {
          this.#events.arrived(entries);
          this.#atEnd = false;
          this.#entries = [...this.#entries.slice(this.#next), ...entries];
          this.#next = 0;
        }
        this.#events.settled();
      },
      error => {
        this.#reading = false;
        this.#atEnd = false;
        if (this.#closed) return this.#closeReader();
        this.#events.failed(
          new Fault('journal-read', `can't read the journal: ${String(error)}`, 'Check the disk.', error),
        );
      },
    );
  }

  /** A reader that is at work opens files: it is closed when it is done. */
  close(): void {
    this.#closed = true;
    if (!this.#reading) this.#closeReader();
  }

  #closeReader(): void {
    this.#reader.close().catch(() => undefined);
  }
}
