import type { Inode } from '../disk/inode.js';
import type { Life } from '../kernel/life.js';
import type { ReadingLine } from './journal-line.js';

/** One reading that has been durable in the journal at any time. */
export interface Held {
  readonly key: string;
  readonly device: string;
  readonly epoch: number;
  readonly seq: number;
  readonly tag8: string;
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
  /** It came with a backup. */
  copied: boolean;
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

export function newlyHeld(key: string, { device, epoch, seq, tag8 }: ReadingLine, sinceMs: number): Held {
  const not = {
    marked: false,
    receipted: false,
    published: false,
    retired: false,
    destroyed: false,
    copied: false,
  };
  return { key, device, epoch, seq, tag8, sinceMs, copies: 0, highest: 0, ...not };
}

export function key(device: string, epoch: number, seq: number, tag8: string): string {
  return `${device}/${epoch}/${seq}/${tag8}`;
}

export function segmentFirst(name: string): number {
  return Number(/^(\d{20})\.jsonl$/.exec(name)?.[1] ?? -1);
}

/**
 * Of a segment that was not ended in order, only the next header says that its last lines were synced. Where that header
 * is destroyed, they are lost with it.
 */
function loseUnproven(segments: Iterable<Segment>, destroyed: Inode): void {
  const first = segmentFirst(destroyed.name);
  let before: Segment | undefined;
  for (const segment of segments)
    if (segment.first < first && segment.first > (before?.first ?? 0)) before = segment;
  if (before === undefined) return;
  const sound = before.file.destroyed.length === 0;
  for (const { end, held } of before.lines) if (!sound || end > before.marked) held.destroyed = true;
}

/** A header is no longer. */
const HEADER_BYTES = 256;

/** The medium has destroyed bytes of a file, the last ones that it names. */
export function destroyLines(
  segments: ReadonlyMap<Inode, Segment>,
  file: Inode,
  from: number,
  to: number,
): void {
  const segment = segments.get(file);
  const lines = segment?.lines ?? [];
  const next = segment && segmentAfter(segments.values(), segment);
  if (from < HEADER_BYTES) loseUnproven(segments.values(), file);
  if (next?.file.isDestroyed(0, HEADER_BYTES)) loseUnproven(segments.values(), next.file);
  for (const line of lines) {
    // The line feed before it belongs to it too.
    if (line.at > to || line.end <= from) continue;
    const before = file.destroyed.slice(0, -1).some(range => range.from < line.end && range.to >= line.at);
    if (!before) line.held.copies--;
    line.held.destroyed = true;
  }
  if (segment !== undefined && next === undefined) loseBehind(segment, from);
}

function segmentAfter(segments: Iterable<Segment>, { first }: Segment): Segment | undefined {
  let next: Segment | undefined;
  for (const segment of segments)
    if (segment.first > first && segment.first < (next?.first ?? Number.POSITIVE_INFINITY)) next = segment;
  return next;
}

/** Where lines of the last segment, which a process has written, are in no mark; '' when there are none. */
export function unmarkedIn(segments: Iterable<Segment>, life: Life | undefined): string {
  const last = lastOf(segments);
  const line = last?.lines.at(-1);
  if (last === undefined || line === undefined || line.end <= last.marked) return '';
  return last.file.creator === life ? `${last.file.path} from ${last.marked}` : '';
}

function lastOf(segments: Iterable<Segment>): Segment | undefined {
  let last: Segment | undefined;
  for (const segment of segments) if (last === undefined || segment.first > last.first) last = segment;
  return last;
}

/**
 * A hole in the newest segment: the mark that proves what lies behind it may be gone or may never come, and of what nobody
 * proves, nothing behind a hole is taken up.
 */
function loseBehind({ lines }: Segment, from: number): void {
  for (const { end, held } of lines) if (end > from) held.destroyed = true;
}
