import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { editKeyring } from '../../../host/keyring/edit.js';
import { Keyring } from '../../../host/keyring/file.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { device, keyringFile, temporary } from './keys.js';

test('an edit is there afterwards, at mode 600, with nothing but a lock beside it', async t => {
  const path = keyringFile(t);
  const added = device('probe');
  t.is(await editKeyring(privateFiles, path, draft => draft.add(added)), undefined);
  t.deepEqual([...(await Keyring.load(path, privateFiles)).entries()], [added]);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual(readdirSync(dirname(path)).sort(), ['.keyring.yaml.lock', 'keyring.yaml']);
});

test('a removed id is never used again, its name is free', async t => {
  const gone = device('probe');
  const path = keyringFile(t, [gone]);
  await editKeyring(privateFiles, path, draft => draft.remove(draft.find('probe').id));
  const error = { code: 'id-removed', message: new RegExp(gone.id) };
  await t.throwsAsync(
    editKeyring(privateFiles, path, draft => draft.add(gone)),
    error,
  );
  await editKeyring(privateFiles, path, draft => {
    t.true(draft.taken(gone.id));
    draft.add(device('probe'));
  });
  t.deepEqual([...(await Keyring.load(path, privateFiles)).removed], [gone.id]);
});

test('ids and names are unique, and a failed edit leaves the file alone', async t => {
  const first = device('probe');
  const path = keyringFile(t, [first]);
  const before = readFileSync(path, 'utf8');
  const adding = (entry: ReturnType<typeof device>) =>
    editKeyring(privateFiles, path, draft => draft.add(entry));
  await t.throwsAsync(adding({ ...first, name: 'other' }), { code: 'device-known' });
  await t.throwsAsync(adding(device('probe')), { code: 'name-taken' });
  await t.throwsAsync(adding(device('a b')), { code: 'name-invalid' });
  await t.throwsAsync(adding(device('0123456789abcdef')), { code: 'name-invalid' });
  await t.throwsAsync(
    editKeyring(privateFiles, path, draft => draft.find('nobody')),
    { code: 'device-unknown' },
  );
  t.is(readFileSync(path, 'utf8'), before);
  await editKeyring(privateFiles, path, draft => t.is(draft.freeName('probe'), 'probe-2'));
});

test('a broken or readable keyring is not edited', async t => {
  const path = keyringFile(t);
  writeFileSync(path, 'version: 1\ndevices: [');
  const edit = () => editKeyring(privateFiles, path, draft => draft.add(device('a')));
  await t.throwsAsync(edit(), { code: 'keyring-invalid' });
  chmodSync(path, 0o640);
  await t.throwsAsync(edit(), { code: 'keyring-readable' });
});

test('edits in one process wait for each other too', async t => {
  const path = keyringFile(t);
  await Promise.all(
    Array.from({ length: 8 }, (_, i) => editKeyring(privateFiles, path, draft => draft.add(device(`d${i}`)))),
  );
  t.is((await Keyring.load(path, privateFiles)).size, 8);
});

test('a keyring behind a symbolic link stays behind it', async t => {
  const path = keyringFile(t);
  const link = join(temporary(t), 'link.yaml');
  symlinkSync(path, link);
  await editKeyring(privateFiles, link, draft => draft.add(device('a')));
  t.is((await Keyring.load(path, privateFiles)).size, 1);
});

test('a directory that may not be written says so', async t => {
  await t.throwsAsync(
    editKeyring(privateFiles, '/nowhere/keyring.yaml', () => {}),
    { code: 'file-failed', message: /cannot lock/ },
  );
});
