/**
 * One pass over a journal that may be damaged anywhere, with one buffer of memory: everything in order, nothing
 * collected. Works on a journal that a gateway is writing, and on a copy that was taken meanwhile.
 */
import { systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import type { Damage, Entry, GapEntry } from './entry.js';
import { LineJudge } from './judge.js';
import { LineReader } from './line-reader.js';
import type { LossCause, UnknownLoss } from './loss.js';
import { Misplaced } from './misplaced.js';
import { segmentName, segmentsIn } from './names.js';
import { type Scanned, Scanner } from './scanner.js';
import { type DurableEnd, durableEnd } from './segment.js';

type Told = void | Promise<void>;

/** What a pass tells; it goes on when what is returned is done. */
export interface PassListener {
  /** Durable entries. */
  entry?(entry: Entry): Told;
  /** Entries behind what is known to be synced that a gateway takes up. */
  tailEntry?(entry: Entry): Told;
  damage?(damage: Damage): Told;
  loss?(gap: GapEntry, cause: LossCause): Told;
  unknown?(loss: UnknownLoss): Told;
  /** A range behind what is known to be synced that can't be read. */
  torn?(segment: string, at: number, bytes: number): Told;
  /** A segment begins, and how many there are; comes again now and then. */
  progress?(index: number, count: number): Told;
  /** A segment has been read to its end and closed; `next` follows. */
  passed?(segment: string, next: number | undefined): Told;
}

/** What follows the last mark of the last segment: not known to be synced. */
export interface Tail {
  segment: string;
  at: number;
  bytes: number;
  /** What a gateway takes up when it starts: everything before the first hole. */
  readings: number;
  gaps: number;
  /** Where the first hole begins; -1: none. */
  holeAt: number;
  /** Sound readings behind it, which a gateway doesn't take up. */
  readingsBehindHole: number;
}

export interface Passed {
  segments: number;
  bytes: number;
  /** Segments that were removed meanwhile by right, from the oldest on. */
  removed: number;
  /** Offset behind the last sound line. */
  endOffset: number;
  tail: Tail | undefined;
}

const LINES_BETWEEN_PROGRESS = 8192;

/**
 * @param fromOffset begins with the segment that holds this offset
 * @throws the storage's error when the directory can't be listed
 */
export async function passThrough(
  storage: Storage,
  directory: string,
  fromOffset: number,
  listener: PassListener,
): Promise<Passed> {
  return new Pass(storage, directory, listener).run(fromOffset);
}

class Pass {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #listener: PassListener;
  readonly #lines = new LineReader();
  readonly #judge: LineJudge;
  readonly #passed: Passed = { segments: 0, bytes: 0, removed: 0, endOffset: 1, tail: undefined };
  #segments: number[] = [];
  #index = 0;
  #lineCount = 0;
  /** What listeners are still busy with. */
  #told: Promise<void>[] = [];
  /** A listener has thrown. */
  #refused = false;
  #inTail = false;

  constructor(storage: Storage, directory: string, listener: PassListener) {
    this.#storage = storage;
    this.#directory = directory;
    this.#listener = listener;
    this.#judge = new LineJudge({
      entry: entry => this.#entry(entry),
      damage: damage => this.#tell(listener.damage?.(damage)),
      loss: (gap, cause) => this.#tell(listener.loss?.(gap, cause)),
      unknown: loss => this.#tell(listener.unknown?.(loss)),
    });
  }

  async run(fromOffset: number): Promise<Passed> {
    const segments = segmentsIn(await this.#storage.list(this.#directory));
    this.#segments = segments;
    const holding = segments.findLastIndex(first => first <= fromOffset);
    for (this.#index = Math.max(holding, 0); this.#index < segments.length; this.#index++) {
      await this.#listener.progress?.(this.#index, segments.length);
      await this.#segment(segments[this.#index]);
      await this.#settled();
      await this.#listener.passed?.(segmentName(segments[this.#index]), segments[this.#index + 1]);
    }
    this.#judge.finish();
    await this.#settled();
    this.#passed.endOffset = this.#judge.last + 1;
    return this.#passed;
  }

  async #segment(first: number): Promise<void> {
    let file: StorageFile;
    try {
      file = await this.#storage.open(`${this.#directory}/${segmentName(first)}`, 'read');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return this.#gone(first);
      return this.#judge.lost('io', first, 0, 0, `can't be opened: ${systemCode(error) || String(error)}`);
    }
    this.#passed.segments++;
    let at = 0;
    let size = 0;
    try {
      const segments = this.#segments;
      const view = { storage: this.#storage, directory: this.#directory, segments };
      const end = await durableEnd(view, first, file, this.#lines);
      // Only now: a gateway may be writing it.
      size = await file.size();
      const last = first === segments[segments.length - 1];
      const limit = segments[this.#index + 1] ?? Number.POSITIVE_INFINITY;
      this.#judge.begin({ first, limit, bound: end.bound, last: end.last });
      const scanner = new Scanner(file, this.#lines, 0, last ? size : end.to);
      const misplaced = new Misplaced(file, last ? end.bound : end.to);
      const tail = last ? new TailReader(segmentName(first), end.bound, size) : undefined;
      while (await scanner.fill()) {
        for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
          if (scanner.at === end.missedAt) this.#cut(end);
          if (tail && scanner.at >= end.bound) this.#tailLine(tail, line, scanner);
          else {
            const leaps = this.#judge.leaps(line) && (await misplaced.is(line, scanner, this.#judge.last));
            if (!this.#judge.line(line, scanner, leaps)) this.#beyond(first, line, scanner);
          }
          if (this.#told.length > 0) await this.#settled();
          if (++this.#lineCount % LINES_BETWEEN_PROGRESS === 0) {
            await this.#listener.progress?.(this.#index, segments.length);
          }
        }
        at = scanner.position;
      }
      if (tail) this.#passed.tail = tail.said;
      if (!tail || end.bound > 0) this.#judge.end(scanner.position, end.expectedBytes);
    } catch (error) {
      // What a listener throws is not the medium's.
      if (this.#refused) throw error;
      const detail = `can't be read: ${systemCode(error) || String(error)}`;
      this.#judge.lost('io', first, at, Math.max(0, size - at), detail);
    } finally {
      await file.close().catch(() => undefined);
    }
    this.#passed.bytes += size;
  }

  /** The mark that comes next says that more was synced than stands before it. */
  #cut({ missingBytes, missedAt }: DurableEnd): void {
    if (missingBytes === 0) return;
    const detail = `${missingBytes} bytes that were synced before here are not there any more`;
    this.#judge.report('bounds', missedAt, 0, detail, undefined, missingBytes);
  }

  #torn(first: number, { at, bytes }: { at: number; bytes: number }): void {
    this.#tell(this.#listener.torn?.(segmentName(first), at, bytes));
  }

  /** A line that need not have been synced: what can't be read of it. */
  #beyond(first: number, line: Scanned, scanner: Scanner): void {
    if (line === 'damaged' || line === 'torn') this.#torn(first, scanner);
    if (scanner.feed === 'damaged') this.#torn(first, { at: scanner.at + scanner.bytes - 1, bytes: 1 });
  }

  /** Behind the last mark: what a gateway makes of it when it starts. */
  #tailLine(tail: TailReader, line: Scanned, scanner: Scanner): void {
    const first = this.#segments[this.#index];
    if (line === 'damaged' || line === 'torn' || line === 'blank') {
      this.#judge.torn(scanner);
      tail.hole(scanner.at);
    } else if ('offset' in line) {
      this.#inTail = true;
      tail.entry(line, tail.summary.holeAt < 0 && this.#judge.tail(line, scanner));
      this.#inTail = false;
    } else if (line.kind !== 'mark' && !this.#judge.tailHeader(line, scanner)) {
      this.#torn(first, scanner);
    }
    this.#beyond(first, line, scanner);
  }

  #entry(entry: Entry): void {
    const { entry: durable, tailEntry } = this.#listener;
    this.#tell((this.#inTail ? tailEntry : durable)?.call(this.#listener, entry));
  }

  /** A segment of the list isn't there any more. */
  async #gone(first: number): Promise<void> {
    const left = segmentsIn(await this.#storage.list(this.#directory));
    const oldest = left[0] ?? Number.POSITIVE_INFINITY;
    if (this.#index === this.#segments.length - 1) {
      // A new segment into which nothing could be written is taken back.
      this.#passed.removed++;
    } else if (oldest > first) {
      // Retention takes the oldest ones, while this goes on.
      this.#passed.removed++;
      this.#judge.restart();
    } else {
      this.#judge.lost('missing', first, 0, 0, 'the segment has gone');
    }
  }

  #tell(told: Told): void {
    if (told) this.#told.push(told);
  }

  async #settled(): Promise<void> {
    const told = this.#told;
    if (told.length === 0) return;
    this.#told = [];
    this.#refused = true;
    await Promise.all(told);
    this.#refused = false;
  }
}

class TailReader {
  readonly summary: Tail;

  constructor(segment: string, bound: number, size: number) {
    this.summary = {
      ...{ segment, at: bound, bytes: size - bound },
      ...{ readings: 0, gaps: 0, holeAt: -1, readingsBehindHole: 0 },
    };
  }

  /** undefined: nothing but marks stands there, as in every journal that was closed in order. */
  get said(): Tail | undefined {
    const { readings, gaps, holeAt } = this.summary;
    return readings + gaps > 0 || holeAt >= 0 ? this.summary : undefined;
  }

  hole(at: number): void {
    if (this.summary.holeAt < 0) this.summary.holeAt = at;
  }

  entry({ kind }: Entry, taken: boolean): void {
    if (this.summary.holeAt >= 0) this.summary.readingsBehindHole += kind === 'reading' ? 1 : 0;
    else if (taken && kind === 'reading') this.summary.readings++;
    else if (taken && kind === 'gap') this.summary.gaps++;
  }
}
