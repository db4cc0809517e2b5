import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { makeTarball, unpack } from './tarball.js';

const run = promisify(execFile);

/** `e_machine` of an ELF header, for each kind of machine that Node has a name for. */
const ELF_MACHINES = { 'linux-x64': 62, 'linux-arm64': 183, 'linux-arm': 40 };

test('the tarball holds what a gateway needs on each machine, runs by itself, and comes out the same again', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'package-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const tarball = await makeTarball(join(directory, 'first'));
  const again = await makeTarball(join(directory, 'second'));
  t.true((await readFile(tarball)).equals(await readFile(again)), 'reproducible');

  const folder = join(directory, 'unpacked');
  await unpack(tarball, folder);
  const { stdout } = await run('find', [folder, '-type', 'f', '-printf', '%P\n'], { maxBuffer: 16 << 20 });
  const files = stdout.split('\n').filter(name => name !== '');
  const binaries = files.filter(name => name.endsWith('.node'));
  for (const [machine, elf] of Object.entries(ELF_MACHINES)) {
    const own = binaries.filter(name => name.includes(`/prebuilds/${machine}/`));
    t.true(own.length > 0, machine);
    for (const name of own) t.is((await readFile(join(folder, name))).readUInt16LE(18), elf, name);
  }
  t.deepEqual(
    binaries.filter(name => !name.startsWith('node_modules/@serialport/bindings-cpp/prebuilds/linux-')),
    [],
    'nothing was compiled here',
  );
  t.deepEqual(
    files.filter(name => /^node_modules\/(ava|typescript|rollup|@biomejs|fast-check|@types)\//.test(name)),
    [],
    'nothing for development',
  );
  for (const name of [
    'install.sh',
    'host/deploy/README.md',
    'host/deploy/systemd/sovereign.service',
    'dist/web/index.html',
  ])
    t.true(files.includes(name), name);
  const { code } = await run('sha256sum', ['--check', '--quiet', '--strict', 'SHA256SUMS'], {
    cwd: folder,
  }).then(
    () => ({ code: 0 }),
    error => error,
  );
  t.is(code, 0);
  const sums = (await readFile(join(folder, 'SHA256SUMS'), 'utf8')).trim().split('\n');
  t.is(sums.length, files.length - 1, 'a sum for each');

  // From its own packages alone: no node_modules lies above it.
  const program = join(folder, 'dist/sovereign.mjs');
  t.regex((await run(process.execPath, [program, '--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  const load =
    "import('serialport').then(({ SerialPort }) => SerialPort.list()).then(() => console.log('loaded'))";
  t.is(
    (await run(process.execPath, ['--input-type=module', '-e', load], { cwd: folder })).stdout,
    'loaded\n',
  );
});
