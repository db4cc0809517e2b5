import test from 'ava';
import { LAST_BACKUP, lastBackup, recordBackup } from '../../../host/backup/last.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';

const write = async (storage: MemoryStorage, text: string) => {
  await storage.remove(`/data/${LAST_BACKUP}`).catch(() => {});
  const file = await storage.open(`/data/${LAST_BACKUP}`, 'create');
  await file.write(new TextEncoder().encode(text), 0);
  await file.close();
};

test('the time of the last backup is found again, and of none, or of what is no time, nothing is said', async t => {
  const storage = new MemoryStorage();
  t.is(await lastBackup(storage, '/data', 'cellar'), undefined);
  await recordBackup(storage, '/data', 'cellar', 1_780_000_000_000);
  await recordBackup(storage, '/data', 'cellar', 1_780_000_600_000);
  t.is(await lastBackup(storage, '/data', 'cellar'), 1_780_000_600_000);
  for (const text of [
    '',
    '{',
    'null',
    '{"at":1}',
    '{"gateway":"cellar","at":"1"}',
    '{"gateway":"cellar","at":-1}',
    '{"gateway":"cellar","at":1e400}',
    `{"gateway":"cellar","at":1${' '.repeat(300)}}`,
  ]) {
    await write(storage, text);
    t.is(await lastBackup(storage, '/data', 'cellar'), undefined, text);
  }
});

test('of a gateway that was restored over another there is none, whatever the other left', async t => {
  const storage = new MemoryStorage();
  await recordBackup(storage, '/data', 'cellar', 1_780_000_000_000);
  t.is(await lastBackup(storage, '/data', 'cellar-2'), undefined);
  await recordBackup(storage, '/data', 'cellar-2', 1_780_000_600_000);
  t.is(await lastBackup(storage, '/data', 'cellar-2'), 1_780_000_600_000);
});
