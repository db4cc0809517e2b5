/** Questions to the machine, for `sovereign doctor` and the status. None of them changes anything that stays. */
import { execFile } from 'node:child_process';
import { access, constants, readdir, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode } from '../fault.js';

const PROGRAM_TIMEOUT_MS = 5000;

/** '' when it may be done, else the system's code: `ENOENT`, `EACCES`, … */
export async function accessCode(path: string, what: 'read' | 'read-write'): Promise<string> {
  try {
    await access(path, what === 'read' ? constants.R_OK : constants.R_OK | constants.W_OK);
    return '';
  } catch (error) {
    return systemCode(error) || 'EIO';
  }
}

export async function fileKind(path: string): Promise<'file' | 'directory' | 'device' | 'other' | 'none'> {
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'directory';
    if (found.isFile()) return 'file';
    return found.isCharacterDevice() ? 'device' : 'other';
  } catch {
    return 'none';
  }
}

/** Writes a file in a directory and takes it away; '' or the system's code. */
export async function tryWriting(directory: string): Promise<string> {
  const path = join(directory, `.doctor-${process.pid}`);
  try {
    await writeFile(path, 'x', { flag: 'wx', mode: 0o600 });
    await unlink(path);
    return '';
  } catch (error) {
    return systemCode(error) || 'EIO';
  }
}

/** Free bytes where a path is or will be. */
export async function freeBytes(path: string): Promise<number | undefined> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}

/** Output of a program, or undefined when it is not there, fails or takes too long. */
export function programOutput(program: string, args: readonly string[]): Promise<string | undefined> {
  const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`; // where Debian keeps servers
  return new Promise(resolve => {
    execFile(
      program,
      args,
      { timeout: PROGRAM_TIMEOUT_MS, maxBuffer: 65_536, env: { ...process.env, PATH, LC_ALL: 'C' } },
      (error, stdout) => resolve(error ? undefined : stdout),
    );
  });
}

/** Whether the clock is synchronised; undefined when nothing tells. */
export async function clockSynchronised(): Promise<boolean | undefined> {
  const answer = await programOutput('timedatectl', ['show', '--property=NTPSynchronized', '--value']);
  if (answer?.trim() === 'yes') return true;
  if (answer?.trim() === 'no') return false;
  return undefined;
}

/** '' when somebody listens there, else why not. */
export function tryConnecting(host: string, port: number, timeoutMs: number): Promise<string> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    const done = (why: string) => {
      socket.destroy();
      resolve(why);
    };
    socket.setTimeout(timeoutMs, () => done(`no answer within ${timeoutMs} ms`));
    socket.once('connect', () => done(''));
    socket.once('error', error => done(error.message || systemCode(error)));
  });
}

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}

export const nodeVersion = process.versions.node;

export const hostPlatform: string = process.platform;

/** Serial ports that are there now, by their stable names where the system gives such. */
export async function serialPorts(): Promise<string[]> {
  const below = (directory: string, pattern: RegExp) =>
    readdir(directory).then(
      names => names.filter(name => pattern.test(name)).map(name => join(directory, name)),
      () => [],
    );
  const byId = await below('/dev/serial/by-id', /./);
  return byId.length > 0 ? byId : below('/dev', /^(ttyACM|ttyUSB|cu\.usbmodem|cu\.usbserial)/);
}
