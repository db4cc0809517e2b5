import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The program as `tsc` leaves it: the same code that rollup bundles, with source maps. */
export const MAIN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'host', 'cli', 'main.js');
/** The bundle that users run. */
export const BUNDLE = join(dirname(MAIN), '..', '..', '..', 'dist', 'sovereign.mjs');

let compared = false;

/** @throws Error when the bundle is older than what it is made of: whoever compiles with `tsc` alone would test what was */
function expectFreshBundle(): void {
  if (compared) return;
  const compiled = dirname(dirname(MAIN));
  const modules = readdirSync(compiled, { recursive: true, encoding: 'utf8' });
  const changed = modules
    .filter(name => name.endsWith('.js'))
    .map(name => statSync(join(compiled, name)).mtimeMs);
  if (statSync(BUNDLE).mtimeMs < Math.max(...changed))
    throw new Error(`${BUNDLE} is older than ${compiled}: npm run build`);
  compared = true;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Takes the lines of standard output, which are kept in `lines` otherwise. */
  readonly line?: (line: string) => void;
  /** Hears the lines of standard error too. */
  readonly says?: (line: string) => void;
  /** A program and its arguments that runs ours, in the same process or as its child that dies with it. */
  readonly wrap?: readonly string[];
  /** Runs the bundle with these options of node, as on a site. */
  readonly bundle?: readonly string[];
  /** Standard output goes to /dev/null, for output that is too much to be read along. */
  readonly silent?: boolean;
}

/** `sovereign …` as a real process. */
export class Program {
  readonly lines: string[] = [];
  /** The last 64 KiB of standard error. */
  errors = '';
  readonly pid: number;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], options: ProgramOptions = {}) {
    if (options.bundle) expectFreshBundle();
    const script = options.bundle ? [...options.bundle, BUNDLE] : ['--enable-source-maps', MAIN];
    const [program, ...rest] = [...(options.wrap ?? []), process.execPath, ...script, ...args];
    this.#child = spawn(program!, rest, {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: '1', ...options.env },
      stdio: ['ignore', options.silent ? 'ignore' : 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? 0;
    const { stdout } = this.#child;
    if (stdout) {
      createInterface({ input: stdout }).on('line', line => {
        if (options.line) options.line(line);
        else this.lines.push(line);
        this.#wake();
      });
    }
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-65_536);
      this.#wake();
    });
    const { says } = options;
    if (says) {
      createInterface({ input: this.#child.stderr! }).on('line', line => {
        says(line);
        this.#wake();
      });
    }
    this.exited = new Promise(resolve => {
      this.#child.once('close', (code, signal) => {
        resolve({ code, signal });
        this.#wake();
      });
    });
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal);
  }

  async end(
    signal: NodeJS.Signals = 'SIGKILL',
  ): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    if (this.running) this.kill(signal);
    return this.exited;
  }

  /** Resolves once `condition` holds; rejects after `timeoutMs` or when the process ends before. */
  until(condition: () => boolean, what: string, timeoutMs = 30_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        error ? reject(error) : resolve();
      };
      const check = () => {
        if (condition()) finish();
        else if (!this.running) finish(new Error(`ended before ${what}: ${this.errors}`));
      };
      const timer = setTimeout(
        () => finish(new Error(`no ${what} within ${timeoutMs} ms: ${this.errors}`)),
        timeoutMs,
      );
      this.#waiting.add(check);
      check();
    });
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: ProgramOptions = {}) {
  const program = new Program(args, options);
  const { code } = await program.exited;
  return { code, lines: program.lines, errors: program.errors };
}
