/**
 * Hands out durable entries from an offset on, with one buffer of memory whatever the backlog.
 *
 * What the medium has destroyed costs the lines it stood in: they are reported as damage, and once the next
 * line of that device or the next snapshot shows what is missing, as a gap entry with the link name `journal`
 * and the offset of the line where it was noticed.
 */
import type { Storage, StorageFile } from '../ports.js';
import type { Damage, DamageListener, DamageReason, Entry } from './entry.js';
import { type HeaderLine, LineReader } from './line-reader.js';
import { LossFinder } from './loss.js';
import { segmentName } from './names.js';
import { Scanner } from './scanner.js';
import { markedBytes, readHeader } from './segment.js';

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
}

interface Current {
  first: number;
  file: StorageFile;
  scanner: Scanner;
  bound: number;
  header: HeaderLine | undefined;
  /** Lines of the snapshot: sound ones, and those that repair has blanked. */
  devices: number;
  blanks: number;
  /** The snapshot is over. */
  body: boolean;
  /** Its header speaks of another segment: so does its snapshot. */
  foreign: boolean;
  /** First offset of the next segment, which none here may reach. */
  limit: number;
}

export class JournalReader {
  readonly #view: SegmentView;
  readonly #damaged: DamageListener | undefined;
  readonly #lines = new LineReader();
  readonly #losses = new LossFinder();
  readonly #from: number;
  #offset: number;
  #current: Current | undefined;
  /** The last segment gone through; 0: none yet. */
  #passed = 0;
  /** Offset of the last sound line. */
  #last = 0;
  #out: Entry[] = [];
  #busy = false;

  constructor(view: SegmentView, fromOffset: number, options: ReaderOptions = {}) {
    this.#view = view;
    this.#from = fromOffset;
    this.#offset = fromOffset;
    this.#damaged = options.damaged;
  }

  /** Everything below has been handed out. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * The next entries, at least one when there is any; none at the durable end (look again when the journal
   * reports more). A gap that is noticed may come on top of `maxEntries`. One call at a time.
   *
   * @throws the storage's error when the disk can't be read at all; calling again goes on where it stopped
   */
  async next(maxEntries: number): Promise<Entry[]> {
    if (this.#busy) throw new Error('JournalReader.next() called while it runs');
    this.#busy = true;
    try {
      while (this.#out.length < maxEntries) {
        this.#current ??= await this.#open();
        const current = this.#current;
        if (!current) break;
        const line = current.scanner.take();
        if (line !== undefined) {
          this.#line(current, line);
          continue;
        }
        if (this.#out.length > 0 && current.scanner.position >= current.bound) break;
        if (await current.scanner.fill()) continue;
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
    await current?.file.close();
  }

  async #open(): Promise<Current | undefined> {
    const first = this.#following();
    if (first === undefined) return undefined;
    const name = segmentName(first);
    let file: StorageFile;
    try {
      file = await this.#view.storage.open(`${this.#view.directory}/${name}`, 'read');
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
      this.#report('missing', first, 0, 0, 'the segment has gone');
      this.#passed = first;
      return this.#open();
    }
    try {
      const bound = await this.#bound(first, file);
      const scanner = new Scanner(file, this.#lines, 0, bound);
      if (this.#passed === 0 && this.#from > 1 && this.#from < first) {
        this.#report('missing', first, 0, 0, `nothing holds the offsets from ${this.#from} to ${first - 1}`);
      }
      const limit = this.#view.segments.find(other => other > first) ?? Number.POSITIVE_INFINITY;
      return {
        first,
        file,
        scanner,
        bound,
        header: undefined,
        devices: 0,
        blanks: 0,
        body: false,
        foreign: false,
        limit,
      };
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
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

  async #bound(first: number, file: StorageFile): Promise<number> {
    const known = this.#view.bound(first);
    if (known !== undefined) return known;
    const { segments, storage, directory } = this.#view;
    const next = segments.find(other => other > first);
    const header =
      next === undefined ? undefined : await readHeader(storage, directory, next).catch(() => undefined);
    if (header?.previous?.first !== first) return markedBytes(file, this.#lines);
    const size = await file.size();
    const { bytes } = header.previous;
    if (bytes > size) {
      this.#report('bounds', first, size, bytes - size, `${bytes} bytes were synced, ${size} are there`);
    }
    return Math.min(bytes, size);
  }

  /** At the end of what is durable; true: there is more to read. */
  async #end(current: Current): Promise<boolean> {
    const bound = this.#view.bound(current.first) ?? current.bound;
    if (bound > current.bound) {
      current.bound = bound;
      current.scanner.extend(bound);
      return true;
    }
    const { segments } = this.#view;
    if (!segments.some(first => first > current.first)) return false;
    this.#current = undefined;
    this.#passed = current.first;
    this.#checkEnd(current);
    await current.file.close();
    return true;
  }

  #line(current: Current, line: NonNullable<ReturnType<Scanner['take']>>): void {
    const { scanner, first } = current;
    if (line === 'damaged' || line === 'torn') {
      this.#losses.hole();
      const reason = scanner.at === 0 ? 'header' : this.#inSnapshot(current) ? 'device' : 'line';
      if (reason !== 'line') this.#losses.incomplete();
      this.#report(reason, first, scanner.at, scanner.bytes, 'fails its checksum', scanner.copy());
    } else if (line === 'blank') {
      if (scanner.at === 0 || this.#inSnapshot(current)) {
        current.blanks++;
        this.#losses.incomplete();
      }
    } else if (line.kind === 'header') {
      this.#header(current, line);
    } else if (line.kind === 'device') {
      current.devices++;
      if (current.foreign) return;
      const gap = this.#losses.snapshot(line.device, line.position, current.header?.at ?? 0, first);
      if (gap && first >= this.#from) this.#out.push(gap);
    } else {
      current.body = true;
      if (line.kind !== 'mark') this.#entry(current, line);
    }
  }

  /** Between a header and the first line after its snapshot. */
  #inSnapshot({ header, devices, body }: Current): boolean {
    return header !== undefined && !body && devices < header.devices;
  }

  #header(current: Current, header: HeaderLine): void {
    const { scanner, first } = current;
    if (scanner.at !== 0 || header.first !== first) {
      const detail = `a header of segment ${header.first} stands here`;
      this.#report('header', first, scanner.at, scanner.bytes, detail, scanner.copy());
      this.#losses.hole();
      this.#losses.incomplete();
      current.foreign = true;
      return;
    }
    current.header = header;
    if (first !== this.#last + 1) this.#losses.hole();
    this.#last = Math.max(this.#last, first);
    this.#losses.header();
    const { previous } = header;
    if (this.#passed > 0 && previous && previous.first > this.#passed) {
      const detail = `the segment before, ${segmentName(previous.first)}, with offsets to ${previous.last}`;
      this.#report('missing', first, 0, 0, `${detail}, is not there`);
    }
  }

  #checkEnd({ header, devices, blanks, first, scanner, bound }: Current): void {
    if (scanner.position < bound) {
      const missing = bound - scanner.position;
      this.#report('bounds', first, scanner.position, missing, `the file ends ${missing} bytes too early`);
    }
    if (!header || header.devices === devices || blanks > 0) return;
    this.#report(
      'counts',
      first,
      0,
      0,
      `the header announces ${header.devices} devices, ${devices} are there`,
    );
  }

  #entry({ scanner, first, limit }: Current, entry: Entry): void {
    const { offset } = entry;
    if (offset <= this.#last || offset <= first || offset >= limit) {
      this.#losses.hole();
      const detail = `offset ${offset} does not belong between ${Math.max(this.#last, first)} and ${limit}`;
      this.#report('order', first, scanner.at, scanner.bytes, detail, scanner.copy());
      return;
    }
    if (offset !== this.#last + 1) this.#losses.hole();
    this.#last = offset;
    const gap = this.#losses.entry(entry);
    if (offset < this.#from) return;
    if (gap) this.#out.push(gap);
    this.#out.push(entry);
  }

  #report(
    reason: DamageReason,
    first: number,
    at: number,
    bytes: number,
    detail: string,
    copy: Uint8Array = new Uint8Array(0),
  ): void {
    const damage: Damage = { reason, segment: segmentName(first), at, bytes, detail, copy };
    this.#damaged?.(damage);
  }
}
