import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const PACKAGE = join(SOURCES, 'host/deploy/package.sh');
const NAME = 'sovereign-edge';
const run = promisify(execFile);

/** `npm run package` into a directory, of what has been built. @returns the tarball */
export async function makeTarball(directory: string): Promise<string> {
  await run(PACKAGE, [directory], { cwd: SOURCES });
  const { version } = JSON.parse(await readFile(join(SOURCES, 'package.json'), 'utf8'));
  return join(directory, `${NAME}-${version}.tar.gz`);
}

/** Unpacks a tarball as a folder of the given name. */
export async function unpack(tarball: string, into: string): Promise<void> {
  await mkdir(into);
  await run('tar', ['-xzf', tarball, '-C', into, '--strip-components=1']);
}

/** Another version: a copy of an unpacked one with a change, whole by its own sums. */
export async function variant(
  from: string,
  into: string,
  version: string,
  change: (folder: string) => Promise<void> = async () => {},
): Promise<void> {
  await cp(from, into, { recursive: true });
  const manifest = join(into, 'package.json');
  await writeFile(manifest, JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), version }));
  await change(into);
  const sums = "find . -type f ! -name SHA256SUMS -printf '%P\\0' | sort -z | xargs -0 sha256sum";
  const { stdout } = await run('sh', ['-c', sums], { cwd: into, maxBuffer: 16 << 20 });
  await writeFile(join(into, 'SHA256SUMS'), stdout);
}
