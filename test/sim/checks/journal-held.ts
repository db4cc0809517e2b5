import type { Inode } from '../disk/inode.js';

/** One reading that has been durable in the journal at any time. */
export interface Held {
  readonly key: string;
  readonly device: string;
  readonly epoch: number;
  readonly seq: number;
  /** When it became durable first, in virtual ms. */
  readonly sinceMs: number;
  /** Sound lines that hold it now. */
  copies: number;
  /** The highest offset of such a line. */
  highest: number;
  /** A mark says that one of its lines was synced. */
  marked: boolean;
  receipted: boolean;
  published: boolean;
  /** Retention has let it go, after it had been published. */
  retired: boolean;
  /** The medium has destroyed a line of it. */
  destroyed: boolean;
}

/** One file of the journal that has been durable. */
export interface Segment {
  readonly file: Inode;
  readonly first: number;
  parsedBytes: number;
  /** A hole in what never was synced: nothing behind it is part of the journal. */
  ended: boolean;
  marked: number;
  /** Of its header and gaps. */
  readonly offsets: number[];
  readonly lines: {
    readonly at: number;
    readonly end: number;
    readonly offset: number;
    readonly held: Held;
  }[];
}

export function segmentFirst(name: string): number {
  return Number(/^(\d{20})\.jsonl$/.exec(name)?.[1] ?? -1);
}

/**
 * Of a segment that was not ended in order, only the next header says that its last lines were synced. Where that header
 * is destroyed, they are lost with it.
 */
export function loseUnproven(segments: Iterable<Segment>, destroyed: Inode): void {
  const first = segmentFirst(destroyed.name);
  let before: Segment | undefined;
  for (const segment of segments)
    if (segment.first < first && segment.first > (before?.first ?? 0)) before = segment;
  if (before === undefined) return;
  const sound = before.file.destroyed.length === 0;
  for (const { end, held } of before.lines) if (!sound || end > before.marked) held.destroyed = true;
}

/**
 * A hole in the newest segment: the mark that proves what lies behind it may be gone or may never come, and of what nobody
 * proves, nothing behind a hole is taken up.
 */
export function loseBehind({ lines }: Segment, from: number): void {
  for (const { end, held } of lines) if (end > from) held.destroyed = true;
}
