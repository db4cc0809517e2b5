/**
 * A copy of a segment in which damage is blanked: spaces and a line feed, of the same length, so that every mark and
 * the next header's `prev` stay true. Where bytes have been cut out, blanks are put in, for the same reason.
 */
import { Fault, systemCode } from '../fault.js';
import type { Storage, StorageFile } from '../ports.js';
import { COPY_SUFFIX } from './names.js';
import { readThrough } from './read-through.js';

const BUFFER_BYTES = 256 * 1024;
/** Left free beside the copy. */
const SPARE_BYTES = 1024 * 1024;
const BLANK_BYTES = 4096;
const SPACE = 0x20;
const LINE_FEED = 0x0a;

export class MendedCopy {
  readonly segment: string;
  /** Of the original … */
  readonly bytes: number;
  /** … and of the damage in it. */
  blankedBytes = 0;
  addedBytes = 0;
  readonly #storage: Storage;
  readonly #path: string;
  readonly #from: StorageFile;
  readonly #to: StorageFile;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  /** How much of the original has been copied or blanked. */
  #at = 0;
  #written = 0;

  private constructor(
    storage: Storage,
    path: string,
    segment: string,
    files: [StorageFile, StorageFile],
    size: number,
  ) {
    this.#storage = storage;
    this.#path = path;
    this.segment = segment;
    [this.#from, this.#to] = files;
    this.bytes = size;
  }

  /** @throws Fault `repair-no-space`, or the storage's error */
  static async begin(storage: Storage, directory: string, segment: string): Promise<MendedCopy> {
    const path = `${directory}/${segment}`;
    const from = await storage.open(path, 'read');
    try {
      const size = await from.size();
      const { availableBytes } = await storage.space(directory);
      if (availableBytes < size + SPARE_BYTES) throw noSpace(directory, segment, size, availableBytes);
      const to = await storage.open(path + COPY_SUFFIX, 'create');
      return new MendedCopy(storage, path, segment, [from, to], size);
    } catch (error) {
      await from.close();
      throw error;
    }
  }

  /** [at, at + bytes) of the original, or of what should be there; ranges come in order. */
  async blank(at: number, bytes: number): Promise<void> {
    const from = Math.max(at, this.#at);
    const to = at + bytes;
    if (to <= from) return;
    await this.#copy(from);
    this.blankedBytes += Math.max(0, Math.min(to, this.bytes) - from);
    this.addedBytes += Math.max(0, to - Math.max(from, this.bytes));
    await this.#blanks(to - from);
    this.#at = to;
  }

  /** Puts blanks before `at`; what has been put in elsewhere counts. */
  async insert(at: number, bytes: number): Promise<void> {
    if (at < this.#at) return;
    await this.#copy(at);
    this.addedBytes += bytes;
    await this.#blanks(bytes);
  }

  /** Copies the rest and makes it durable. */
  async finish(): Promise<void> {
    await this.#copy(this.bytes);
    await this.#to.sync();
    await this.#close();
  }

  /** Takes the copy back. */
  async discard(): Promise<void> {
    await this.#close().catch(() => undefined);
    await this.#storage.remove(this.#path + COPY_SUFFIX).catch(() => undefined);
  }

  async #close(): Promise<void> {
    await this.#from.close();
    await this.#to.close();
  }

  async #copy(to: number): Promise<void> {
    const end = Math.min(to, this.bytes);
    while (this.#at < end) {
      const part = this.#buffer.subarray(0, Math.min(this.#buffer.length, end - this.#at));
      // What can't be read any more was damaged lines to the pass that found the ranges.
      part.fill(SPACE);
      await readThrough(this.#from, part, this.#at);
      await this.#write(part);
      this.#at += part.length;
    }
  }

  async #blanks(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) {
      const part = this.#buffer.subarray(0, Math.min(this.#buffer.length, left));
      part.fill(SPACE);
      left -= part.length;
      // No line is longer than a sound one can be, or a reader takes it for damage.
      for (let at = BLANK_BYTES - 1; at < part.length; at += BLANK_BYTES) part[at] = LINE_FEED;
      if (left === 0) part[part.length - 1] = LINE_FEED;
      await this.#write(part);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const written = await this.#to.write(bytes.subarray(done), this.#written);
      if (written <= 0) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
      done += written;
      this.#written += written;
    }
  }
}

function noSpace(directory: string, segment: string, size: number, availableBytes: number): Fault {
  return new Fault(
    'repair-no-space',
    `${segment} needs a copy of ${size} bytes, and ${availableBytes} bytes are available at ${directory}`,
    'free disk space, or copy the journal to a larger disk, and repair again: what has been repaired so far stays',
  );
}

/** What an error of the disk while copying means to who repairs. */
export function copyFault(directory: string, segment: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof Fault || (code !== 'ENOSPC' && code !== 'EDQUOT')) return error;
  return new Fault(
    'repair-no-space',
    `the disk is full: no room at ${directory} for a copy of ${segment}`,
    'free disk space, or copy the journal to a larger disk, and repair again: what has been repaired so far stays',
    error,
  );
}
