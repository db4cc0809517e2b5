import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { AGE_BEGIN } from '../../../host/backup/age.js';
import { backupName, pruneBackups, writeBackup } from '../../../host/backup/output.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { FaultyStorage } from '../journal/faulty-storage.js';
import { inPieces, temporary } from './rig.js';

const storage = new NodeStorage();
const SEALED = Buffer.concat([Buffer.from(AGE_BEGIN), Buffer.alloc(700_000, 's')]);
const HOUR = 3600_000;
const NOW = Date.UTC(2026, 10, 21, 9, 30, 0, 7);

test('a name says whose it is and when, and names sort as times do', t => {
  t.is(backupName('cellar', 'gw-1', NOW), 'sovereign-cellar-gw-1-20261121T093000Z.tar.age');
});

test('written whole, for its owner alone; a backup of that name is replaced, anything else is left alone', async t => {
  const directory = await temporary(t);
  const path = join(directory, 'b.age');
  t.is(await writeBackup(storage, path, inPieces(SEALED)), SEALED.length);
  t.deepEqual(await readFile(path), SEALED);
  t.is((await stat(path)).mode & 0o777, 0o600);
  const other = Buffer.concat([SEALED, Buffer.from('more')]);
  await writeBackup(storage, path, inPieces(other));
  t.deepEqual(await readFile(path), other);
  t.deepEqual(await readdir(directory), ['b.age']);
  await writeFile(join(directory, 'mine'), 'my own words, which are no backup');
  await t.throwsAsync(writeBackup(storage, join(directory, 'mine'), inPieces(SEALED)), {
    code: 'backup-target',
  });
  await mkdir(join(directory, 'folder'));
  await t.throwsAsync(writeBackup(storage, join(directory, 'folder'), inPieces(SEALED)), {
    code: 'backup-target',
  });
  await t.throwsAsync(writeBackup(storage, join(directory, 'no/b'), inPieces(SEALED)), {
    code: 'backup-not-written',
  });
  t.is(await readFile(join(directory, 'mine'), 'utf8'), 'my own words, which are no backup');
});

test('at any failure, and after a power cut at any moment, the name bears the old backup or the new one', async t => {
  const before = Buffer.concat([Buffer.from(AGE_BEGIN), Buffer.from('the one before')]);
  const begin = async () => {
    const disk = new FaultyStorage();
    await writeBackup(disk, '/to/b.age', inPieces(before));
    return disk;
  };
  const counted = await begin();
  const from = counted.effects;
  await writeBackup(counted, '/to/b.age', inPieces(SEALED));
  const steps = counted.effects - from;
  t.true(steps > 8);
  for (let step = 0; step < steps; step++)
    for (const upset of ['EIO', 'ENOSPC', 'hang']) {
      const disk = await begin();
      disk.upset = (_effect, index) => (index === from + step ? upset : undefined);
      const writing = writeBackup(disk, '/to/b.age', inPieces(SEALED)).then(
        () => 'written',
        error => error.code,
      );
      const outcome = await Promise.race([writing, new Promise(resolve => setTimeout(resolve, 20, 'hangs'))]);
      for (const keep of ['visible', 'synced'] as const) {
        const content = disk.afterCrash(keep).content('/to/b.age');
        const whole = content.equals(SEALED) || content.equals(before);
        t.true(whole, `${upset} at step ${step}, ${keep}: ${content.length} bytes`);
        if (outcome === 'written') t.true(content.equals(SEALED), `${upset} at step ${step}`);
      }
      if (outcome === 'hangs' || outcome === 'written') continue;
      t.regex(String(outcome), /^backup-(not-written|target)$/);
      t.deepEqual([...disk.visible.keys()], ['/to/b.age'], `${upset} at step ${step} leaves nothing behind`);
    }
});

test('what the chunks throw is told, and leaves nothing', async t => {
  const disk = new FaultyStorage();
  const failing = (async function* () {
    yield SEALED;
    throw new Error('a member can’t be read');
  })();
  await t.throwsAsync(writeBackup(disk, '/to/b.age', failing), { message: 'a member can’t be read' });
  t.deepEqual([...disk.visible.keys()], []);
});

test('of this gateway’s backups the newest stay; nothing else in the directory is touched', async t => {
  const directory = await temporary(t);
  const name = (hours: number, gateway = 'gw') => backupName('cellar', gateway, NOW + hours * HOUR);
  const others = [
    'photos',
    name(0, 'gw-2'),
    `${name(0)}.copy`,
    'sovereign-cellar-gw-notes.tar.age',
    `.${name(5)}.part`,
  ];
  for (const other of [...others, `.${name(-30)}.part`]) await writeFile(join(directory, other), '');
  const made: string[] = [];
  for (let run = 0; run < 15; run++) {
    const latest = name(4 * run);
    made.push(latest);
    await writeFile(join(directory, latest), '');
    const now = NOW + 4 * run * HOUR;
    const removed = await pruneBackups(storage, directory, {
      site: 'cellar',
      gateway: 'gw',
      keep: 12,
      latest,
      now,
    });
    if (run === 0) t.deepEqual(removed, [`.${name(-30)}.part`], 'what a killed run left a day ago');
    else t.is(removed.length, run === 8 ? 1 : run < 12 ? 0 : 1);
  }
  const left = (await readdir(directory)).filter(file => !others.includes(file));
  t.deepEqual(left.sort(), made.slice(-12).sort());
  // A clock that is not set: what was just made is not what goes.
  const early = backupName('cellar', 'gw', 0);
  await writeFile(join(directory, early), '');
  const options = { site: 'cellar', gateway: 'gw', keep: 12, latest: early, now: 0 };
  t.deepEqual(await pruneBackups(storage, directory, options), [made[3]!]);
  t.true((await readdir(directory)).includes(early));
});
