/** Files with secrets: read with their mode, replaced atomically, under a lock between processes. */
import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault, systemCode } from '../fault.js';
import type { PrivateFiles } from '../keyring/files.js';
import { fileFault } from './file-fault.js';

const LOCK_TIMEOUT_SECONDS = 10;

export const privateFiles: PrivateFiles = {
  async read(path, maxBytes) {
    const handle = await opened(path);
    if (handle === undefined) return undefined;
    try {
      const found = await handle.stat();
      if (!found.isFile())
        throw new Fault('file-expected', `${path} is no ordinary file`, 'give the path of a file');
      if (found.size > maxBytes)
        throw new Fault(
          'file-too-large',
          `${path} has ${found.size} bytes, expected at most ${maxBytes}`,
          'look whether this is the right file',
        );
      return { bytes: await handle.readFile(), mode: found.mode & 0o7777 };
    } finally {
      await handle.close();
    }
  },

  async create(path, bytes) {
    try {
      const handle = await open(path, 'wx', 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await syncDirectory(dirname(path));
    } catch (error) {
      if (systemCode(error) === 'EEXIST')
        throw new Fault(
          'file-exists',
          `${path} is there already`,
          'move it away or choose another name',
          error,
        );
      throw fileFault(error, `cannot write ${path}`, dirname(path));
    }
  },

  async replace(path, bytes) {
    const target = await realpath(path).catch(() => path); // a link stays a link
    const directory = dirname(target);
    const temporary = join(directory, `.${basename(target)}.${process.pid}.new`);
    const before = await stat(target).catch(() => undefined);
    try {
      await unlink(temporary).catch(() => {}); // of a process that had this id and was killed
      const handle = await open(temporary, 'wx', 0o600);
      try {
        // Root edits what the gateway's user owns: the file stays the gateway's.
        if (before !== undefined && before.uid !== process.getuid?.())
          await handle.chown(before.uid, before.gid).catch(() => {});
        await handle.chmod(0o600); // whatever the umask took away
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, target);
      await syncDirectory(directory);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw fileFault(error, `cannot write ${target}`, directory);
    }
  },

  async locked(path, work) {
    const target = await realpath(path).catch(() => path);
    const lock = join(dirname(target), `.${basename(target)}.lock`);
    const handle = await open(lock, constants.O_RDWR | constants.O_CREAT, 0o600).catch(error => {
      throw fileFault(error, `cannot lock ${target}`, dirname(target));
    });
    try {
      const owner = await stat(target).catch(() => undefined);
      if (owner !== undefined && process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
      await flock(handle, target);
      return await work();
    } finally {
      await handle.close(); // and with it the lock
    }
  },

  async stamp(path) {
    try {
      const { dev, ino, size, mode, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
      return [dev, ino, size, mode, mtimeNs, ctimeNs].join(':');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return '';
      throw error;
    }
  },
};

async function opened(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileFault(error, `cannot read ${path}`, path);
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Node has no flock(2). The lock belongs to the open file, which this process shares with `flock`. */
function flock(handle: FileHandle, target: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['--exclusive', '--timeout', String(LOCK_TIMEOUT_SECONDS), '3'], {
      stdio: ['ignore', 'ignore', 'ignore', handle.fd],
    });
    child.once('error', error =>
      reject(
        new Fault('flock-missing', 'the program flock is not installed', 'apt-get install util-linux', error),
      ),
    );
    child.once('exit', code => {
      if (code === 0) resolve();
      else
        reject(
          new Fault(
            'keyring-locked',
            `another command has held the lock of ${target} for ${LOCK_TIMEOUT_SECONDS} s`,
            'let it finish, or end it, and try again',
          ),
        );
    });
  });
}
