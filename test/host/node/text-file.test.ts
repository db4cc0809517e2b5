import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readTextFile } from '../../../host/node/text-file.js';

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
