/**
 * Where backups go: a file, or a directory in which each has a name of its own and the oldest go.
 *
 *   sovereign-<site>-<gateway>-20261121T093000Z.tar.age
 *
 * A backup is written under another name, synced, renamed, and its directory synced: what bears the name is whole. A file of
 * that name which is no backup is left alone.
 */
import { basename, dirname, join } from 'node:path';
import { Fault, systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import { AGE_BEGIN } from './age.js';
import type { Chunks } from './tar.js';

const EXTENSION = '.tar.age';
const PART = '.part';
/** One that is still being written is younger, whatever it holds. */
const STALE_MS = 24 * 3600_000;
const WRITE_BYTES = 256 * 1024;

export function backupName(site: string, gateway: string, at: number): string {
  return `${prefix(site, gateway)}${stamp(at)}${EXTENSION}`;
}

const prefix = (site: string, gateway: string) => `sovereign-${site}-${gateway}-`;
const stamp = (at: number) => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
const STAMP = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/**
 * Writes a whole backup under `path`, or nothing.
 * @returns its bytes
 * @throws Fault `backup-not-written` when the disk refuses, `backup-target` for a file that is no backup; or what the chunks throw
 */
export async function writeBackup(storage: Storage, path: string, chunks: Chunks): Promise<number> {
  await onlyBackups(storage, path);
  const directory = dirname(path);
  const part = join(directory, `.${basename(path)}${PART}`);
  const refused = (error: unknown) =>
    new Fault(
      'backup-not-written',
      `can't write ${path}: ${systemCode(error) || String(error)}`,
      systemCode(error) === 'ENOSPC'
        ? 'make room there, or write it elsewhere'
        : 'choose a directory that this user may write',
      error,
    );
  await storage.remove(part).catch(() => {}); // of a run that was killed
  let file: StorageFile;
  try {
    file = await storage.open(part, 'create');
  } catch (error) {
    throw refused(error);
  }
  let bytes = 0;
  try {
    try {
      for await (const chunk of gathered(chunks)) {
        for (let at = 0; at < chunk.length; )
          at += await file.write(chunk.subarray(at), bytes + at).catch(fail);
        bytes += chunk.length;
      }
      await file.sync().catch(fail);
    } finally {
      await file.close().catch(() => {});
    }
    await storage.rename(part, path).catch(fail);
    await storage.syncDirectory(directory).catch(fail);
  } catch (error) {
    await storage.remove(part).catch(() => {});
    throw error;
  }
  return bytes;

  function fail(error: unknown): never {
    throw refused(error);
  }
}

/** Removes the oldest backups of this gateway beyond `keep`, never `latest`; returns the names of those removed. */
export async function pruneBackups(
  storage: Storage,
  directory: string,
  {
    site,
    gateway,
    keep,
    latest,
    now,
  }: { site: string; gateway: string; keep: number; latest: string; now: number },
): Promise<string[]> {
  const removed: string[] = [];
  const mine: string[] = [];
  for (const name of await storage.list(directory)) {
    const time = timeOf(name, prefix(site, gateway));
    if (time === undefined) continue;
    if (name.endsWith(PART)) {
      if (now - time > STALE_MS) await remove(name);
    } else if (name !== latest) mine.push(name);
  }
  mine.sort();
  for (const name of mine.slice(0, Math.max(0, mine.length - (keep - 1)))) await remove(name);
  if (removed.length > 0) await storage.syncDirectory(directory);
  return removed;

  async function remove(name: string): Promise<void> {
    await storage.remove(join(directory, name)).catch(error => {
      if (systemCode(error) !== 'ENOENT') throw error;
    });
    removed.push(name);
  }
}

/** When the newest of these backups of a gateway was begun, Unix ms; undefined when there is none. */
export function newestBackup(names: readonly string[], site: string, gateway: string): number | undefined {
  const times = names
    .filter(name => !name.endsWith(PART))
    .map(name => timeOf(name, prefix(site, gateway)) ?? -1)
    .filter(time => time >= 0);
  return times.length === 0 ? undefined : Math.max(...times);
}

/** When a backup of this gateway was begun, by its name or that of its part; undefined for other names. */
function timeOf(name: string, begin: string): number | undefined {
  const whole = name.startsWith('.') && name.endsWith(PART) ? name.slice(1, -PART.length) : name;
  if (!whole.startsWith(begin) || !whole.endsWith(EXTENSION)) return undefined;
  const parts = STAMP.exec(whole.slice(begin.length, -EXTENSION.length));
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

async function onlyBackups(storage: Storage, path: string): Promise<void> {
  const begin = new Uint8Array(AGE_BEGIN.length);
  try {
    const file = await storage.open(path, 'read');
    try {
      const got = await file.read(begin, 0);
      if (got === 0 || Buffer.from(begin).toString('latin1') === AGE_BEGIN) return;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw new Fault(
      'backup-target',
      `can't write ${path}: ${systemCode(error) || String(error)}`,
      'choose another name',
      error,
    );
  }
  throw new Fault(
    'backup-target',
    `${path} is there, and is no backup`,
    'choose another name, or move it away',
  );
}

/** In pieces that are worth a write. */
async function* gathered(chunks: Chunks): Chunks {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    bytes += chunk.length;
    if (bytes < WRITE_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(parts);
}
