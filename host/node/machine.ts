/** Questions to the machine, for `sovereign doctor` and the status. None of them changes anything that stays. */
import { execFile } from 'node:child_process';
import {
  access,
  constants,
  readdir,
  readFile,
  realpath,
  stat,
  statfs,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode } from '../fault.js';
import { blockName } from './disk-writes.js';

const PROGRAM_TIMEOUT_MS = 5000;

export type Access = 'read' | 'write' | 'read-write';

const ACCESS: Readonly<Record<Access, { readonly mode: number; readonly test: string }>> = {
  read: { mode: constants.R_OK, test: 'test -r "$1"' },
  write: { mode: constants.W_OK, test: 'test -w "$1"' },
  'read-write': { mode: constants.R_OK | constants.W_OK, test: 'test -r "$1" -a -w "$1"' },
};

/** '' when it may be done, else the system's code: `ENOENT`, `EACCES`, … */
export async function accessCode(path: string, what: Access): Promise<string> {
  try {
    await access(path, ACCESS[what].mode);
    return '';
  } catch (error) {
    return systemCode(error) || 'EIO';
  }
}

/**
 * The same for another user, with all his groups, which takes root; for ourselves when no user is given.
 * @returns '' or the system's code
 */
export async function accessCodeAs(user: string | undefined, path: string, what: Access): Promise<string> {
  const own = await accessCode(path, what);
  if (user === undefined || user === userName() || own !== '') return own;
  const { test } = ACCESS[what];
  const allowed = await programOutput('runuser', ['-u', user, '--', 'sh', '-c', test, 'sh', path]);
  return allowed === undefined ? 'EACCES' : '';
}

export const isRoot = process.getuid?.() === 0;

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

/** '' when this address is free to listen on, else the system's code: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, … */
export function tryListening(host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', error => resolve(systemCode(error) || 'EIO'));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve('')));
  });
}

/** What systemd says of a unit, by property; undefined when it knows none of this name or does not run. */
export async function unitProperties(
  unit: string,
  properties: readonly string[],
): Promise<Readonly<Record<string, string>> | undefined> {
  const wanted = ['LoadState', ...properties];
  const answer = await programOutput('systemctl', ['show', unit, `--property=${wanted.join(',')}`]);
  const found = Object.fromEntries((answer ?? '').split('\n').map(line => line.split(/=(.*)/s, 2)));
  return found.LoadState === 'loaded' ? found : undefined;
}

/** What the disk that holds a path tells of its flash. `SD`: a card, which tells nothing of its wear. */
export interface Flash {
  readonly kind: 'SD' | 'MMC';
  /** Of its life, in steps of ten; 110: beyond what it was made for. */
  readonly usedPercent?: number;
}

/** Undefined for disks that are no cards and no eMMC, and where the kernel does not tell. */
export async function flashOf(path: string): Promise<Flash | undefined> {
  try {
    const name = blockName((await stat(path)).dev);
    return name === undefined ? undefined : await flashBelow(join('/sys/dev/block', name));
  } catch {
    return undefined;
  }
}

/** @param block the folder of a block device or of one of its partitions */
export async function flashBelow(block: string): Promise<Flash | undefined> {
  for (let at = await realpath(block); at !== dirname(at); at = dirname(at)) {
    const read = (name: string) => readFile(join(at, 'device', name), 'latin1').then(text => text.trim());
    const kind = await read('type').catch(() => '');
    if (kind === 'SD') return { kind };
    if (kind === 'MMC') {
      // JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A and _B: 0x01 is up to 10 %, 0x0b beyond 100 %.
      const steps = (await read('life_time').catch(() => '')).split(/\s+/).map(Number);
      const used = Math.max(0, ...steps.filter(step => step >= 1 && step <= 11)) * 10;
      return { kind, ...(used > 0 && { usedPercent: used }) };
    }
  }
  return undefined;
}

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}

/** What this machine is called in its network, where nobody has called it otherwise. */
export function hostNames(): string[] {
  const name = hostname();
  return [name, `${name}.local`];
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
