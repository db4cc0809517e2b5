/** What is asked and done in a machine on which the gateway is installed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pause } from '../support/live-site.js';
import type { Machine, Ran } from './machine.js';

export const install = (m: Machine, version: string, ...args: string[]) =>
  m.run(`/mnt/${version}/install.sh`, args);
export const show = async (m: Machine, property: string, unit = 'sovereign.service') =>
  (await m.run('systemctl', ['show', `--property=${property}`, '--value', unit])).out.trim();
/** Of the gateway, which runs. */
export async function mainPid(m: Machine): Promise<number> {
  const pid = Number(await show(m, 'MainPID'));
  if (pid > 1) return pid;
  throw new Error(`the gateway does not run: ${(await m.sh('journalctl -u sovereign | tail -20')).out}`);
}
export const told = ({ out, err }: Ran) => `${out}\n${err}`;

/** What may be done at a path, as a process sees it; what is no mount of its own is as the one above. */
export async function mountsOf(m: Machine, pid: number) {
  const lines = (await m.sh(`cat /proc/${pid}/mountinfo`)).out.trim().split('\n');
  const options = new Map(
    lines.map(line => line.split(' ')).map(fields => [fields[4]!, fields[5]!.split(',')]),
  );
  return (path: string): { write: boolean; execute: boolean } => {
    let at = path;
    while (!options.has(at) && at !== '/') at = at.slice(0, at.lastIndexOf('/')) || '/';
    const found = options.get(at) ?? [];
    return { write: found.includes('rw'), execute: !found.includes('noexec') };
  };
}

export async function becomes(what: () => Promise<boolean>, seconds = 30): Promise<boolean> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await pause(250))
    if (await what()) return true;
  return false;
}

/** Ends the installer where it would restart the gateway, and does what the next start of the machine does. */
export async function cutOff(m: Machine, version: string): Promise<void> {
  const directory = join(m.shared, 'cut');
  await mkdir(directory, { recursive: true });
  const lines = [
    '#!/bin/sh',
    '[ "$1" != restart ] || { kill -KILL $PPID; exit; }',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin exec systemctl "$@"',
  ];
  await writeFile(join(directory, 'systemctl'), `${lines.join('\n')}\n`, { mode: 0o755 });
  await m.run(`/mnt/${version}/install.sh`, [], { PATH: `/mnt/cut:${process.env.PATH}` });
  await m.sh('systemctl stop sovereign; systemctl start --no-block multi-user.target');
}
export const settled = (m: Machine) =>
  becomes(async () => (await m.sh('test -e /opt/sovereign/pending')).code !== 0, 60);
