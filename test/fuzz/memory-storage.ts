/** Files in memory, without faults: what they hold is what the fuzzer put there. */
import type { Storage, StorageFile } from '../../host/ports.js';

const failure = (code: string) => Object.assign(new Error(code), { code });

export class MemoryStorage implements Storage {
  readonly files = new Map<string, Uint8Array>();
  /** Counted, so that a reader that reads without end is found. */
  reads = 0;

  async list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`;
    return [...this.files.keys()]
      .filter(path => path.startsWith(prefix))
      .map(path => path.slice(prefix.length))
      .sort();
  }

  async ensureDirectory(): Promise<void> {}

  async syncDirectory(): Promise<void> {}

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    if (this.files.has(path) === (mode === 'create')) throw failure(mode === 'create' ? 'EEXIST' : 'ENOENT');
    if (mode === 'create') this.files.set(path, new Uint8Array(0));
    return new MemoryFile(this, path);
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.files.get(from);
    if (content === undefined) throw failure('ENOENT');
    this.files.delete(from);
    this.files.set(to, content);
  }

  async remove(path: string): Promise<void> {
    if (!this.files.delete(path)) throw failure('ENOENT');
  }

  async space(): Promise<{ availableBytes: number; totalBytes: number }> {
    return { availableBytes: 1e12, totalBytes: 2e12 };
  }
}

export class MemoryFile implements StorageFile {
  readonly #storage: MemoryStorage;
  readonly #path: string;

  constructor(storage: MemoryStorage, path: string) {
    this.#storage = storage;
    this.#path = path;
  }

  get #content(): Uint8Array {
    return this.#storage.files.get(this.#path) ?? new Uint8Array(0);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#storage.reads++;
    const part = this.#content.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  async write(source: Uint8Array, position: number): Promise<number> {
    const content = this.#content;
    const grown = new Uint8Array(Math.max(content.length, position + source.length));
    grown.set(content);
    grown.set(source, position);
    this.#storage.files.set(this.#path, grown);
    return source.length;
  }

  async sync(): Promise<void> {}

  async size(): Promise<number> {
    return this.#content.length;
  }

  async close(): Promise<void> {}
}
