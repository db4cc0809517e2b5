/**
 * Gives segments back the names that their headers have: two that were swapped, or one that was restored under
 * another name, hold sound lines that count only in their place.
 *
 * On the way from a wrong name to the right one a segment is called `<right name>.moved`, which stays what it is
 * when repair is stopped and goes on from there.
 */
import type { LinkingStorage } from '../ports.js';
import { move, setAside } from './aside.js';
import { LineReader } from './line-reader.js';
import { MOVED_SUFFIX, segmentFirst, segmentName, segmentsIn } from './names.js';
import type { RepairListener } from './repair-news.js';
import { Scanner } from './scanner.js';
import { readHeader } from './segment.js';

export async function restoreNames(
  storage: LinkingStorage,
  directory: string,
  done: RepairListener,
): Promise<void> {
  const segments = new Set(segmentsIn(await storage.list(directory)));
  const wrong: { first: number; named: number }[] = [];
  for (const named of segments) {
    // One that can't be read keeps its name.
    const header = await readHeader(storage, directory, named, true).catch(() => undefined);
    if (!header || header.first === named || header.first === 0) continue;
    const { first } = header;
    if (await belongs(storage, directory, named, first, [...segments])) wrong.push({ first, named });
  }
  const away = new Set(wrong.map(({ named }) => named));
  const claimed = new Set(movedIn(await storage.list(directory)));
  for (const { first, named } of wrong) {
    const name = segmentName(named);
    if ((segments.has(first) && !away.has(first)) || claimed.has(first)) {
      const movedTo = await removeAside(storage, directory, name);
      await done({ kind: 'aside', segment: name, movedTo });
    } else {
      claimed.add(first);
      await move(storage, directory, name, `${segmentName(first)}${MOVED_SUFFIX}`);
    }
  }
  const present = new Set(await storage.list(directory));
  for (const first of movedIn([...present])) {
    const name = segmentName(first);
    if (present.has(name)) {
      const movedTo = await removeAside(storage, directory, name + MOVED_SUFFIX);
      await done({ kind: 'aside', segment: name, movedTo });
      continue;
    }
    await move(storage, directory, name + MOVED_SUFFIX, name);
    await done({ kind: 'renamed', segment: name });
  }
}

/**
 * Whether more of the file's lines have their place in segment `first` than in the one that it is called after. When
 * only its begin has been overwritten, they don't.
 */
async function belongs(
  storage: LinkingStorage,
  directory: string,
  named: number,
  first: number,
  segments: readonly number[],
): Promise<boolean> {
  const end = (begin: number) =>
    Math.min(...segments.filter(other => other > begin), Number.POSITIVE_INFINITY);
  const [endHere, endThere] = [end(named), end(first)];
  let [here, there] = [0, 0];
  const file = await storage.open(`${directory}/${segmentName(named)}`, 'read');
  try {
    const scanner = new Scanner(file, new LineReader(), 0, await file.size());
    while (await scanner.fill()) {
      for (let line = scanner.take(); line !== undefined; line = scanner.take()) {
        if (typeof line !== 'object' || !('offset' in line)) continue;
        if (line.offset > named && line.offset < endHere) here++;
        if (line.offset > first && line.offset < endThere) there++;
      }
    }
  } catch {
    return false;
  } finally {
    await file.close();
  }
  return there > here;
}

function movedIn(names: readonly string[]): number[] {
  const firsts: number[] = [];
  for (const name of names) {
    if (!name.endsWith(MOVED_SUFFIX)) continue;
    const first = segmentFirst(name.slice(0, -MOVED_SUFFIX.length));
    if (first !== undefined) firsts.push(first);
  }
  return firsts;
}

async function removeAside(storage: LinkingStorage, directory: string, name: string): Promise<string> {
  const movedTo = await setAside(storage, directory, name);
  await storage.remove(`${directory}/${name}`);
  await storage.syncDirectory(directory);
  return movedTo;
}
