/** What a virtual board keeps in flash, as files: written in place, synchronously, and durable on return. */
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
import { Fault, systemCode } from '../fault.js';
import { type DirectoryLock, lockDirectory } from './lock.js';

/** One file with the content of one flash. */
export interface FlashFile {
  readonly path: string;
  readonly image: Uint8Array;
  /** Writes image[from, to) to the file and syncs it. @returns false when that failed */
  write(image: Uint8Array, from: number, to: number): boolean;
  close(): void;
}

/**
 * Opens the file at `path`, or makes one that reads FF throughout: `syncDirectory` then keeps it there.
 * @throws Fault when its size is another
 */
export function openFlashFile(path: string, bytes: number): FlashFile {
  const image = new Uint8Array(bytes).fill(0xff);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = fstatSync(fd);
    if (size === bytes) readWhole(fd, image);
    // Shorter: it was being made when the power went; nothing was ever sealed with it.
    else if (size < bytes) writeWhole(fd, image, 0, bytes);
    else {
      closeSync(fd);
      throw new Fault(
        'flash-size',
        `${path} has ${size} bytes, expected ${bytes}`,
        'it is no flash image of a virtual device: give another directory with --state',
      );
    }
  } catch (error) {
    throw fileFault(error, path);
  }
  return {
    path,
    image,
    write: (source, from, to) => {
      try {
        writeWhole(fd, source, from, to);
        fdatasyncSync(fd);
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
    throw fileFault(error, directory);
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

function readWhole(fd: number, target: Uint8Array): void {
  for (let at = 0; at < target.length; ) {
    const read = readSync(fd, target, at, target.length - at, at);
    if (read === 0) return;
    at += read;
  }
}

function writeWhole(fd: number, source: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; ) at += writeSync(fd, source, at, to - at, at);
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

function fileFault(error: unknown, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = systemCode(error);
  const message = `${path}: ${error instanceof Error ? error.message : String(error)}`;
  if (code === 'EACCES' || code === 'EPERM')
    return new Fault('permission', message, `run this as the user that owns ${path}`, error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new Fault('disk-full', message, 'make room on that disk', error);
  if (code === 'EMFILE' || code === 'ENFILE')
    return new Fault(
      'too-many-files',
      message,
      'raise the limit with `ulimit -n 8192`, or run fewer devices',
      error,
    );
  return new Fault('file-failed', message, '', error);
}
