/** How large and how old the journal is, asked of the files once for each segment. */
import { systemCode } from '../fault.js';
import { segmentName } from './names.js';
import type { SegmentView } from './reader.js';
import { readHeader } from './segment.js';

export class Extent {
  readonly #view: SegmentView;
  readonly #sizes = new Map<number, number>();
  #oldest: { readonly first: number; readonly at: number | undefined } | undefined;

  constructor(view: SegmentView) {
    this.#view = view;
  }

  /** Bytes of all segments. @throws the storage's error */
  async size(): Promise<number> {
    const segments = [...this.#view.segments];
    for (const first of this.#sizes.keys()) {
      // They were taken in ascending, and go so.
      if (segments.length > 0 && first >= segments[0]) break;
      this.#sizes.delete(first);
    }
    let total = 0;
    for (const first of segments) total += this.#view.bound(first) ?? (await this.#size(first));
    return total;
  }

  /** When the oldest segment began, Unix ms; undefined when its header does not tell. @throws the storage's error */
  async oldestAt(): Promise<number | undefined> {
    const { storage, directory, segments } = this.#view;
    const first = segments[0];
    if (first === undefined) return undefined;
    if (this.#oldest?.first !== first)
      this.#oldest = { first, at: (await readHeader(storage, directory, first))?.at };
    return this.#oldest.at;
  }

  /** Of a segment that an earlier process has written: it does not change any more. 0 for one that has just gone. */
  async #size(first: number): Promise<number> {
    const known = this.#sizes.get(first);
    if (known !== undefined) return known;
    const { storage, directory } = this.#view;
    const file = await storage.open(`${directory}/${segmentName(first)}`, 'read').catch(error => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    const bytes = (await file?.size().finally(() => file.close())) ?? 0;
    this.#sizes.set(first, bytes);
    return bytes;
  }
}
