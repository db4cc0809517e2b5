/**
 * A machine to install on: the systemd of this one, booted as process 1 of name spaces of its own over a copy of its files,
 * without a network. What is installed there is gone with it. Needs root, and control groups that may be written.
 *
 * With TEST_SYSTEM=DIRECTORY, the system in that directory instead, such as one made by
 * `debootstrap --variant=minbase --include=systemd-sysv,dbus,nodejs,mosquitto,socat trixie DIRECTORY`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause } from '../support/live-site.js';
import { findProgram } from '../support/needs.js';

const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const BOOT = join(SOURCES, 'test/deploy/boot.sh');
const BOOT_MS = 60_000;

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export class Machine {
  /** Outside; `/mnt` inside. */
  readonly shared: string;
  readonly #work: string;
  readonly #cgroup: string;
  readonly #holder: ChildProcess;
  readonly #init: number;

  private constructor(
    parts: { work: string; shared: string; cgroup: string; holder: ChildProcess },
    init: number,
  ) {
    this.#work = parts.work;
    this.shared = parts.shared;
    this.#cgroup = parts.cgroup;
    this.#holder = parts.holder;
    this.#init = init;
  }

  /** @returns why not, where that is not allowed */
  static async boot(): Promise<Machine | string> {
    if (process.getuid?.() !== 0) return 'only root may boot a systemd of its own';
    for (const program of ['unshare', 'nsenter', 'systemctl', 'dbus-daemon'])
      if (findProgram(program) === undefined) return `${program} is not installed`;
    const cgroup = ownCgroup();
    if (cgroup === undefined) return 'there is no control group of version 2 that may be written';
    const work = await mkdtemp(join(tmpdir(), 'machine-'));
    const shared = await mkdtemp(join(tmpdir(), 'shared-'));
    await chmod(shared, 0o755);
    const spaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup', '--fork', '--kill-child'];
    const script = 'echo $$ > "$1/cgroup.procs" && shift && exec unshare "$@"';
    const args = ['-c', script, 'sh', cgroup, ...spaces, BOOT, process.env.TEST_SYSTEM ?? '/', work, shared];
    const holder = spawn('sh', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    holder.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4096);
    });
    const parts = { work, shared, cgroup, holder };
    const end = Date.now() + BOOT_MS;
    while (Date.now() < end && holder.exitCode === null) {
      const init = childOf(holder.pid ?? 0);
      const machine = new Machine(parts, init);
      if (init > 0) {
        const { out } = await machine.run('systemctl', ['is-system-running']);
        if (/^(running|degraded)/.test(out)) return machine;
      }
      await pause(100);
    }
    await new Machine(parts, 0).stop();
    return `systemd does not boot here: ${said.trim()}`;
  }

  /** Runs a program inside, as root, to its end. */
  run(program: string, args: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const [command, ...rest] = this.inside(program, args);
    return new Promise(resolve => {
      execFile(
        command!,
        rest,
        { env: { PATH: process.env.PATH, LC_ALL: 'C', ...environment }, maxBuffer: 16 << 20 },
        (error, out, err) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
          resolve({ code, out, err });
        },
      );
    });
  }

  /** A line for the shell inside. */
  sh(line: string): Promise<Ran> {
    return this.run('sh', ['-c', line]);
  }

  inside(program: string, args: readonly string[]): string[] {
    const enter = [
      'nsenter',
      '--target',
      `${this.#init}`,
      '--mount',
      '--pid',
      '--uts',
      '--ipc',
      '--net',
      '--cgroup',
    ];
    return [...enter, '--', program, ...args];
  }

  /** Where a file inside is found from outside. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  async stop(): Promise<void> {
    const gone = new Promise<void>(resolve => {
      if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) resolve();
      else this.#holder.once('exit', () => resolve());
    });
    // Process 1 of a name space takes all others of it along.
    if (this.#init > 0) process.kill(this.#init, 'SIGKILL');
    else this.#holder.kill('SIGKILL');
    await gone;
    await rm(this.#work, { recursive: true, force: true });
    await rm(this.shared, { recursive: true, force: true });
    for (let i = 0; i < 50 && !removeCgroup(this.#cgroup); i++) await pause(100);
  }
}

/** The one child of a process; 0: none yet. */
function childOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
  } catch {
    return 0;
  }
}

/** A new group of the hierarchy of version 2, wherever it is mounted. */
function ownCgroup(): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  for (const [, at, type] of mounts.map(line => line.split(' '))) {
    if (type !== 'cgroup2' || at === undefined) continue;
    const path = join(at, `sovereign-test-${process.pid}`);
    try {
      mkdirSync(path);
      writeFileSync(join(path, 'cgroup.procs'), '');
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') return path; // an empty line is no process
      removeCgroup(path);
    }
  }
  return undefined;
}

function removeCgroup(path: string): boolean {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true }))
      if (entry.isDirectory()) removeCgroup(join(path, entry.name));
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
