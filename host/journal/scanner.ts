/**
 * Goes through a segment line by line with one buffer, whatever the file's size.
 *
 * A damaged line costs that line alone. When its line feed was damaged too, the lines on both sides are still found
 * whole by their checksums.
 */
import type { StorageFile } from '../ports.js';
import { checksumHolds, type Line, type LineReader } from './line-reader.js';
import { MAX_LINE_BYTES, TRAILER_BYTES } from './line-writer.js';
import { readThrough } from './read-through.js';

const BUFFER_BYTES = 256 * 1024;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
const LINE_BEGIN = 0x7b;
/** Each costs a checksum. */
const MAX_TRIES = 64;
const LINE_BEGINS = Buffer.from('{"');
const TRAILER_BEGIN = Buffer.from(',"c":"');

/** `torn`: the file ends within the line; `blank`: nothing but spaces, where repair has taken damage out. */
export type Scanned = Line | 'damaged' | 'torn' | 'blank';

export class Scanner {
  readonly #file: StorageFile;
  readonly #reader: LineReader;
  #to: number;
  #buffer: Buffer;
  /** Place in the file of the buffer's begin; the buffer holds [#at, #end). */
  #base: number;
  #at = 0;
  #end = 0;
  #ended = false;
  /** Set by take(): where the line stands in the file, with its line feed. */
  at = 0;
  bytes = 0;
  /** Set by take(): the line is sound, but its line feed is not (`damaged`), or is not there (`cut`). */
  feed: 'sound' | 'damaged' | 'cut' = 'sound';
  /** Bytes read from the file so far. */
  bytesRead = 0;
  /** What can't be read is damaged, even where nothing can be read. */
  dead = false;

  /** Scans [from, to) of a file; `from` is where a line begins. */
  constructor(file: StorageFile, reader: LineReader, from: number, to: number, bufferBytes = BUFFER_BYTES) {
    this.#file = file;
    this.#reader = reader;
    this.#base = from;
    this.#to = to;
    this.#buffer = Buffer.allocUnsafe(Math.max(bufferBytes, 2 * MAX_LINE_BYTES));
  }

  /** Reads on; false at the end. Throws what the storage throws. */
  async fill(): Promise<boolean> {
    if (this.#ended) return false;
    if (this.#at > 0) {
      this.#buffer.copyWithin(0, this.#at, this.#end);
      this.#base += this.#at;
      this.#end -= this.#at;
      this.#at = 0;
    }
    const want = Math.min(this.#buffer.length - this.#end, this.#to - this.#base - this.#end);
    const target = this.#buffer.subarray(this.#end, this.#end + want);
    const got = want > 0 ? await readThrough(this.#file, target, this.#base + this.#end, this.dead) : 0;
    this.#end += got;
    this.bytesRead += got;
    if (got < want || this.#base + this.#end >= this.#to) this.#ended = true;
    return this.#end > 0;
  }

  /** More of the file has become readable: `to` is where a line ends. */
  extend(to: number): void {
    if (to <= this.#to) return;
    this.#to = to;
    this.#ended = false;
  }

  /** The next line of what has been read; undefined: fill() first. */
  take(): Scanned | undefined {
    if (this.#at >= this.#end) return undefined;
    this.feed = 'sound';
    const feed = this.#buffer.indexOf(LINE_FEED, this.#at);
    if (feed >= 0 && feed < this.#end) {
      const line = this.#reader.parse(this.#buffer, this.#at, feed);
      if (line) return this.#found(line, feed + 1);
      if (this.#isBlank(feed)) return this.#found('blank', feed + 1);
      return this.#salvage(feed + 1) ?? this.#found('damaged', this.#innerLine(feed) ?? feed + 1);
    }
    if (this.#ended) return this.#salvage(this.#end) ?? this.#found('torn', this.#end);
    // Longer than any line: no use in waiting for its end. A line that begins within may end with it, though.
    if (this.#end - this.#at > MAX_LINE_BYTES)
      return this.#salvage(this.#end) ?? this.#found('damaged', this.#end - MAX_LINE_BYTES);
    return undefined;
  }

  /** How far the file has been read. */
  get position(): number {
    return this.#base + this.#end;
  }

  /** The bytes of the line that take() gave last, at most `max`; valid until the next fill(). */
  copy(max = 16 * 1024): Uint8Array {
    const from = this.at - this.#base;
    return Uint8Array.from(this.#buffer.subarray(from, from + Math.min(this.bytes, max)));
  }

  #found(line: Scanned, end: number): Scanned {
    this.at = this.#base + this.#at;
    this.bytes = end - this.#at;
    this.#at = end;
    return line;
  }

  #isBlank(end: number): boolean {
    let at = this.#at;
    while (at < end && this.#buffer[at] === SPACE) at++;
    return at === end;
  }

  /** Where a sound line begins that ends at `feed`, when the line feed before it is among the damage. */
  #innerLine(feed: number): number | undefined {
    const buffer = this.#buffer;
    let at = Math.max(this.#at + 1, feed - MAX_LINE_BYTES);
    for (let tries = 0; tries < MAX_TRIES && at < feed; tries++, at++) {
      at = buffer.indexOf(LINE_BEGINS, at);
      if (at < 0 || at >= feed) return undefined;
      if (checksumHolds(buffer, at, feed) && this.#reader.parse(buffer, at, feed)) return at;
    }
    return undefined;
  }

  /** Looks within [#at, end) for a sound line that isn't followed by a line feed. */
  #salvage(end: number): Scanned | undefined {
    const buffer = this.#buffer;
    let trailer = this.#at;
    for (;;) {
      trailer = buffer.indexOf(TRAILER_BEGIN, trailer + 1);
      const stop = trailer + TRAILER_BYTES - 1;
      if (trailer < 0 || stop > end || stop - this.#at > MAX_LINE_BYTES) return undefined;
      if (!checksumHolds(buffer, this.#at, stop)) continue;
      const line = this.#reader.parse(buffer, this.#at, stop);
      if (!line) return undefined;
      if (stop >= end) {
        this.feed = 'cut';
        return this.#found(line, end);
      }
      // When the byte in its place begins the next line, the line feed has been cut out.
      const cut = buffer[stop] === LINE_BEGIN && (stop + 1 >= end || buffer[stop + 1] !== LINE_BEGIN);
      if (buffer[stop] !== LINE_FEED) this.feed = cut ? 'cut' : 'damaged';
      return this.#found(line, cut ? stop : stop + 1);
    }
  }
}
