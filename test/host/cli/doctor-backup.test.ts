import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { backupName } from '../../../host/backup/output.js';
import { checkBackups } from '../../../host/cli/doctor/backup.js';
import { temporary } from '../backup/rig.js';

const CONFIG = { site: 'cellar', gateway: 'gw' };
const HOUR = 3600_000;

test('an installed gateway without a key, without a backup, with an old one, with a fresh one', async t => {
  const root = await temporary(t);
  const places = { key: join(root, 'backup.key'), directory: join(root, 'backups') };
  const look = async () =>
    (await checkBackups(CONFIG, true, places)).map(({ state, text }) => `${state}: ${text}`);
  const add = (name: string) => writeFile(join(places.directory, name), '');
  await mkdir(places.directory);
  t.deepEqual(await checkBackups(CONFIG, false, places), []);
  t.regex((await look())[0]!, /^note: there is no .*backup\.key, so the timer makes no backups/);
  await writeFile(places.key, 'age1');
  await add(backupName('cellar', 'gw-other', Date.now()));
  await add(`.${backupName('cellar', 'gw', Date.now())}.part`);
  t.regex((await look())[0]!, /^note: there is no backup of gw in /);
  await add(backupName('cellar', 'gw', Date.now() - 30 * HOUR));
  t.regex((await look())[0]!, /^note: the newest in .* is 1 d 6 h old/);
  await add(backupName('cellar', 'gw', Date.now() - HOUR));
  t.regex((await look())[0]!, /^ok: the newest in .* is 1 h old/);
  const none = { ...places, directory: join(places.key, 'backups') };
  t.regex((await checkBackups(CONFIG, true, none))[0]!.text, /can't look into .*ENOTDIR/);
});
