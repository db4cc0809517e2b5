import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '../../../host/fault.js';
import { exposedFile, readTextFile } from '../../../host/node/text-file.js';

// One variable for the whole process.
test.serial('a file of a folder credentials comes from systemd if it has handed it over', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'text-file-'));
  const before = process.env.CREDENTIALS_DIRECTORY;
  t.teardown(async () => {
    if (before === undefined) delete process.env.CREDENTIALS_DIRECTORY;
    else process.env.CREDENTIALS_DIRECTORY = before;
    await rm(directory, { recursive: true });
  });
  const secrets = join(directory, 'credentials');
  const handed = join(directory, 'handed');
  await mkdir(secrets);
  await mkdir(handed);
  await writeFile(join(secrets, 'password'), 'in the folder');
  await writeFile(join(directory, 'password'), 'elsewhere');

  delete process.env.CREDENTIALS_DIRECTORY;
  t.is(await readTextFile(join(secrets, 'password'), 100), 'in the folder');

  process.env.CREDENTIALS_DIRECTORY = handed;
  t.is(await readTextFile(join(secrets, 'password'), 100), 'in the folder', 'not handed over');
  await writeFile(join(handed, 'credentials_password'), 'handed over');
  t.is(await readTextFile(join(secrets, 'password'), 100), 'handed over');
  t.is(await readTextFile(join(directory, 'password'), 100), 'elsewhere');
  t.is(await readTextFile(join(secrets, 'absent'), 100), undefined);
  await writeFile(join(handed, 'credentials_empty'), '');
  await writeFile(join(secrets, 'empty'), 'not this one');
  t.is(await readTextFile(join(secrets, 'empty'), 100), '', 'an empty one is one');
});

async function temporary(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'text-file-'));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

test('a secret that everybody may read or write is refused, with what to do', async t => {
  const path = join(await temporary(t), 'mqtt-password');
  writeFileSync(path, 'secret');
  for (const mode of [0o644, 0o604, 0o602, 0o666]) {
    chmodSync(path, mode);
    const fault = (await t.throwsAsync(readTextFile(path, 100, 'secret'), { instanceOf: Fault })) as Fault;
    t.is(fault.code, 'secret-readable');
    t.true(fault.message.includes(`0${mode.toString(8)}`) && fault.remedy.startsWith(`chmod 600 ${path}`));
    t.is(await readTextFile(path, 100), 'secret');
  }
  // A group is who shares the file on purpose: the service's.
  for (const mode of [0o600, 0o640, 0o400, 0o660]) {
    chmodSync(path, mode);
    t.is(await readTextFile(path, 100, 'secret'), 'secret');
  }
});

test('what is no file has no mode to look at; what is not there is told apart', async t => {
  const path = join(await temporary(t), 'pipe');
  execFileSync('mkfifo', ['-m', '644', path]);
  const text = readTextFile(path, 100, 'secret');
  writeFileSync(path, 'secret');
  t.is(await text, 'secret');
  t.is(await readTextFile(`${path}.not`, 100, 'secret'), undefined);
});

test('a file is exposed to others by its mode, and by every folder above it', async t => {
  const directory = await temporary(t);
  const path = join(directory, 'config.yaml');
  writeFileSync(path, 'x');
  for (const folder of [0o755, 0o711, 0o701]) {
    chmodSync(directory, folder);
    for (const mode of [0o644, 0o604, 0o602]) {
      chmodSync(path, mode);
      t.deepEqual(await exposedFile(path), { mode: `0${mode.toString(8)}`, ours: true });
    }
    for (const mode of [0o600, 0o640, 0o660, 0o400]) {
      chmodSync(path, mode);
      t.is(await exposedFile(path), undefined);
    }
  }
  chmodSync(path, 0o644);
  for (const folder of [0o700, 0o750, 0o744]) {
    chmodSync(directory, folder);
    t.is(await exposedFile(path), undefined, `in a folder of mode ${folder.toString(8)}`);
  }
  chmodSync(directory, 0o755);
  await symlink(path, `${path}.link`);
  t.deepEqual(await exposedFile(`${path}.link`), { mode: '0644', ours: true }, 'it is the file that counts');
  t.is(await exposedFile(directory), undefined);
  t.is(await exposedFile(`${path}.not`), undefined);
});
