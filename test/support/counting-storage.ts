import { NodeStorage } from '../../host/node/storage.js';
import type { Storage, StorageFile } from '../../host/ports.js';

/** A real file system that counts what is asked of it. */
export class CountingStorage implements Storage {
  writes = 0;
  writtenBytes = 0;
  syncs = 0;
  readBytes = 0;
  /** Paths of files that were opened for reading alone. */
  readonly opened = new Set<string>();
  readonly #real = new NodeStorage();
  /** Writes and syncs under way. */
  #busy = 0;

  /** Resolves once nothing is being written or synced. */
  async idle(): Promise<void> {
    while (this.#busy > 0) await new Promise(resolve => setImmediate(resolve));
  }

  list(directory: string): Promise<string[]> {
    return this.#real.list(directory);
  }

  ensureDirectory(directory: string): Promise<void> {
    return this.#real.ensureDirectory(directory);
  }

  syncDirectory(directory: string): Promise<void> {
    this.syncs++;
    return this.#real.syncDirectory(directory);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#real.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#real.remove(path);
  }

  space(path: string): Promise<{ availableBytes: number; totalBytes: number }> {
    return this.#real.space(path);
  }

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    if (mode === 'read') this.opened.add(path);
    const file = await this.#real.open(path, mode);
    return {
      read: async (target, position) => {
        const read = await file.read(target, position);
        this.readBytes += read;
        return read;
      },
      write: (source, position) => {
        this.writes++;
        return this.#during(async () => {
          const written = await file.write(source, position);
          this.writtenBytes += written;
          return written;
        });
      },
      sync: () => {
        this.syncs++;
        return this.#during(() => file.sync());
      },
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  async #during<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
    }
  }
}
