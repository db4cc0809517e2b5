/** The Storage port over a real file system. */
import { constants } from 'node:fs';
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  statfs,
  unlink,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../fault.js';
import type { LinkingStorage, StorageFile } from '../ports.js';

const FLAGS = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
} as const;

/** What directories say that belong to somebody else, or to a file system that nobody writes to. */
const OTHERS = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP']);

export class NodeStorage implements LinkingStorage {
  async list(directory: string): Promise<string[]> {
    try {
      return (await readdir(directory)).sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  async ensureDirectory(directory: string): Promise<void> {
    const first = await mkdir(directory, { recursive: true, mode: 0o700 });
    // Every directory is an entry of the one above it; whoever made it earlier may have died before syncing that.
    let own = first !== undefined;
    for (let made = directory; made !== dirname(made); made = dirname(made)) {
      try {
        await this.syncDirectory(dirname(made));
      } catch (error) {
        if (own || !OTHERS.has(systemCode(error))) throw error;
      }
      if (made === first) own = false;
    }
  }

  async syncDirectory(directory: string): Promise<void> {
    const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    return new NodeFile(await open(path, FLAGS[mode], 0o600));
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  link(from: string, to: string): Promise<void> {
    return link(from, to);
  }

  remove(path: string): Promise<void> {
    return unlink(path);
  }

  async space(path: string): Promise<{ availableBytes: number; totalBytes: number }> {
    const { bavail, blocks, bsize } = await statfs(path);
    return { availableBytes: bavail * bsize, totalBytes: blocks * bsize };
  }
}

/** Where a path leads, all links followed. */
export function realPath(path: string): Promise<string> {
  return realpath(path);
}

class NodeFile implements StorageFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < target.length) {
      const { bytesRead } = await this.#handle.read(target, total, target.length - total, position + total);
      if (bytesRead === 0) break;
      total += bytesRead;
    }
    return total;
  }

  async write(source: Uint8Array, position: number): Promise<number> {
    const { bytesWritten } = await this.#handle.write(source, 0, source.length, position);
    return bytesWritten;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
