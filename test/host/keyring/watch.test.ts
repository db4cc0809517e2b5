import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { LogBook } from '../../../host/control/log-book.js';
import { editKeyring } from '../../../host/keyring/edit.js';
import { Keyring } from '../../../host/keyring/file.js';
import { KeyringWatch } from '../../../host/keyring/watch.js';
import { systemClock } from '../../../host/node/clock.js';
import { lineWriter, silentLog } from '../../../host/node/log.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { FakeClock } from '../../support/fake-clock.js';
import { device, keyringFile } from './keys.js';

test('follows additions and removals; a broken, readable or missing file leaves what there was', async t => {
  const [first, second] = [device('a'), device('b')];
  const path = keyringFile(t, [first]);
  const lines: string[] = [];
  const write = lineWriter('text', line => void lines.push(line));
  const log = new LogBook({ level: 'info', now: () => 0, write });
  const watch = await KeyringWatch.open({ files: privateFiles, clock: new FakeClock(), log }, path);
  t.teardown(() => watch.close());
  let changes = 0;
  watch.onChange(() => changes++);
  await watch.look();
  t.is(changes, 0);

  await editKeyring(privateFiles, path, draft => draft.add(second));
  await watch.look();
  t.is(watch.get(second.id)?.name, 'b');
  t.is(watch.byName('b')?.id, second.id);

  writeFileSync(path, 'version: 1\ndevices: [');
  await watch.look();
  await watch.look();
  t.is(watch.size, 2);
  t.is(watch.fault?.code, 'keyring-invalid');
  t.is(lines.filter(line => line.includes('keyring-not-taken')).length, 1, lines.join(''));

  writeFileSync(`${path}.new`, new Keyring([second]).render(), { mode: 0o644 });
  chmodSync(`${path}.new`, 0o644);
  renameSync(`${path}.new`, path);
  await watch.look();
  t.is(watch.fault?.code, 'keyring-readable');
  t.is(watch.size, 2);
  chmodSync(path, 0o600);
  await watch.look();
  t.is(watch.fault, undefined);
  t.deepEqual([...watch.entries()], [second]);

  rmSync(path);
  await watch.look();
  t.is(watch.fault?.code, 'keyring-missing');
  t.is(watch.size, 1);
  t.is(changes, 3 - 1);
});

test('looks once a second of its own accord, and no more once closed', async t => {
  const path = keyringFile(t);
  const watch = await KeyringWatch.open({ files: privateFiles, clock: systemClock, log: silentLog }, path);
  const changed = new Promise<void>(resolve => watch.onChange(() => resolve()));
  await editKeyring(privateFiles, path, draft => draft.add(device('a')));
  await changed;
  t.is(watch.size, 1);
  watch.close();
});

test('a first load that fails is a Fault', async t => {
  const ports = {
    files: privateFiles,
    clock: new FakeClock(),
    log: silentLog,
  };
  await t.throwsAsync(KeyringWatch.open(ports, keyringFile(t, [], 0o640)), { code: 'keyring-readable' });
});
