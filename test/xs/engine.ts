/**
 * The XS engine, compiled once and cached in `test/xs/engine/build/`.
 *
 * `npm ci` at the root must succeed without a compiler, so the engine's sources are a package of their own:
 * `test/xs/engine/package.json` pins it, and the first test that needs the engine installs and compiles it.
 * Test files run in parallel processes: one builds under a kernel lock, which dies with its holder, and the
 * others wait for it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault, systemCode } from '../../host/fault.js';

/** How one worker differs from another made of the same sources. */
export interface Variant {
  /** Names its folder under `build/`. */
  readonly name: string;
  /** Options of the compiler and of the linker, besides those of the Makefile. */
  readonly cflags: readonly string[];
  readonly ldflags: readonly string[];
}

/** The engine as it comes: this machine's word size, and a heap that grows. */
export const desktop: Variant = { name: 'desktop', cflags: [], ldflags: [] };

const WRAPPED = ['fxCreateMachine', 'fxAllocateChunks', 'fxAllocateSlots'];
/**
 * A board's word size, so slots of 16 bytes as there, and a heap that can be limited (`XsWorker.limit`). Doubles
 * are computed as on a board, not in the wider registers of the x87.
 */
export const board32: Variant = {
  name: 'board32',
  cflags: ['-m32', '-msse2', '-mfpmath=sse', '-DSOVEREIGN_LIMIT'],
  ldflags: ['-m32', ...WRAPPED.map(name => `-Wl,--wrap=${name}`)],
};

const here = dirname(fileURLToPath(import.meta.url));
/** The project's root, seen from `build/test/xs/`. */
export const root = normalize(join(here, '..', '..', '..'));
/** Where package, Makefile, own C files and results lie. */
export const engineFolder = join(root, 'test', 'xs', 'engine');
/** What a worker is made of; a change of any of them makes another worker. */
const INPUTS = ['package-lock.json', 'Makefile', 'board.c', 'heap.c'];
/** Exit status of the program that builds. */
export const TOOL_MISSING = 2;
const BUILD_LIMIT_MS = 10 * 60_000;

/** Where the worker of the present inputs is, or will be. */
export function workerPath(variant: Variant): string {
  const digest = createHash('sha256');
  for (const name of INPUTS) digest.update(readFileSync(join(engineFolder, name)));
  digest.update(JSON.stringify([variant, process.platform, process.arch]));
  const name = `${variant.name}-${digest.digest('hex').slice(0, 16)}`;
  return join(engineFolder, 'build', name, 'xs-worker');
}

/**
 * The path of a worker compiled from the present inputs; compiles it when there is none.
 * @throws Fault `xs-engine` when a tool is missing or the build fails
 */
export async function engineWorker(variant: Variant = desktop): Promise<string> {
  const worker = workerPath(variant);
  if (existsSync(worker)) return worker;
  mkdirSync(join(engineFolder, 'build'), { recursive: true });
  const lock = join(engineFolder, 'build', 'lock');
  const builder = [process.execPath, join(here, 'engine-build.js'), JSON.stringify(variant)];
  let built = await run(['flock', lock, ...builder], 'messages');
  // Without the tool every process builds for itself; the rename at the end of the build makes that safe.
  if (built.missing) built = await run(builder, 'messages');
  if (built.status === 0 && existsSync(worker)) return worker;
  const remedy =
    built.status === TOOL_MISSING
      ? 'sudo apt install gcc libc6-dev make'
      : 'remove test/xs/engine/node_modules and test/xs/engine/build, and run the tests again';
  throw new Fault('xs-engine', `${built.text} (${remedy})`, remedy);
}

/** Undefined when the variant is there or can be compiled; else what has to be installed for it. */
export async function missingFor(variant: Variant): Promise<string | undefined> {
  if (existsSync(workerPath(variant))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'sovereign-cc-'));
  try {
    const program = join(folder, 'probe');
    writeFileSync(
      `${program}.c`,
      '#include <math.h>\nint main(int n, char **a) { return n == 9 && sqrt(n) > 9; }',
    );
    const command = [process.env.CC || 'cc', ...variant.cflags, `${program}.c`, '-lm', '-o', program];
    if ((await run(command)).status === 0) return undefined;
    return `${command[0]} compiles nothing with ${variant.cflags[0]} here: apt-get install gcc-multilib`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Outcome {
  readonly status: number | null;
  /** The last 64 KiB of what it printed. */
  readonly text: string;
  /** There is no such command. */
  readonly missing: boolean;
}

/**
 * Runs a command in the engine's folder.
 * @param stderr `text`: part of the outcome's text; `messages`: shown to the user as it comes
 */
export function run(command: readonly string[], stderr: 'text' | 'messages' = 'text'): Promise<Outcome> {
  return new Promise(resolve => {
    let text = '';
    const child = spawn(command[0], command.slice(1), {
      cwd: engineFolder,
      stdio: ['ignore', 'pipe', stderr === 'text' ? 'pipe' : 'inherit'],
    });
    const collect = (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-65_536);
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    // spawn's own `timeout` goes on, and keeps the process, when there is no such command.
    const timer = setTimeout(() => child.kill(), BUILD_LIMIT_MS);
    const end = (outcome: Outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    };
    child.on('error', error =>
      end({ status: null, text: error.message, missing: systemCode(error) === 'ENOENT' }),
    );
    child.on('close', status => end({ status, text, missing: false }));
  });
}
