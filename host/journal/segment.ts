/** What a segment says of itself, found without trusting it. */
import type { Storage, StorageFile } from '../ports.js';
import { type HeaderLine, LineReader } from './line-reader.js';
import { segmentName } from './names.js';
import { Scanner } from './scanner.js';

const HEADER_BUFFER_BYTES = 4096;

/** The header line; undefined when it is damaged or speaks of another segment. */
export async function readHeader(
  storage: Storage,
  directory: string,
  first: number,
): Promise<HeaderLine | undefined> {
  const file = await storage.open(`${directory}/${segmentName(first)}`, 'read');
  try {
    const scanner = new Scanner(file, new LineReader(), 0, await file.size(), HEADER_BUFFER_BYTES);
    if (!(await scanner.fill())) return undefined;
    const line = scanner.take();
    if (typeof line !== 'object' || line.kind !== 'header' || line.first !== first) return undefined;
    return line;
  } finally {
    await file.close();
  }
}

/**
 * How many bytes of a segment are known to have been synced: what its last sound mark says. Goes through the
 * whole file.
 */
export async function markedBytes(file: StorageFile, lines: LineReader): Promise<number> {
  const scanner = new Scanner(file, lines, 0, await file.size());
  let synced = 0;
  while (await scanner.fill()) {
    for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
      if (typeof line === 'object' && line.kind === 'mark' && line.synced <= scanner.at) {
        synced = Math.max(synced, line.synced);
      }
    }
  }
  return synced;
}
