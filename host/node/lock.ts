/**
 * One process owns a data directory.
 *
 * The lock is the kernel's (`flock`): it hangs on the open file description, so it dies with the process
 * however that ends, and there is nothing stale to clean up. Node can't take it by itself, so util-linux'
 * `flock` is run on a descriptor that it inherits from us; it exits, our descriptor keeps the lock. The file
 * has no content and is never removed: removing it would let two processes lock two files of one name.
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { Fault, systemCode } from '../fault.js';

const LOCK_FILE = 'lock';
/** Exit status of `flock` when somebody else holds the lock, chosen to be none of its own. */
const HELD_STATUS = 75;
/** In the child, our descriptor is this one. */
const CHILD_FD = 3;

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Locks a directory for this process until `release()` or its end.
 *
 * @param directory must exist
 * @param command the `flock` of util-linux
 * @throws Fault `data-locked` when another process has it, `flock-missing` when there is no `flock`,
 *   `data-not-writable` when the lock file can't be opened, `lock-failed` otherwise
 */
export async function lockDirectory(directory: string, command = 'flock'): Promise<DirectoryLock> {
  const path = `${directory}/${LOCK_FILE}`;
  let handle: FileHandle;
  try {
    handle = await open(path, 'a', 0o600);
  } catch (error) {
    throw new Fault(
      'data-not-writable',
      `can't open ${path} for writing: ${systemCode(error) || String(error)}`,
      `make ${directory} a directory that this user may write`,
      error,
    );
  }
  try {
    await flock(handle.fd, command, directory);
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { release: () => handle.close() };
}

/** Whether a process holds the directory's lock right now; false when there is no lock file. */
export async function isLocked(directory: string, command = 'flock'): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(`${directory}/${LOCK_FILE}`, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    await flock(handle.fd, command, directory);
    return false;
  } catch (error) {
    if (error instanceof Fault && error.code === 'data-locked') return true;
    throw error;
  } finally {
    await handle.close();
  }
}

function flock(fd: number, command: string, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const args = ['--exclusive', '--nonblock', '--conflict-exit-code', String(HELD_STATUS), String(CHILD_FD)];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe', fd] });
    let said = '';
    child.stderr!.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(0, 500);
    });
    child.on('error', error => reject(missing(command, error)));
    child.on('close', (status, signal) => {
      if (status === 0) resolve();
      else if (status === HELD_STATUS) reject(held(directory));
      else reject(failed(directory, said.trim() || `${command} ended with ${signal ?? status}`));
    });
  });
}

function missing(command: string, error: unknown): Fault {
  return new Fault(
    'flock-missing',
    `can't run ${command}: ${systemCode(error) || String(error)}`,
    'install util-linux (apt install util-linux); its flock keeps two gateways off one data directory',
    error,
  );
}

function held(directory: string): Fault {
  return new Fault(
    'data-locked',
    `another process owns the data directory ${directory}`,
    `stop the other gateway (fuser ${directory}/${LOCK_FILE} names it), or give this one its own data directory`,
  );
}

function failed(directory: string, said: string): Fault {
  return new Fault(
    'lock-failed',
    `can't lock the data directory ${directory}: ${said}`,
    'use a local file system that has flock (some network file systems do not)',
  );
}
