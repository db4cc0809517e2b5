/** What a virtual board keeps in flash, as files: written in place, synchronously, and durable on return. */
import { spawn } from 'node:child_process';
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
import { dirname, join } from 'node:path';
import { Fault, systemCode } from '../fault.js';

/** One file with the content of one flash. */
export interface FlashFile {
  readonly path: string;
  readonly image: Uint8Array;
  /** Writes image[from, to) to the file and syncs it. @returns false when that failed */
  write(image: Uint8Array, from: number, to: number): boolean;
  close(): void;
}

/** Opens the file at `path`, or makes one that reads FF throughout. @throws Fault when its size is another */
export function openFlashFile(path: string, bytes: number): FlashFile {
  const image = new Uint8Array(bytes).fill(0xff);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const { size } = fstatSync(fd);
    if (size === bytes) readWhole(fd, image);
    // Shorter: it was being made when the power went; nothing was ever sealed with it.
    else if (size < bytes) {
      writeWhole(fd, image, 0, bytes);
      fsyncSync(fd);
      syncDirectory(dirname(path));
    } else {
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
 * Takes a directory (made when absent, 0700) for this process alone, until the returned function is called or
 * the process dies: the lock is the kernel's.
 * @throws Fault `state-taken` when another process has it
 */
export async function takeDirectory(directory: string): Promise<() => void> {
  let fd: number;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    fd = openSync(join(directory, 'lock'), constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw fileFault(error, directory);
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    // Node has no flock(2). The lock belongs to the open file, which this process shares with `flock`.
    const child = spawn('flock', ['--exclusive', '--nonblock', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    child.once('exit', resolve);
    child.once('error', error =>
      reject(
        new Fault('flock-missing', 'the program flock is not installed', 'apt-get install util-linux', error),
      ),
    );
  });
  if (code !== 0) {
    closeSync(fd);
    throw new Fault(
      'state-taken',
      `another simulation runs the devices in ${directory}`,
      'end it, or give another directory with --state',
    );
  }
  return () => closeSync(fd);
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

function syncDirectory(directory: string): void {
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
