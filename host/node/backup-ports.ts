/** What backups want of this machine. */
import { createHash } from 'node:crypto';
import { lchown, readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupPorts } from '../backup/ports.js';
import { systemCode } from '../fault.js';
import { NodeStorage } from './storage.js';
import { credentialPath, readBytesFile } from './text-file.js';

export const backupPorts: BackupPorts = {
  storage: new NodeStorage(),
  async readFile(path, maxBytes) {
    const handed = credentialPath(path);
    const found = handed === undefined ? undefined : await readBytesFile(handed, maxBytes);
    return found ?? readBytesFile(path, maxBytes);
  },
  hash() {
    const sum = createHash('sha256');
    return { update: bytes => void sum.update(bytes), hex: () => sum.digest('hex') };
  },
};

/** Whether a directory is there; false for anything else, undefined for nothing. */
export async function isDirectory(path: string): Promise<boolean | undefined> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    if (systemCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

export function removeDirectory(path: string): Promise<void> {
  return rmdir(path);
}

/** Gives a file, or a directory with all that is below it, to owner and group of another; root alone may, others need not. */
export async function adopt(path: string, like: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await stat(like);
  await give(path);

  async function give(one: string): Promise<void> {
    await lchown(one, uid, gid);
    const names = await readdir(one).catch((): string[] => []);
    for (const name of names) await give(join(one, name));
  }
}
