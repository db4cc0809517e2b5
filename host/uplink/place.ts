/** How far an uplink has got in the journal. */
import type { OffsetRange } from '../journal/cursor.js';

export interface Place {
  /** Everything below has been passed. */
  readonly offset: number;
  /** Ranges [from, to) above it that have been passed as well; ascending, apart from each other. */
  readonly ranges: readonly OffsetRange[];
}

export function samePlace(a: Place, b: Place): boolean {
  return (
    a.offset === b.offset &&
    a.ranges.length === b.ranges.length &&
    a.ranges.every(([from, to], i) => from === b.ranges[i][0] && to === b.ranges[i][1])
  );
}

/** The same place with one range more, and with what touches or overlaps made one. */
export function withRange({ offset, ranges }: Place, added: OffsetRange): Place {
  const sorted = [...ranges, added].filter(([from, to]) => to > from).sort((a, b) => a[0] - b[0]);
  let base = offset;
  const merged: OffsetRange[] = [];
  for (const [from, to] of sorted) {
    const last = merged.at(-1);
    if (from <= base) base = Math.max(base, to);
    else if (last !== undefined && from <= last[1])
      merged[merged.length - 1] = [last[0], Math.max(last[1], to)];
    else merged.push([from, to]);
  }
  return { offset: base, ranges: merged };
}
