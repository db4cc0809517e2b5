/**
 * The gateway's journal: entries go in, become durable in batches, and can be read from any offset.
 *
 * Store, then acknowledge: nothing is told to anybody, neither by `onDurable` nor by a reader nor in
 * `positions`, before `fdatasync` has returned for it.
 */
import { Fault, systemCode } from '../fault.js';
import type { Pulse } from '../health.js';
import type { Clock, Log, Storage, Timer } from '../ports.js';
import type { DurablePlace } from './cursor.js';
import { type DevicePosition, type Entry, eraOf, type RecentTag } from './entry.js';
import { Extent } from './extent.js';
import type { Checkpoint } from './handover.js';
import { Patience } from './patience.js';
import { JournalReader, type ReaderOptions, type SegmentView } from './reader.js';
import { type Recovered, recover } from './recovery.js';
import { Retention } from './retention.js';
import { type Snapshot, Snapshots } from './snapshots.js';
import { track } from './tracker.js';
import { Writer } from './writer.js';

export interface JournalPorts {
  storage: Storage;
  clock: Clock;
  log: Log;
}

export interface JournalOptions {
  /** Absolute path; made when absent. */
  directory: string;
  /** A new segment begins when the present one has reached this. 8 MiB. */
  segmentBytes?: number;
  /** Bytes of one write at most, a line aside; 512 KiB. */
  maxBatchBytes?: number;
  /** What may wait for the disk before append() says no; 8 MiB. */
  maxPendingBytes?: number;
  /** No new segment while the file system has less than this available; 0 (default): until it is full. */
  reserveBytes?: number;
  /** Whole segments that every cursor has passed go when older than this; 0 (default): never by age. */
  retainMs?: number;
  /** … or while the journal is larger than this; 0 (default): never by size. */
  retainBytes?: number;
  /** Offsets that hand-overs have left out: from `next` up to, not including, `offset`. */
  jumps?: readonly { readonly next: number; readonly offset: number }[];
}

export type JournalState = { readonly name: 'ok' } | { readonly name: 'stalled'; readonly fault: Fault };

const RETENTION_EVERY_MS = 60_000;
const OK: JournalState = { name: 'ok' };

export class Journal {
  readonly #ports: JournalPorts;
  readonly #cursors: Set<DurablePlace>;
  readonly #positions: Map<string, DevicePosition>;
  readonly #segments: number[];
  readonly #bounds: Map<number, number>;
  readonly #writer: Writer;
  readonly #retention: Retention;
  readonly #view: SegmentView;
  readonly #snapshots: Snapshots;
  readonly #extent: Extent;
  readonly #durableListeners: ((batch: readonly Entry[]) => void)[] = [];
  readonly #stateListeners: ((state: JournalState) => void)[] = [];
  readonly #recentTags: RecentTag[];
  readonly #jumps: readonly { readonly next: number; readonly offset: number }[];
  #recovering: readonly Entry[];
  #state: JournalState = OK;
  #durableOffset: number;
  #timer: Timer | undefined;
  #closed = false;

  private constructor(
    ports: JournalPorts,
    options: JournalOptions,
    cursors: Iterable<DurablePlace>,
    found: Recovered,
  ) {
    const { directory, segmentBytes = 8 << 20, maxBatchBytes = 512 << 10 } = options;
    const { maxPendingBytes = 8 << 20, reserveBytes = 0, retainMs = 0, retainBytes = 0 } = options;
    this.#ports = ports;
    this.#cursors = new Set(cursors);
    this.#positions = found.positions;
    this.#segments = found.segments;
    this.#bounds = found.bounds;
    this.#recentTags = found.recentTags;
    this.#jumps = options.jumps ?? [];
    this.#recovering = found.tail;
    this.#durableOffset = found.durableOffset;
    const { storage } = ports;
    this.#view = {
      directory,
      storage,
      segments: this.#segments,
      bound: first => this.#bounds.get(first),
      patience: new Patience(ports.clock),
    };
    this.#snapshots = new Snapshots(this.#view);
    this.#extent = new Extent(this.#view);
    this.#retention = new Retention(ports, directory, { retainMs, retainBytes });
    this.#writer = new Writer(
      ports,
      { directory, segmentBytes, maxBatchBytes, maxPendingBytes, reserveBytes },
      {
        begun: (first, leftOver) => this.#begun(first, leftOver),
        durable: (entries, first, bytes) => this.#durable(entries, first, bytes),
        announce: entries => this.#announce(entries),
        stalled: fault => this.#stalled(fault),
      },
      this.#positions,
      found.nextOffset,
      found.previous,
    );
  }

  /**
   * Opens the journal, or begins one. What its own files hold never makes this fail; what was visible but not
   * known to be synced is written anew and synced first (see `recovering` for a disk that refuses).
   *
   * @param cursors every durable cursor: their offsets are never given out again, and they hold segments back
   * @throws Fault `journal-unusable` when the directory can't be made or listed
   */
  static async open(
    ports: JournalPorts,
    options: JournalOptions,
    cursors: Iterable<DurablePlace> = [],
  ): Promise<Journal> {
    const { directory } = options;
    const all = [...cursors];
    let found: Recovered;
    try {
      await ports.storage.ensureDirectory(directory);
      found = await recover(ports, directory, all);
    } catch (error) {
      throw new Fault(
        'journal-unusable',
        `the journal's directory ${directory} can't be used: ${systemCode(error) || String(error)}`,
        'check that it is a directory which this user may read and write, on a disk that works',
        error,
      );
    }
    const journal = new Journal(ports, options, all, found);
    await journal.#secureTail(found.tail);
    journal.#tick();
    return journal;
  }

  /** Where each device stands by what is durable, by device id. */
  get positions(): ReadonlyMap<string, DevicePosition> {
    return this.#positions;
  }

  /** Tags of the durable readings that were seen while opening, oldest first. */
  get recentTags(): readonly RecentTag[] {
    return this.#recentTags;
  }

  /** Entries found at open that still wait to be made durable, because the disk refuses; else empty. */
  get recovering(): readonly Entry[] {
    return this.#recovering;
  }

  get state(): JournalState {
    return this.#state;
  }

  /** The offset that the next entry gets, at least. */
  get nextOffset(): number {
    return this.#writer.nextOffset;
  }

  /** One more than the offset of the last durable entry: where a reader that has read everything stands. */
  get durableOffset(): number {
    return this.#durableOffset;
  }

  /** How often this journal was restored from a backup; offsets of one era never come near those of another. */
  get era(): number {
    return eraOf(this.nextOffset);
  }

  /** Where all this stands now, by what is durable: a copy that stays what it is. */
  checkpoint(): Checkpoint {
    const last = this.#writer.durable;
    // What the medium has taken since cannot be gone on with.
    const previous = last !== null && this.#segments.includes(last.first) ? last : null;
    return {
      positions: new Map([...this.#positions].map(([device, position]) => [device, { ...position }])),
      nextOffset: this.nextOffset,
      durableOffset: this.#durableOffset,
      segments: previous === null ? [] : this.#segments.filter(first => first <= previous.first),
      previous,
    };
  }

  /** How many entries at most lie from one offset up to another: what hand-overs have left out does not count. */
  distance(from: number, to: number): number {
    let distance = to - from;
    for (const { next, offset } of this.#jumps)
      distance -= Math.max(0, Math.min(to, offset) - Math.max(from, next));
    return distance;
  }

  /** Bytes waiting for the disk. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** The disk at work. */
  get pulse(): Pulse {
    return { turns: this.#writer.turns, busy: this.pendingBytes > 0 };
  }

  /** First offset that the journal still holds. */
  get oldestOffset(): number {
    return this.#segments[0] ?? this.nextOffset;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** First offsets of the segments, ascending. */
  get segments(): readonly number[] {
    return this.#segments;
  }

  /** How large and how old it is. */
  get extent(): Extent {
    return this.#extent;
  }

  /** Where devices stood when a segment began; incomplete when it has gone. @throws the storage's error */
  snapshot(first: number): Promise<Snapshot> {
    return this.#snapshots.of(first);
  }

  /**
   * Takes an entry, which belongs to the journal from then on, and sets its offset (a new one if its batch has
   * to be written again). Durable once `onDurable` names it.
   *
   * @returns false when it isn't taken: as much is waiting for the disk as may, or the journal is closed
   * @throws RangeError for an entry that breaks the bounds in entry.ts
   */
  append(entry: Entry): boolean {
    return this.#writer.append(entry);
  }

  /** Called after each `fdatasync` with what it made durable, in the order of appending. */
  onDurable(listener: (batch: readonly Entry[]) => void): void {
    this.#durableListeners.push(listener);
  }

  /** Called when the disk refuses for the second time in a row, and when it writes again. */
  onState(listener: (state: JournalState) => void): void {
    this.#stateListeners.push(listener);
  }

  /** Reads durable entries from an offset on; one below the oldest begins with the oldest. Close it after use. */
  reader(fromOffset: number, options: ReaderOptions = {}): JournalReader {
    return new JournalReader(this.#view, fromOffset, options);
  }

  /** Keeps what a cursor hasn't passed. For cursors that were given to open() this is already so. */
  hold(cursor: DurablePlace): void {
    this.#cursors.add(cursor);
  }

  release(cursor: DurablePlace): void {
    this.#cursors.delete(cursor);
  }

  /** Removes segments beyond the limits now; it happens by itself each minute and with each new segment. */
  retain(): Promise<number> {
    return this.#retention.run(this.#segments, this.#cursors);
  }

  /** Writes what is pending if the disk takes it; what it doesn't take was never reported durable. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#writer.close();
    await this.#retention.run([], []);
  }

  /** Before anything is classified, receipted or published. Resolves when it is durable, or the disk refuses. */
  async #secureTail(tail: readonly Entry[]): Promise<void> {
    if (tail.length === 0) return;
    const last = tail[tail.length - 1];
    await new Promise<void>(resolve => {
      this.onDurable(batch => {
        if (this.#recovering.length === 0) return;
        this.#recovering = this.#recovering.slice(batch.length);
        if (batch.includes(last)) resolve();
      });
      this.onState(() => resolve());
      this.#writer.appendTail(tail);
    });
    this.#ports.log.info('journal-tail-secured', { entries: tail.length - this.#recovering.length });
  }

  #begun(first: number, leftOver: readonly number[]): void {
    for (const left of leftOver) this.#bounds.set(left, 0);
    this.#segments.push(...leftOver, first);
  }

  #durable(entries: readonly Entry[], first: number, bytes: number): void {
    const begins = !this.#bounds.has(first);
    this.#bounds.set(first, bytes);
    this.#durableOffset = entries[entries.length - 1].offset + 1;
    for (const entry of entries) track(this.#positions, entry);
    if (begins) this.#retainInBackground();
  }

  #announce(entries: readonly Entry[]): void {
    for (const listener of this.#durableListeners) listener(entries);
  }

  #stalled(fault: Fault | undefined): void {
    this.#state = fault ? { name: 'stalled', fault } : OK;
    for (const listener of this.#stateListeners) listener(this.#state);
  }

  #tick(): void {
    this.#timer = this.#ports.clock.after(RETENTION_EVERY_MS, () => {
      this.#retainInBackground();
      if (!this.#closed) this.#tick();
    });
  }

  /** Failures are logged there and tried again. */
  #retainInBackground(): void {
    void this.retain();
  }
}
