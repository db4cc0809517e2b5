import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { diskWrites, WriteMeter } from '../../../host/node/disk-writes.js';
import { NodeStorage } from '../../../host/node/storage.js';

const storage = new NodeStorage();

async function directory(t: { teardown(run: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sovereign-storage-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('directories are made private, with their parents, and again without complaint', async t => {
  const path = join(await directory(t), 'a', 'b');
  t.deepEqual(await storage.list(path), []);
  await storage.ensureDirectory(path);
  await storage.ensureDirectory(path);
  t.is((await stat(path)).mode & 0o777, 0o700);
  await storage.syncDirectory(path);
});

test('the parents of a directory are synced, also when it is there already: who made it may have died at once', async t => {
  const base = await directory(t);
  const synced: string[] = [];
  class Watched extends NodeStorage {
    override syncDirectory(path: string): Promise<void> {
      synced.push(path);
      return super.syncDirectory(path);
    }
  }
  for (let i = 0; i < 2; i++) {
    synced.length = 0;
    await new Watched().ensureDirectory(join(base, 'a', 'b'));
    t.deepEqual(synced.slice(0, 3), [join(base, 'a'), base, join(base, '..')]);
  }
});

test('create is exclusive and private; update and read need the file', async t => {
  const path = join(await directory(t), 'f');
  await t.throwsAsync(storage.open(path, 'read'), { code: 'ENOENT' });
  await t.throwsAsync(storage.open(path, 'update'), { code: 'ENOENT' });
  const file = await storage.open(path, 'create');
  t.is((await stat(path)).mode & 0o777, 0o600);
  await t.throwsAsync(storage.open(path, 'create'), { code: 'EEXIST' });
  t.is(await file.write(Buffer.from('hello'), 3), 5);
  await file.sync();
  t.is(await file.size(), 8);
  const target = Buffer.alloc(10, 1);
  t.is(await file.read(target, 2), 6);
  t.is(target.toString('latin1', 0, 6), '\0hello');
  await file.close();
  const update = await storage.open(path, 'update');
  await update.write(Buffer.from('J'), 3);
  await update.close();
  t.is((await readFile(path, 'latin1')).slice(3), 'Jello');
});

test('list is sorted; rename and remove do what they say', async t => {
  const path = await directory(t);
  for (const name of ['c', 'a', 'b']) await writeFile(join(path, name), name);
  t.deepEqual(await storage.list(path), ['a', 'b', 'c']);
  await storage.rename(join(path, 'a'), join(path, 'd'));
  await storage.remove(join(path, 'b'));
  t.deepEqual(await storage.list(path), ['c', 'd']);
  const { availableBytes, totalBytes } = await storage.space(path);
  t.true(availableBytes > 0 && totalBytes >= availableBytes);
});

test('bytes written are counted where the kernel tells', async t => {
  const writes = await diskWrites(tmpdir());
  if (writes) t.true(Number.isSafeInteger(writes.bytes) && writes.bytes >= 0);
  let bytes = 1000;
  let time = 0;
  const meter = new WriteMeter(async () => ({ source: 'device', bytes }), { monotonic: () => time });
  t.is(await meter.sample(), undefined);
  bytes += 500;
  time += 10_000;
  t.deepEqual(await meter.sample(), { source: 'device', bytes: 500, seconds: 10, bytesPerDay: 4_320_000 });
  const silent = new WriteMeter(async () => undefined, { monotonic: () => 0 });
  t.is(await silent.sample(), undefined);
});
