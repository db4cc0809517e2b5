/**
 * The newest readings of one device, from the journal, for plots. The journal is in the order of time and of all devices, so
 * this goes back segment by segment, and passes over those in which the device did not speak, as their headers tell. One
 * search runs at a time, and each is bounded: who wants more asks again from where it ended.
 */
import { Fault } from '../fault.js';
import type { DevicePosition, Entry, ReadingEntry } from '../journal/entry.js';
import type { DecodedReading, ReadingsPage } from './calls.js';

/** What is wanted of the journal. */
export interface ReadableJournal {
  /** First offsets of the segments, ascending. */
  readonly segments: readonly number[];
  readonly durableOffset: number;
  readonly positions: ReadonlyMap<string, DevicePosition>;
  snapshot(first: number): Promise<{
    readonly complete: boolean;
    readonly positions: ReadonlyMap<string, DevicePosition>;
  }>;
  reader(fromOffset: number): { next(maxEntries: number): Promise<Entry[]>; close(): Promise<void> };
}

export interface ReadingsQuery {
  readonly device: string;
  /** Only below this offset. */
  readonly before: number;
  /** Unix ms: nothing that came in earlier. */
  readonly since: number;
  readonly limit: number;
}

/** Entries looked at in one search, one segment aside. */
const MAX_ENTRIES = 50_000;
/** Others get their turn after so many. */
const CHUNK_ENTRIES = 512;
/** Searches that wait. */
const MAX_WAITING = 16;

export class ReadingsSearch {
  readonly #journal: ReadableJournal;
  readonly #decode: (entry: ReadingEntry) => DecodedReading | undefined;
  readonly #maxEntries: number;
  #running: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(
    journal: ReadableJournal,
    decode: (entry: ReadingEntry) => DecodedReading | undefined,
    maxEntries = MAX_ENTRIES,
  ) {
    this.#journal = journal;
    this.#decode = decode;
    this.#maxEntries = maxEntries;
  }

  /** @throws Fault `busy`, or the storage's error */
  async find(query: ReadingsQuery): Promise<ReadingsPage> {
    if (this.#waiting >= MAX_WAITING)
      throw new Fault('busy', 'too many others ask for readings at the moment', 'ask again in a few seconds');
    this.#waiting += 1;
    const result = this.#running.then(() => this.#search(query)).finally(() => (this.#waiting -= 1));
    this.#running = result.catch(() => undefined);
    return result;
  }

  async #search({ device, before, since, limit }: ReadingsQuery): Promise<ReadingsPage> {
    const journal = this.#journal;
    const segments = [...journal.segments];
    const parts: ReadingEntry[][] = [];
    let found = 0;
    let looked = 0;
    let until = Math.min(before, journal.durableOffset);
    let after = journal.positions.get(device);
    for (let i = segments.length - 1; i >= 0; i--) {
      const first = segments[i];
      const { complete, positions } = await journal.snapshot(first);
      const start = positions.get(device);
      if (first < until && !(complete && samePosition(start, after))) {
        const part = await this.#segment(device, first, until, limit - found);
        looked += part.looked;
        found += part.entries.length;
        parts.push(part.entries);
      }
      until = Math.min(until, first);
      const oldest = parts.at(-1)?.[0];
      if (oldest !== undefined && oldest.at < since) return this.#page(parts, since);
      if (oldest !== undefined && found >= limit) return this.#page(parts, since, oldest.offset);
      if (complete && start === undefined) return this.#page(parts, since); // nobody had heard of it before
      if (looked >= this.#maxEntries && i > 0) return this.#page(parts, since, until);
      if (complete) after = start;
    }
    return this.#page(parts, since);
  }

  /** The device's last `limit` readings from `first` on and below `until`. */
  async #segment(
    device: string,
    first: number,
    until: number,
    limit: number,
  ): Promise<{ entries: ReadingEntry[]; looked: number }> {
    const reader = this.#journal.reader(first);
    let entries: ReadingEntry[] = [];
    let looked = 0;
    try {
      for (;;) {
        const chunk = await reader.next(CHUNK_ENTRIES);
        looked += chunk.length;
        for (const entry of chunk)
          if (entry.kind === 'reading' && entry.device === device && entry.offset < until)
            entries.push(entry);
        if (entries.length > 2 * limit) entries = entries.slice(-limit);
        const last = chunk.at(-1);
        if (last === undefined || last.offset >= until - 1) return { entries: entries.slice(-limit), looked };
      }
    } finally {
      await reader.close();
    }
  }

  #page(parts: readonly ReadingEntry[][], since: number, before?: number): ReadingsPage {
    const readings: DecodedReading[] = [];
    for (const part of [...parts].reverse())
      for (const entry of part) {
        const reading = entry.at < since ? undefined : this.#decode(entry);
        if (reading !== undefined) readings.push(reading);
      }
    return { readings, ...(before !== undefined && { before }) };
  }
}

function samePosition(a: DevicePosition | undefined, b: DevicePosition | undefined): boolean {
  return a?.epoch === b?.epoch && a?.seq === b?.seq;
}
