/**
 * Takes the damage out of segments without deleting anything.
 *
 * A damaged segment is copied with the damaged ranges blanked (spaces and a line feed, of the same length, so
 * that every mark and the next header's `prev` stay true), the copy is synced, the original is moved into
 * `aside/`, and the copy takes its name. A stop at any point leaves the original, or both.
 */
import type { Storage, StorageFile } from '../ports.js';
import { walk } from './check.js';
import type { Damage } from './entry.js';
import { segmentFirst } from './names.js';
import { readThrough } from './read-through.js';

const ASIDE = 'aside';
const COPY_SUFFIX = '.repair';
const BUFFER_BYTES = 256 * 1024;

export interface Repair {
  segment: string;
  /** Where the original is now. */
  movedTo: string;
  blankedBytes: number;
}

interface Range {
  at: number;
  end: number;
}

/**
 * Repairs every damaged segment. Nobody may have the journal open. Missing segments can't be repaired.
 *
 * @throws the storage's error; what was moved so far stays moved, and another run goes on
 */
export async function repair(
  storage: Storage,
  directory: string,
  done: (repair: Repair) => void | Promise<void>,
): Promise<void> {
  await finishEarlier(storage, directory);
  const damaged = new Map<string, Range[]>();
  await walk(storage, directory, 0, { damage: damage => note(damaged, damage) });
  for (const [segment, ranges] of damaged) {
    const blankedBytes = await copyBlanked(storage, directory, segment, ranges);
    const movedTo = await exchange(storage, directory, segment);
    await done({ segment, movedTo, blankedBytes });
  }
}

function note(damaged: Map<string, Range[]>, { reason, segment, at, bytes }: Damage): void {
  if (reason === 'missing' || reason === 'counts' || bytes === 0) return;
  const ranges = damaged.get(segment) ?? [];
  damaged.set(segment, ranges);
  const last = ranges[ranges.length - 1];
  // A range that follows directly is one with the last, so that a dead region costs no memory.
  if (last && last.end === at) last.end = at + bytes;
  else if (!last || at > last.end) ranges.push({ at, end: at + bytes });
}

/** A former run was stopped: between its two renames, or before them. */
async function finishEarlier(storage: Storage, directory: string): Promise<void> {
  const names = await storage.list(directory);
  for (const name of names) {
    if (!name.endsWith(COPY_SUFFIX)) continue;
    const segment = name.slice(0, -COPY_SUFFIX.length);
    if (segmentFirst(segment) === undefined) continue;
    if (names.includes(segment)) await storage.remove(`${directory}/${name}`);
    else await storage.rename(`${directory}/${name}`, `${directory}/${segment}`);
  }
  await storage.syncDirectory(directory);
}

async function copyBlanked(
  storage: Storage,
  directory: string,
  segment: string,
  ranges: readonly Range[],
): Promise<number> {
  const from = await storage.open(`${directory}/${segment}`, 'read');
  const to = await storage.open(`${directory}/${segment}${COPY_SUFFIX}`, 'create');
  try {
    const size = Math.max(await from.size(), ranges[ranges.length - 1].end);
    const buffer = Buffer.alloc(BUFFER_BYTES);
    let next = 0;
    let blanked = 0;
    for (let position = 0; position < size; position += buffer.length) {
      const part = buffer.subarray(0, Math.min(buffer.length, size - position));
      part.fill(0x20);
      await readThrough(from, part, position);
      while (next < ranges.length && ranges[next].at < position + part.length) {
        const { at, end } = ranges[next];
        const stop = Math.min(end - position, part.length);
        const begin = Math.max(at - position, 0);
        part.fill(0x20, begin, stop);
        blanked += stop - begin;
        if (end - position > part.length) break;
        part[stop - 1] = 0x0a;
        next++;
      }
      await writeAll(to, part, position);
    }
    await to.sync();
    return blanked;
  } finally {
    await from.close();
    await to.close();
  }
}

async function writeAll(file: StorageFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const written = await file.write(bytes.subarray(done), position + done);
    if (written <= 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
    done += written;
  }
}

/** The original goes aside, under a name that is still free; then the copy takes its place. */
async function exchange(storage: Storage, directory: string, segment: string): Promise<string> {
  const aside = `${directory}/${ASIDE}`;
  await storage.ensureDirectory(aside);
  const taken = await storage.list(aside);
  let name = segment;
  for (let i = 1; taken.includes(name); i++) name = `${segment}.${i}`;
  await storage.rename(`${directory}/${segment}`, `${aside}/${name}`);
  await storage.syncDirectory(aside);
  await storage.rename(`${directory}/${segment}${COPY_SUFFIX}`, `${directory}/${segment}`);
  await storage.syncDirectory(directory);
  return `${aside}/${name}`;
}
