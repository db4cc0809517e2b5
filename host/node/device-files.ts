/** What a virtual board keeps in flash, as files: written in place and synchronously. */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { Fault } from '../fault.js';
import { fileFault } from './file-fault.js';
import { type DirectoryLock, lockDirectory } from './lock.js';

/** One file with the content of one flash. */
export interface FlashFile {
  readonly path: string;
  /** Bytes that it has; what lies behind was never written. */
  readonly size: number;
  /** Fills the whole of `target`, all of which lies within the file. */
  read(at: number, target: Uint8Array): void;
  /**
   * Writes `source` where the file is, or at its end.
   * @param durable whether it must outlive a power cut of this machine
   * @returns false when that failed
   */
  write(at: number, source: Uint8Array, durable: boolean): boolean;
  close(): void;
}

/**
 * Opens the file at `path`, or makes one of `minBytes` that reads FF throughout: `syncDirectory` then keeps it
 * there.
 * @throws Fault when it has more than `maxBytes`
 */
export function openFlashFile(path: string, minBytes: number, maxBytes: number): FlashFile {
  let fd: number;
  let size: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    size = fstatSync(fd).size;
    // Shorter: it was being made when the power went; nothing was ever sealed with it.
    if (size < minBytes) {
      size = minBytes;
      writeWhole(fd, new Uint8Array(size).fill(0xff), 0);
    } else if (size > maxBytes) {
      closeSync(fd);
      throw new Fault(
        'flash-size',
        `${path} has ${size} bytes, expected at most ${maxBytes}`,
        'it is no flash image of a virtual device: give another directory with --state',
      );
    }
  } catch (error) {
    throw fileFault(error, path, path);
  }
  return {
    path,
    get size() {
      return size;
    },
    read: (at, target) => readWhole(fd, target, at),
    write: (at, source, durable) => {
      try {
        writeWhole(fd, source, at);
        size = Math.max(size, at + source.length);
        if (durable) fdatasyncSync(fd);
        return true;
      } catch {
        return false;
      }
    },
    close: () => closeSync(fd),
  };
}

/**
 * Takes a directory (made when absent, 0700) for this process alone, until it is released or the process dies.
 * @throws Fault `state-taken` when another process has it
 */
export async function takeDirectory(directory: string): Promise<DirectoryLock> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileFault(error, directory, directory);
  }
  try {
    return await lockDirectory(directory);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'data-locked') throw error;
    throw new Fault(
      'state-taken',
      `another simulation runs the devices in ${directory}`,
      'end it, or give another directory with --state',
      error,
    );
  }
}

function readWhole(fd: number, target: Uint8Array, from: number): void {
  for (let at = 0; at < target.length; ) {
    const read = readSync(fd, target, at, target.length - at, from + at);
    if (read === 0) return;
    at += read;
  }
}

function writeWhole(fd: number, source: Uint8Array, from: number): void {
  for (let at = 0; at < source.length; ) {
    at += writeSync(fd, source, at, source.length - at, from + at);
  }
}

/** Makes files that were made in a directory durable. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
