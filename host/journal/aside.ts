/** `aside/`: where repair keeps originals. Nothing in it is ever removed or written over. */
import { Fault, systemCode } from '../fault.js';
import type { LinkingStorage } from '../ports.js';
import { ASIDE } from './names.js';

/**
 * Gives a file of the journal a second, durable name in `aside/`, one that is still free.
 *
 * @returns its path
 * @throws Fault `repair-no-links`
 */
export async function setAside(storage: LinkingStorage, directory: string, name: string): Promise<string> {
  const aside = `${directory}/${ASIDE}`;
  await storage.ensureDirectory(aside);
  const taken = new Set(await storage.list(aside));
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}.${i}`;
  await linked(storage, directory, `${directory}/${name}`, `${aside}/${free}`);
  await storage.syncDirectory(aside);
  return `${aside}/${free}`;
}

/** Renames so that at every moment, durably, the file has one of the two names. */
export async function move(
  storage: LinkingStorage,
  directory: string,
  from: string,
  to: string,
): Promise<void> {
  await linked(storage, directory, `${directory}/${from}`, `${directory}/${to}`);
  await storage.syncDirectory(directory);
  await storage.remove(`${directory}/${from}`);
  await storage.syncDirectory(directory);
}

async function linked(storage: LinkingStorage, directory: string, from: string, to: string): Promise<void> {
  try {
    await storage.link(from, to);
  } catch (error) {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error))) throw error;
    throw new Fault(
      'repair-no-links',
      `the file system of ${directory} gives a file no second name, by which repair keeps the original`,
      'copy the journal to a file system that has hard links (ext4, XFS, Btrfs …) and repair it there',
      error,
    );
  }
}
