/** What a segment says of itself, found without trusting it. */
import { systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import { type HeaderLine, LineReader } from './line-reader.js';
import { segmentName } from './names.js';
import { Scanner } from './scanner.js';

const HEADER_BUFFER_BYTES = 4096;

/**
 * The header line; undefined when it is damaged or speaks of another segment.
 *
 * @param any also one that speaks of another segment
 */
export async function readHeader(
  storage: Storage,
  directory: string,
  first: number,
  any = false,
): Promise<HeaderLine | undefined> {
  const file = await storage.open(`${directory}/${segmentName(first)}`, 'read');
  try {
    const scanner = new Scanner(file, new LineReader(), 0, await file.size(), HEADER_BUFFER_BYTES);
    if (!(await scanner.fill())) return undefined;
    const line = scanner.take();
    if (typeof line !== 'object' || line.kind !== 'header') return undefined;
    if (line.first !== first && !any) return undefined;
    return line;
  } finally {
    await file.close();
  }
}

/**
 * What the sound marks of a segment say. Whatever stands before a mark that says of anything to be synced was synced:
 * a batch begins where the synced bytes end. So this holds even where bytes have been cut out or put in.
 */
export interface Marks {
  /** Bytes that are known to have been synced. */
  synced: number;
  /** Bytes that had been synced before the last mark, and are not there any more … */
  missingBytes: number;
  /** … as the mark that stands here shows first. */
  missedAt: number;
}

/** Goes through the whole file. */
export async function readMarks(file: StorageFile, lines: LineReader): Promise<Marks> {
  const scanner = new Scanner(file, lines, 0, await file.size());
  const marks: Marks = { synced: 0, missingBytes: 0, missedAt: -1 };
  while (await scanner.fill()) {
    for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
      if (typeof line !== 'object' || line.kind !== 'mark') continue;
      if (line.synced === 0) continue;
      marks.synced = scanner.at;
      const missing = line.synced - scanner.at;
      if (missing > 0 && marks.missingBytes === 0) marks.missedAt = scanner.at;
      marks.missingBytes = Math.max(0, missing);
    }
  }
  return marks;
}

/** How many bytes of a segment its sound marks say to be synced. */
export async function markedBytes(file: StorageFile, lines: LineReader): Promise<number> {
  return (await readMarks(file, lines)).synced;
}

/** How far a segment is durable. */
export interface DurableEnd {
  /** Lines up to here had been synced … */
  bound: number;
  /** … those up to this offset, wherever they stand; 0: not known. */
  last: number;
  /** How far to read. */
  to: number;
  /** How long the file should be at least. */
  expectedBytes: number;
  /** As in `Marks`, where it is the marks that say. */
  missingBytes: number;
  missedAt: number;
}

/**
 * @param known bytes, where the process that writes the journal asks
 * @param strict a header that can't be read is an error, and not a damaged one
 */
export async function durableEnd(
  { storage, directory, segments }: { storage: Storage; directory: string; segments: readonly number[] },
  first: number,
  file: StorageFile,
  lines: LineReader,
  known?: number,
  strict = false,
): Promise<DurableEnd> {
  const none = { missingBytes: 0, missedAt: -1 };
  if (known !== undefined) return { bound: known, last: 0, to: known, expectedBytes: known, ...none };
  const header = await nextHeader({ storage, directory, segments }, first, strict);
  if (header?.previous?.first !== first) {
    const { synced, ...missing } = await readMarks(file, lines);
    return { bound: synced, last: 0, to: await file.size(), expectedBytes: synced, ...missing };
  }
  const { bytes, last } = header.previous;
  const to = await file.size();
  return { bound: bytes, last, to, expectedBytes: bytes, ...none };
}

/** The first sound header behind a segment: those of segments that were given up at once may be torn. */
async function nextHeader(
  { storage, directory, segments }: { storage: Storage; directory: string; segments: readonly number[] },
  first: number,
  strict: boolean,
): Promise<HeaderLine | undefined> {
  for (const other of segments) {
    if (other <= first) continue;
    try {
      const header = await readHeader(storage, directory, other);
      if (header !== undefined) return header;
    } catch (error) {
      if (strict && systemCode(error) !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
