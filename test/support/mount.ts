import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A small file system in memory, in a mount name space of its own: root may have that, and others where user name
 * spaces are allowed. Programs get in with `enter`; this process goes through /proc.
 */
export class SmallDisk {
  /** Where it is mounted, for programs inside. */
  readonly path: string;
  /** What programs are run with to be inside. */
  readonly enter: readonly string[];
  readonly #holder: ChildProcess;
  readonly #outside: string;

  private constructor(path: string, enter: readonly string[], holder: ChildProcess) {
    this.path = path;
    this.enter = enter;
    this.#holder = holder;
    this.#outside = `/proc/${holder.pid}/root${path}`;
  }

  /** @returns why not, where it is not allowed */
  static async create(bytes: number): Promise<SmallDisk | string> {
    const path = await mkdtemp(join(tmpdir(), 'disk-'));
    const root = process.getuid?.() === 0;
    const spaces = root ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
    const script = 'mount -t tmpfs -o size="$1",mode=700 tmpfs "$2" && echo mounted && exec sleep 1000000';
    const args = [...spaces, 'sh', '-c', script, 'sh', `${bytes}`, path];
    const holder = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const mounted = await new Promise<boolean>(resolve => {
      holder.once('error', error => {
        said = String(error);
        resolve(false);
      });
      holder.stderr!.on('data', (text: Buffer) => {
        said += text.toString();
      });
      holder.stdout!.once('data', () => resolve(true));
      holder.once('close', () => resolve(false));
    });
    const user = root ? [] : ['--user', '--preserve-credentials'];
    const enter = ['nsenter', '--target', `${holder.pid}`, ...user, '--mount', '--'];
    if (mounted && spawnSync(enter[0]!, [...enter.slice(1), 'test', '-w', path]).status === 0)
      return new SmallDisk(path, enter, holder);
    holder.kill('SIGKILL');
    rmSync(path, { recursive: true });
    return `a file system can't be mounted here, by root or in a user name space: ${said.trim()}`;
  }

  get availableBytes(): number {
    const { bavail, bsize } = statfsSync(this.#outside);
    return bavail * bsize;
  }

  /** Somebody else's file takes all but so many bytes; again: instead of the one before. */
  fill(leaveBytes: number): void {
    this.free();
    const file = openSync(
      `${this.#outside}/ballast`,
      constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC,
      0o600,
    );
    try {
      const block = Buffer.alloc(4096, 0xaa);
      while (this.availableBytes > leaveBytes) writeSync(file, block);
    } catch (error) {
      // Our gateway was faster: it is full.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  /** That file goes away. */
  free(): void {
    rmSync(`${this.#outside}/ballast`, { force: true });
  }

  async close(): Promise<void> {
    const gone = new Promise(resolve => this.#holder.once('close', resolve));
    this.#holder.kill('SIGKILL'); // and the mount with it
    await gone;
    await rm(this.path, { recursive: true, force: true });
  }
}
