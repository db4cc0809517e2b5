/**
 * Names in the journal's directory. A segment is called by the offset of its header, 20 digits, so that names
 * sort as offsets do. Everything else in the directory is left alone.
 */
import { MAX_OFFSET } from './entry.js';

/** Where repair moves originals. */
export const ASIDE = 'aside';
/** Ends the name of a segment that repair is making … */
export const COPY_SUFFIX = '.repair';
/** … and of one on its way to its right name. */
export const MOVED_SUFFIX = '.moved';

const SEGMENT = /^[0-9]{20}\.jsonl$/;

export function segmentName(first: number): string {
  return `${String(first).padStart(20, '0')}.jsonl`;
}

/** The offset in a segment's name; undefined for other files, and beyond `MAX_OFFSET`. */
export function segmentFirst(name: string): number | undefined {
  if (!SEGMENT.test(name)) return undefined;
  const first = Number(name.slice(0, 20));
  return first > 0 && first <= MAX_OFFSET ? first : undefined;
}

/** The segments among the names of a directory, ascending. */
export function segmentsIn(names: readonly string[]): number[] {
  const segments: number[] = [];
  for (const name of names) {
    const first = segmentFirst(name);
    if (first !== undefined) segments.push(first);
  }
  return segments.sort((a, b) => a - b);
}

/** Whether a repair that was stopped has left this name. */
export function isLeftOver(name: string): boolean {
  return (
    (name.endsWith(COPY_SUFFIX) || name.endsWith(MOVED_SUFFIX)) &&
    segmentFirst(name.slice(0, 26)) !== undefined
  );
}

/** Name of the note in `aside/` that what was lost without a trace before this offset has been seen by repair. */
export function lostNote(offset: number): string {
  return `${String(offset).padStart(20, '0')}.lost`;
}

/** The offset in the name of such a note; 0 for other names. */
export function lostNoteOffset(name: string): number {
  return /^[0-9]{20}\.lost$/.test(name) ? Number(name.slice(0, 20)) : 0;
}

/** Name of the note in `aside/` that a segment was missed before this one when the journal was repaired. */
export function missingNote(segment: string): string {
  return `${segment}.missing`;
}
