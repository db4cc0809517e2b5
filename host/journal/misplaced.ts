/**
 * Sound lines in a wrong place: a block that belongs further behind, written here by a medium or a file system that
 * has lost its way.
 *
 * Offsets rise by one within a segment. When one leaps, either the lines in between have been cut out, or the leaping
 * lines don't belong here: then those in between follow, and believing the leap would cost all of them.
 */
import type { StorageFile } from '../ports.js';
import type { Entry } from './entry.js';
import { LineReader } from './line-reader.js';
import { Scanner } from './scanner.js';

/** Each costs a pass over the rest of the segment; a segment with more leaps is believed as it comes. */
const MAX_LOOKS = 32;

export class Misplaced {
  readonly #file: StorageFile;
  #to: number;
  #looks = 0;
  /** Where the misplaced block ends that was found last: the same lines may stand in their right place too. */
  #until = 0;

  constructor(file: StorageFile, to: number) {
    this.#file = file;
    this.#to = to;
  }

  extend(to: number): void {
    this.#to = to;
  }

  /**
   * Whether more of the lines between `last` and this one follow than come with it.
   *
   * @throws the storage's error
   */
  async is({ offset }: Entry, { at, bytes }: Scanner, last: number): Promise<boolean> {
    if (at < this.#until) return true;
    if (++this.#looks > MAX_LOOKS) return false;
    const scanner = new Scanner(this.#file, new LineReader(), at + bytes, this.#to);
    let end = offset;
    let until = at + bytes;
    let between = 0;
    while (await scanner.fill()) {
      for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
        if (typeof line !== 'object' || !('offset' in line)) continue;
        if (between === 0 && line.offset === end + 1) {
          end++;
          until = scanner.at + scanner.bytes;
        } else if (line.offset > last && line.offset < offset) between++;
      }
    }
    if (between <= end - offset + 1) return false;
    this.#until = until;
    return true;
  }
}
