/**
 * Group commit. Whatever was appended while the last batch was being synced is the next batch: one write, one
 * `fdatasync`, then it is durable and said to be.
 *
 * Any write or sync that fails or falls short ends the segment. What was not durable is encoded again, with
 * new offsets, into a new segment; a failed `fdatasync` is never repeated on the same file, because the kernel
 * may have dropped the pages that it could not write and would report success. While the disk refuses, this
 * goes on with growing pauses, nothing is reported durable, and append() says no once its memory is full.
 */
import { Fault, systemCode } from '../fault.js';
import type { Clock, Log, Storage, StorageFile, Timer } from '../ports.js';
import type { DevicePosition, Entry } from './entry.js';
import {
  checkEntry,
  headerText,
  LineWriter,
  MARK_BYTES,
  MAX_LINE_BYTES,
  type PreviousSegment,
  writeMark,
} from './line-writer.js';
import { segmentName } from './names.js';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
const MAX_FREE_BUFFERS = 4;

export interface WriterOptions {
  directory: string;
  segmentBytes: number;
  maxBatchBytes: number;
  maxPendingBytes: number;
  reserveBytes: number;
}

/** What the writer tells the journal. */
export interface WriterEvents {
  /**
   * A segment holds durable bytes from now on.
   * @param leftOver files before it, ascending, in which nothing is durable, and which the disk did not let be removed
   */
  begun(first: number, leftOver: readonly number[]): void;
  /** A batch is durable: `bytes` of segment `first` are. */
  durable(entries: readonly Entry[], first: number, bytes: number): void;
  /** Time to tell others of a durable batch: the next one is already on its way to the disk. */
  announce(entries: readonly Entry[]): void;
  /** undefined: writing works again. */
  stalled(fault: Fault | undefined): void;
}

interface Batch {
  /** Offset of the header of the segment that begins with this batch; 0: it goes on in the present one. */
  begins: number;
  buffer: Buffer;
  length: number;
  entries: Entry[];
  full: boolean;
  /** How many entries at its begin must become durable together, whatever their size. */
  together: number;
}

interface Segment {
  first: number;
  file: StorageFile;
  path: string;
  /** Bytes written; those up to `synced` are durable. */
  length: number;
  synced: number;
  last: number;
}

export class Writer {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: WriterOptions;
  readonly #events: WriterEvents;
  readonly #positions: ReadonlyMap<string, DevicePosition>;
  readonly #lines = new LineWriter();
  #nextOffset: number;
  #previous: PreviousSegment | null;
  #segment: Segment | undefined;
  /** Bytes that the segment of the last batch will have, its header aside; 0: none begun. */
  #plannedBytes = 0;
  /** The first is the one being written. */
  #queue: Batch[] = [];
  #free: Buffer[] = [];
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  #failures = 0;
  #leftOver: number[] = [];
  #turns = 0;
  #pause: { timer: Timer; end: () => void } | undefined;
  #closing = false;

  constructor(
    ports: { storage: Storage; clock: Clock; log: Log },
    options: WriterOptions,
    events: WriterEvents,
    positions: ReadonlyMap<string, DevicePosition>,
    nextOffset: number,
    previous: PreviousSegment | null,
  ) {
    this.#storage = ports.storage;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#options = options;
    this.#events = events;
    this.#positions = positions;
    this.#nextOffset = nextOffset;
    this.#previous = previous;
  }

  get nextOffset(): number {
    return this.#nextOffset;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The last segment of which anything is durable, and how much of it is. */
  get durable(): PreviousSegment | null {
    const { first, last, synced } = this.#segment ?? { first: 0, last: 0, synced: 0 };
    return synced > 0 ? { first, last, bytes: synced } : this.#previous;
  }

  /** Batches whose writing has ended, well or badly, since the start. */
  get turns(): number {
    return this.#turns;
  }

  get pendingEntries(): number {
    return this.#queue.reduce((sum, batch) => sum + batch.entries.length, 0);
  }

  append(entry: Entry): boolean {
    if (this.#closing || this.#pendingBytes >= this.#options.maxPendingBytes) return false;
    checkEntry(entry);
    this.#encode(entry);
    this.#start();
    return true;
  }

  /**
   * Takes what recovery found past the last mark, before anything else is appended: as one batch, however large.
   * It may have been receipted, and the segment that holds it is not looked at again once a part of the copy is
   * durable.
   */
  appendTail(tail: readonly Entry[]): void {
    this.#encodeTogether(tail);
    this.#start();
  }

  #start(): void {
    this.#running ??= Promise.resolve().then(() => this.#run());
  }

  /** Writes what can be written, without waiting for a disk that refuses. Nothing more is taken. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#pause?.end();
    await this.#running;
    const left = this.pendingEntries;
    if (left > 0) this.#log.warn('journal-closed-with-unwritten', { entries: left });
    await this.#finish();
  }

  #encode(entry: Entry): void {
    let batch = this.#queue[this.#queue.length - 1];
    if (!batch || batch.full || batch.length >= this.#options.maxBatchBytes || this.#segmentIsFull()) {
      if (batch) batch.full = true;
      batch = this.#newBatch();
    }
    this.#put(batch, entry);
  }

  #encodeTogether(entries: readonly Entry[]): void {
    const batch = this.#newBatch();
    batch.together = entries.length;
    for (const entry of entries) {
      if (batch.buffer.length - batch.length < MAX_LINE_BYTES) {
        batch.buffer = Buffer.concat([batch.buffer.subarray(0, batch.length)], 2 * batch.buffer.length);
      }
      this.#put(batch, entry);
    }
  }

  #put(batch: Batch, entry: Entry): void {
    entry.offset = this.#nextOffset++;
    const end = this.#lines.entry(batch.buffer, batch.length, entry.offset, entry);
    this.#pendingBytes += end - batch.length;
    this.#plannedBytes += end - batch.length;
    batch.length = end;
    batch.entries.push(entry);
  }

  #segmentIsFull(): boolean {
    return this.#plannedBytes === 0 || this.#plannedBytes >= this.#options.segmentBytes;
  }

  #newBatch(): Batch {
    let begins = 0;
    if (this.#segmentIsFull()) {
      begins = this.#nextOffset++;
      this.#plannedBytes = 0;
    }
    const buffer = this.#free.pop() ?? Buffer.allocUnsafe(this.#options.maxBatchBytes + MAX_LINE_BYTES);
    const batch: Batch = { begins, buffer, length: MARK_BYTES, entries: [], full: false, together: 0 };
    this.#pendingBytes += MARK_BYTES;
    this.#plannedBytes += MARK_BYTES;
    this.#queue.push(batch);
    return batch;
  }

  async #run(): Promise<void> {
    let untold: readonly Entry[] | undefined;
    while (this.#queue.length > 0) {
      const batch = this.#queue[0];
      batch.full = true;
      const committed = this.#commit(batch);
      // Receipts are made while the disk works on the next batch.
      if (untold) this.#events.announce(untold);
      untold = undefined;
      try {
        await committed;
      } catch (error) {
        if (!(await this.#failed(error))) break;
        continue;
      }
      this.#settle(batch);
      if (this.#queue.length > 0) untold = batch.entries;
      else this.#events.announce(batch.entries);
    }
    this.#running = undefined;
  }

  async #commit(batch: Batch): Promise<void> {
    if (batch.begins > 0) await this.#begin(batch.begins);
    const segment = this.#segment!;
    writeMark(batch.buffer, 0, segment.synced);
    await this.#write(segment, batch.buffer.subarray(0, batch.length));
    await segment.file.sync();
    // A new file is durable only together with its name.
    if (batch.begins > 0) await this.#storage.syncDirectory(this.#options.directory);
    segment.synced = segment.length;
    segment.last = batch.entries[batch.entries.length - 1].offset;
  }

  /** Only now is the batch durable; only from here on may receipts and readers know of it. */
  #settle(batch: Batch): void {
    this.#turns++;
    const { first, synced } = this.#segment!;
    this.#queue.shift();
    this.#pendingBytes -= batch.length;
    this.#release(batch.buffer);
    if (this.#failures > 1) {
      this.#log.info('journal-writes-again');
      this.#events.stalled(undefined);
    }
    this.#failures = 0;
    if (batch.begins > 0) {
      this.#events.begun(first, this.#leftOver);
      this.#leftOver = [];
    }
    this.#events.durable(batch.entries, first, synced);
  }

  async #begin(first: number): Promise<void> {
    await this.#finish();
    const { directory, reserveBytes } = this.#options;
    if (reserveBytes > 0) {
      const { availableBytes } = await this.#storage.space(directory);
      if (availableBytes < reserveBytes) {
        throw new Fault(
          'disk-reserve',
          `${availableBytes} bytes are available at ${directory}, fewer than the reserve of ${reserveBytes}`,
          'free disk space, or lower journal.reserveBytes',
        );
      }
    }
    const path = `${directory}/${segmentName(first)}`;
    const file = await this.#storage.open(path, 'create');
    const segment: Segment = { first, file, path, length: 0, synced: 0, last: first };
    this.#segment = segment;
    await this.#write(segment, headerText(first, this.#clock.now(), this.#previous, this.#positions));
  }

  async #write(segment: Segment, bytes: Uint8Array): Promise<void> {
    const written = await segment.file.write(bytes, segment.length);
    if (written !== bytes.length) {
      throw new Fault('short-write', `${written} of ${bytes.length} bytes were written to ${segment.path}`);
    }
    segment.length += written;
  }

  /**
   * Ends the present segment. Its last batch gets a mark of its own, so that the segment says by itself that
   * all of it is durable: then the next header may be damaged without harm, and reopening copies nothing.
   */
  async #finish(): Promise<void> {
    const segment = this.#segment;
    if (!segment) return;
    this.#leave();
    try {
      const mark = Buffer.alloc(MARK_BYTES);
      writeMark(mark, 0, segment.synced);
      if ((await segment.file.write(mark, segment.length)) === MARK_BYTES) await segment.file.sync();
    } catch (error) {
      this.#log.warn('journal-mark-not-written', { segment: segment.path, error: systemCode(error) });
    }
    await segment.file.close().catch(() => undefined);
  }

  #leave(): void {
    this.#previous = this.durable;
    this.#segment = undefined;
  }

  /** Gives the segment up as it is: what it holds beyond its last sync is worth nothing. */
  async #abandon(): Promise<void> {
    const segment = this.#segment;
    if (!segment) return;
    this.#leave();
    await segment.file.close().catch(() => undefined);
    if (segment.synced > 0) return;
    // Nothing of it ever was durable, so nothing can be lost, and a full disk needs the room. What stays is retention's:
    // when the segments around it have gone, the next start would take it for a tail that nobody has taken up.
    await this.#storage.remove(segment.path).catch(error => {
      if (systemCode(error) !== 'ENOENT') this.#leftOver.push(segment.first);
    });
  }

  /** Prepares another try; false: the journal is closing and there is none. */
  async #failed(error: unknown): Promise<boolean> {
    this.#turns++;
    this.#failures++;
    await this.#abandon();
    this.#encodeAgain();
    const code = error instanceof Fault ? error.code : systemCode(error);
    if (this.#failures === 1) this.#log.warn('journal-segment-ended', { error: code || String(error) });
    if (this.#failures === 2) {
      const fault = stallFault(this.#options.directory, code, error);
      this.#log.error('journal-stalled', { error: code, message: fault.message });
      this.#events.stalled(fault);
    }
    if (this.#closing) return this.#failures < 2;
    if (this.#failures > 1) {
      await this.#wait(Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#failures - 2, 16), LONGEST_PAUSE_MS));
    }
    return true;
  }

  /** Whatever is not durable goes into a new segment, with offsets that no attempt has used. */
  #encodeAgain(): void {
    const batches = this.#queue;
    this.#queue = [];
    this.#pendingBytes = 0;
    this.#plannedBytes = 0;
    for (const batch of batches) this.#release(batch.buffer);
    for (const { entries, together } of batches) {
      if (together > 0) this.#encodeTogether(entries.slice(0, together));
      for (let i = together; i < entries.length; i++) this.#encode(entries[i]);
    }
  }

  #release(buffer: Buffer): void {
    const usual = buffer.length === this.#options.maxBatchBytes + MAX_LINE_BYTES;
    if (usual && this.#free.length < MAX_FREE_BUFFERS) this.#free.push(buffer);
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        this.#pause?.timer.cancel();
        this.#pause = undefined;
        resolve();
      };
      this.#pause = { timer: this.#clock.after(ms, end), end };
    });
  }
}

function stallFault(directory: string, code: string, cause: unknown): Fault {
  if (cause instanceof Fault && cause.code === 'disk-reserve') return cause;
  const full = code === 'ENOSPC' || code === 'EDQUOT' || code === 'short-write';
  return new Fault(
    full ? 'journal-disk-full' : 'journal-write-failed',
    full
      ? `the journal can't grow: no space left at ${directory}`
      : `the journal can't be written at ${directory}: ${cause instanceof Error ? cause.message : String(cause)}`,
    full
      ? 'free disk space; devices keep their readings until then, and writing goes on by itself'
      : 'check the health and the permissions of the disk; writing goes on by itself when it works again',
    cause,
  );
}
