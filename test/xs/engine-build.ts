/**
 * Installs the engine's sources and compiles one variant of the worker. A program of its own, run under the
 * lock that `engine.ts` takes: `engine-build.js VARIANT`. Errors go to standard output, for `engine.ts` to raise.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { engineFolder, run, TOOL_MISSING, type Variant, workerPath } from './engine.js';

async function build(variant: Variant): Promise<void> {
  const worker = workerPath(variant);
  // Whoever held the lock before may have built it.
  if (existsSync(worker)) return;
  for (const tool of [process.env.CC || 'cc', 'make']) {
    const { status } = await run([tool, '--version']);
    if (status !== 0) {
      process.exitCode = TOOL_MISSING;
      throw new Error(`the tests on the XS engine compile it from C, and '${tool}' does not run here`);
    }
  }
  process.stderr.write(`compiling the XS engine (${variant.name}) into test/xs/engine/build, once\n`);
  await installSources();
  const temporary = join(engineFolder, 'build', `.${variant.name}-${process.pid}`);
  mkdirSync(temporary, { recursive: true });
  try {
    const settings = [
      `OUT=${temporary}`,
      `VARIANT_CFLAGS=${variant.cflags.join(' ')}`,
      `VARIANT_LDFLAGS=${variant.ldflags.join(' ')}`,
    ];
    await must(['make', '--silent', '--jobs=2', ...settings], 'the XS engine does not compile');
    mkdirSync(dirname(worker), { recursive: true });
    renameSync(join(temporary, 'xs-worker'), worker);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

async function installSources(): Promise<void> {
  const manifest = join('node_modules', '@agoric', 'xsnap', 'package.json');
  if (existsSync(join(engineFolder, manifest)) && version(manifest) === lockedVersion()) return;
  await must(
    ['npm', 'ci', '--prefix', engineFolder, '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'],
    'the sources of the XS engine cannot be installed from the npm registry',
  );
}

function version(manifest: string): string {
  return json<{ version: string }>(manifest).version;
}

function lockedVersion(): string {
  const lock = json<{ packages: Record<string, { version: string }> }>('package-lock.json');
  return lock.packages['node_modules/@agoric/xsnap'].version;
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(join(engineFolder, name), 'utf8')) as T;
}

async function must(command: readonly string[], otherwise: string): Promise<void> {
  const { status, text } = await run(command);
  if (status !== 0) throw new Error(`${otherwise}:\n${text.slice(-4000)}`);
}

try {
  await build(JSON.parse(process.argv[2]) as Variant);
} catch (error) {
  process.stdout.write(error instanceof Error ? error.message : String(error));
  process.exitCode ??= 1;
}
