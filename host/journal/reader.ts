/**
 * Hands out durable entries from an offset on, with one buffer of memory whatever the backlog.
 *
 * What the medium has destroyed costs the lines it stood in: they are reported as damage, and once the next
 * line of that device or the next snapshot shows what is missing, as a gap entry with the link name `journal`
 * and the offset of the line where it was noticed.
 */
import { systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import type { DamageListener, Entry } from './entry.js';
import { LineJudge } from './judge.js';
import { LineReader } from './line-reader.js';
import { Misplaced } from './misplaced.js';
import { segmentName } from './names.js';
import type { Patience } from './patience.js';
import { type Scanned, Scanner } from './scanner.js';
import { type DurableEnd, durableEnd } from './segment.js';

export interface ReaderOptions {
  /** Called for each damaged range found, in order, before the entries that come after it. */
  damaged?: DamageListener;
}

/** What a reader sees of the journal's directory. */
export interface SegmentView {
  readonly directory: string;
  readonly storage: Storage;
  /** Segments that hold durable bytes, ascending. Changes as segments come and go. */
  readonly segments: readonly number[];
  /** Durable bytes of a segment; undefined: not known, the files must say. */
  bound(first: number): number | undefined;
  /** Outlives readers; absent: what can't be read is an error for ever. */
  readonly patience?: Patience;
}

interface Current {
  first: number;
  file: StorageFile;
  scanner: Scanner;
  misplaced: Misplaced;
  /** How far to read, and how far there should be something. */
  to: number;
  expectedBytes: number;
  /** What says how far it goes can't be read any more. */
  dead: boolean;
}

export class JournalReader {
  readonly #view: SegmentView;
  readonly #lines = new LineReader();
  readonly #judge: LineJudge;
  readonly #from: number;
  #offset: number;
  #current: Current | undefined;
  /** The last segment gone through; 0: none yet. */
  #passed = 0;
  /** Taken from the scanner, and not judged yet. */
  #line: Scanned | undefined;
  #out: Entry[] = [];
  #busy = false;

  constructor(view: SegmentView, fromOffset: number, options: ReaderOptions = {}) {
    this.#view = view;
    this.#from = fromOffset;
    this.#offset = fromOffset;
    const push = (entry: Entry) => {
      if (entry.offset >= fromOffset) this.#out.push(entry);
    };
    this.#judge = new LineJudge({
      entry: push,
      loss: push,
      damage: damage => options.damaged?.(damage),
      unknown() {},
    });
  }

  /** Everything below has been handed out. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * The next entries, at least one when there is any; none at the durable end (look again when the journal
   * reports more). A gap that is noticed may come on top of `maxEntries`. One call at a time.
   *
   * @throws the storage's error when nothing can be read; calling again goes on where it stopped
   */
  async next(maxEntries: number): Promise<Entry[]> {
    if (this.#busy) throw new Error('JournalReader.next() called while it runs');
    this.#busy = true;
    try {
      while (this.#out.length < maxEntries) {
        this.#current ??= await this.#open();
        const current = this.#current;
        if (!current) break;
        const { scanner } = current;
        this.#line ??= scanner.take();
        const line = this.#line;
        if (line !== undefined) {
          const leaps = this.#judge.leaps(line) && (await this.#isMisplaced(line, current));
          this.#line = undefined;
          this.#judge.line(line, scanner, leaps);
          continue;
        }
        if (this.#out.length > 0 && scanner.position >= current.to) break;
        if (await this.#fill(current)) continue;
        if (!(await this.#end(current))) break;
      }
      const out = this.#out;
      this.#out = [];
      if (out.length > 0) this.#offset = out[out.length - 1].offset + 1;
      return out;
    } finally {
      this.#busy = false;
    }
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    this.#line = undefined;
    await current?.file.close();
  }

  async #fill({ first, scanner, dead }: Current): Promise<boolean> {
    try {
      const more = await scanner.fill();
      if (!dead && !scanner.dead) this.#view.patience?.worked(first);
      return more;
    } catch (error) {
      if (!(await this.#isDead(first, error))) throw error;
      scanner.dead = true;
      return scanner.fill();
    }
  }

  async #isMisplaced(line: Entry, { first, misplaced, scanner }: Current): Promise<boolean> {
    try {
      return await misplaced.is(line, scanner, this.#judge.last);
    } catch (error) {
      if (!(await this.#isDead(first, error))) throw error;
      return false;
    }
  }

  async #isDead(first: number, error: unknown): Promise<boolean> {
    return (await this.#view.patience?.isOver(this.#view, first, error)) ?? false;
  }

  async #durableEnd(
    first: number,
    file: StorageFile,
    known: number | undefined,
  ): Promise<DurableEnd & { dead: boolean }> {
    try {
      const end = await durableEnd(this.#view, first, file, this.#lines, known, true);
      return { ...end, dead: false };
    } catch (error) {
      if (!(await this.#isDead(first, error))) throw error;
      return { ...(await durableEnd(this.#view, first, file, this.#lines, known)), dead: true };
    }
  }

  async #open(): Promise<Current | undefined> {
    const first = this.#following();
    if (first === undefined) return undefined;
    const { storage, directory, segments } = this.#view;
    let file: StorageFile;
    try {
      file = await storage.open(`${directory}/${segmentName(first)}`, 'read');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      this.#judge.lost('missing', first, 0, 0, 'the segment has gone');
      this.#passed = first;
      return this.#open();
    }
    try {
      const known = this.#view.bound(first);
      const end = await this.#durableEnd(first, file, known);
      const limit = segments.find(other => other > first) ?? Number.POSITIVE_INFINITY;
      this.#judge.begin({
        first,
        limit,
        bound: known === undefined ? end.bound : Number.POSITIVE_INFINITY,
        last: end.last,
      });
      if (this.#passed === 0 && this.#from > 1 && this.#from < first) {
        const detail = `nothing holds the offsets from ${this.#from} to ${first - 1}`;
        this.#judge.report('missing', 0, 0, detail);
      }
      const scanner = new Scanner(file, this.#lines, 0, end.to);
      const misplaced = new Misplaced(file, end.to);
      const { to, expectedBytes, dead } = end;
      return { first, file, scanner, misplaced, to, expectedBytes, dead };
    } catch (error) {
      await file.close().catch(() => undefined);
      if (!(await this.#isDead(first, error))) throw error;
      this.#judge.lost('io', first, 0, 0, 'nothing of it can be read');
      this.#passed = first;
      return this.#open();
    }
  }

  /** The segment to go on with: at first the one that holds the offset, then the one after the last. */
  #following(): number | undefined {
    const { segments } = this.#view;
    if (this.#passed > 0) return segments.find(first => first > this.#passed);
    let found = segments[0];
    for (const first of segments) if (first <= this.#from) found = first;
    return found;
  }

  /** At the end of what is durable; true: there is more to read. */
  async #end(current: Current): Promise<boolean> {
    const bound = this.#view.bound(current.first);
    if (bound !== undefined && bound > current.to) {
      current.to = bound;
      current.expectedBytes = bound;
      current.scanner.extend(bound);
      current.misplaced.extend(bound);
      return true;
    }
    const { segments } = this.#view;
    if (!segments.some(first => first > current.first)) return false;
    this.#current = undefined;
    this.#passed = current.first;
    this.#judge.end(current.scanner.position, current.expectedBytes);
    await current.file.close();
    return true;
  }
}
