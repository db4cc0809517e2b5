/**
 * When a gateway was backed up last, where the gateway finds it whoever backs it up, and wherever to: `last-backup.json` in its
 * data directory,
 *
 *   {"gateway":"cellar","at":1780000000000}       whose, and when it was begun, Unix ms
 *
 * Whose, because the file may stay where another gateway goes on: of one that was restored over it there is no backup yet.
 */
import { systemCode } from '../fault.js';
import type { Storage } from '../ports.js';
import { readFile } from '../read-file.js';
import { replaceFile } from '../replace-file.js';

export const LAST_BACKUP = 'last-backup.json';
const MAX_BYTES = 256;

/** @throws the system's error; a data directory that is not there yet has nothing that would ask */
export async function recordBackup(
  storage: Storage,
  dataDirectory: string,
  gateway: string,
  at: number,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify({ gateway, at })}\n`);
  await replaceFile(storage, dataDirectory, LAST_BACKUP, bytes).catch(error => {
    if (systemCode(error) !== 'ENOENT') throw error;
  });
}

/** Undefined when there was none of this gateway, or nothing tells. */
export async function lastBackup(
  storage: Storage,
  dataDirectory: string,
  gateway: string,
): Promise<number | undefined> {
  try {
    const bytes = await readFile(storage, `${dataDirectory}/${LAST_BACKUP}`, MAX_BYTES);
    const found = JSON.parse(new TextDecoder().decode(bytes)) as { gateway?: unknown; at?: unknown };
    const { at } = found;
    return found.gateway === gateway && Number.isSafeInteger(at) && (at as number) >= 0
      ? (at as number)
      : undefined;
  } catch {
    return undefined;
  }
}
