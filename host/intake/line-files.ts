/**
 * A few files of JSON lines, `<prefix>-<number, 10 digits>.jsonl`, written one after another up to a size and
 * removed oldest first. Not synced line by line: what is kept here is kept for people to look at.
 */
import { systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';

export const LF = 0x0a;

export interface LineFile {
  readonly number: number;
  bytes: number;
}

export class LineFiles {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #prefix: string;
  readonly #files: LineFile[] = [];
  #open: StorageFile | undefined;

  constructor(storage: Storage, directory: string, prefix: string) {
    this.#storage = storage;
    this.#directory = directory;
    this.#prefix = prefix;
  }

  /** Oldest first. */
  get files(): readonly LineFile[] {
    return this.#files;
  }

  /** Finds what an earlier run left; `line` gets each whole line with the file that holds it. */
  async load(line: (text: string, file: LineFile) => void): Promise<void> {
    await this.#storage.ensureDirectory(this.#directory);
    const pattern = new RegExp(`^${this.#prefix}-(\\d{10})\\.jsonl$`);
    for (const name of await this.#storage.list(this.#directory)) {
      const match = pattern.exec(name);
      if (match === null) continue;
      const number = Number(match[1]);
      const content = await this.read(number);
      const file = { number, bytes: content.length };
      this.#files.push(file);
      for (let from = 0; ; ) {
        const end = content.indexOf(LF, from);
        if (end < 0) break;
        line(content.toString('utf8', from, end), file);
        from = end + 1;
      }
    }
  }

  /** What a file of this number holds; empty when it has gone. @throws the storage's error */
  async read(number: number): Promise<Buffer> {
    const handle = await this.#storage.open(this.#path(number), 'read').catch(error => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (handle === undefined) return Buffer.alloc(0);
    try {
      const content = Buffer.alloc(await handle.size());
      return content.subarray(0, await handle.read(content, 0));
    } finally {
      await handle.close();
    }
  }

  /** The file that the next lines go to; a new one when the last has reached `maxBytes`. */
  current(maxBytes: number): LineFile {
    const last = this.#files.at(-1);
    if (last !== undefined && last.bytes < maxBytes) return last;
    const file = { number: (last?.number ?? 0) + 1, bytes: 0 };
    this.#files.push(file);
    return file;
  }

  /** Appends whole lines to `current`. After an error the file is left as it is and another one begun. */
  async append(file: LineFile, lines: Uint8Array): Promise<void> {
    try {
      const handle = await this.#handle(file);
      for (let done = 0; done < lines.length; ) {
        const written = await handle.write(lines.subarray(done), file.bytes);
        if (written === 0) throw new Error('nothing was written');
        done += written;
        file.bytes += written;
      }
      await handle.sync();
    } catch (error) {
      await this.close();
      file.bytes = Number.POSITIVE_INFINITY; // `current` begins another
      throw error;
    }
  }

  async removeOldest(): Promise<LineFile | undefined> {
    const [oldest] = this.#files;
    if (oldest === undefined) return undefined;
    if (this.#files.length === 1) await this.close();
    this.#files.shift();
    await this.#storage.remove(this.#path(oldest.number)).catch(() => {});
    await this.#storage.syncDirectory(this.#directory);
    return oldest;
  }

  async close(): Promise<void> {
    const handle = this.#open;
    this.#open = undefined;
    await handle?.close().catch(() => {});
  }

  #openNumber = 0;

  async #handle(file: LineFile): Promise<StorageFile> {
    if (this.#open !== undefined && this.#openNumber === file.number) return this.#open;
    await this.close();
    const path = this.#path(file.number);
    if (file.bytes === 0) {
      this.#open = await this.#storage.open(path, 'create');
      await this.#storage.syncDirectory(this.#directory);
    } else {
      this.#open = await this.#storage.open(path, 'update');
      const last = new Uint8Array(1);
      await this.#open.read(last, file.bytes - 1);
      // What a crash cut off becomes a line of its own.
      if (last[0] !== LF) file.bytes += await this.#open.write(Uint8Array.of(LF), file.bytes);
    }
    this.#openNumber = file.number;
    return this.#open;
  }

  #path(number: number): string {
    return `${this.#directory}/${this.#prefix}-${String(number).padStart(10, '0')}.jsonl`;
  }
}
