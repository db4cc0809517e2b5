import { Fault, systemCode } from '../../fault.js';
import { NodeStorage } from '../../node/storage.js';
import type { StorageFile } from '../../ports.js';

const storage = new NodeStorage();

/** @throws Fault `backup-missing`, `backup-unreadable` */
export async function openFile(path: string): Promise<StorageFile> {
  try {
    return await storage.open(path, 'read');
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new Fault('backup-missing', `there is no backup ${path}`, 'give the path of one', error);
    throw new Fault(
      'backup-unreadable',
      `can't read ${path}: ${systemCode(error) || String(error)}`,
      'give a file that this user may read',
      error,
    );
  }
}
