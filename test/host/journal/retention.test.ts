import test from 'ava';
import { FaultyStorage } from './faulty-storage.js';
import { DEVICES, key, open, readAll, reading, settle, store, TestClock } from './world.js';

const [A] = DEVICES;

async function filled(clock = new TestClock()): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const journal = await open(storage, { segmentBytes: 1000 }, [], clock);
  for (let seq = 0; seq < 40; seq++) {
    clock.time += 1000;
    await store(journal, reading(A, 1, seq));
  }
  await journal.close();
  return storage;
}

test('only what every cursor has passed goes, oldest first, and the directory is synced after each', async t => {
  const storage = await filled();
  const slow = { offset: 0, end: 0 };
  const fast = { offset: 1000, end: 1000 };
  const journal = await open(storage, { retainBytes: 1 }, [slow, fast]);
  t.is(await journal.retain(), 0);
  const before = journal.segmentCount;
  const names = [...storage.visible.keys()].sort();
  slow.offset = Number(names[3].slice(-26, -6));
  const order: string[] = [];
  storage.upset = (effect, _, path) => {
    if (effect === 'remove' || effect === 'syncdir') order.push(`${effect} ${path.slice(-8, -6)}`);
    return undefined;
  };
  t.is(await journal.retain(), 3);
  t.is(journal.segmentCount, before - 3);
  t.deepEqual([...storage.visible.keys()].sort(), names.slice(3));
  t.deepEqual(
    order.map(o => o.split(' ')[0]),
    ['remove', 'syncdir', 'remove', 'syncdir', 'remove', 'syncdir'],
  );
  t.is((await readAll(journal, slow.offset))[0].offset, slow.offset + 1);
});

test('the last segment stays, whatever the limits say', async t => {
  const storage = await filled();
  const journal = await open(storage, { retainBytes: 1, retainMs: 1 }, [], new TestClock());
  await journal.retain();
  t.is(storage.visible.size, 1);
  t.is(journal.positions.get(A)?.seq, 39);
  await store(journal, reading(A, 1, 40));
  await settle();
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.40']);
  await journal.close();
  t.is((await open(storage)).positions.get(A)?.seq, 40);
});

test('by age: a segment is as old as its successor', async t => {
  const clock = new TestClock();
  const storage = await filled(clock);
  const before = storage.visible.size;
  const journal = await open(storage, { retainMs: 20_000 }, [], clock);
  const removed = await journal.retain();
  t.true(removed > 0 && removed < before - 2, `${removed} of ${before}`);
  t.is(await journal.retain(), 0);
  await clock.pass(60_000);
  t.is(storage.visible.size, 1);
});

test('by size: as many as it takes', async t => {
  const storage = await filled();
  const journal = await open(storage, { retainBytes: 4000 });
  await journal.retain();
  const left = [...storage.visible.values()].reduce((sum, inode) => sum + inode.visible.length, 0);
  t.true(left <= 4000 && left > 2000, String(left));
});

test('a disk that refuses to remove is no reason to stop', async t => {
  const storage = await filled();
  const journal = await open(storage, { retainBytes: 1 });
  storage.upset = effect => (effect === 'remove' ? 'EIO' : undefined);
  t.is(await journal.retain(), 0);
  storage.upset = () => undefined;
  t.true((await journal.retain()) > 0);
});

test('a segment that was removed by hand or has lost its header does not stop those after it from going', async t => {
  const clock = new TestClock();
  const storage = await filled(clock);
  for (const limits of [{ retainBytes: 1 }, { retainMs: 1 }]) {
    const mine = storage.afterCrash('visible');
    const journal = await open(mine, limits, [], clock);
    const names = [...mine.visible.keys()].sort();
    await mine.remove(names[0]);
    await mine.remove(names[2]);
    mine.alter(names[4], bytes => bytes.fill(0x20, 0, 40));
    await clock.pass(1000);
    await journal.retain();
    t.deepEqual([...mine.visible.keys()], names.slice(-1), JSON.stringify(limits));
    t.is(journal.segmentCount, 1);
  }
});

test('a segment that can not be read any more does not stop those before it from going', async t => {
  const clock = new TestClock();
  const storage = await filled(clock);
  const journal = await open(storage, { retainMs: 1 }, [], clock);
  const names = [...storage.visible.keys()].sort();
  storage.upset = (effect, _, path) => (effect === 'read' && path === names[2] ? 'EIO' : undefined);
  await clock.pass(1000);
  await journal.retain();
  t.is(journal.segmentCount, 1);
});

test('a file that holds nothing durable, and that the disk kept, goes before what came after it (simulation, seed 6097546)', async t => {
  const storage = new FaultyStorage();
  const cursor = { offset: 0, end: 0 };
  const clock = new TestClock();
  const journal = await open(storage, { segmentBytes: 1000, retainBytes: 1 }, [cursor], clock);
  let seq = 0;
  await store(journal, reading(A, 1, seq++));
  // The next segment is written and synced, but its name is not, and it can't be removed.
  const leftOver: string[] = [];
  storage.upset = (effect, _, path) => {
    if (effect === 'create') leftOver.push(path);
    return effect === 'syncdir' || effect === 'remove' ? 'EIO' : undefined;
  };
  while (leftOver.length === 0) {
    journal.append(reading(A, 1, seq++));
    await settle();
  }
  const before = [...journal.segments];
  storage.upset = () => undefined;
  while (journal.state.name === 'stalled' || journal.pendingBytes > 0) await clock.pass(10_000);
  const left = leftOver.map(path => Number(path.slice(-26, -6)));
  const next = journal.segments.at(-1)!;
  t.deepEqual(journal.segments, [...before, ...left, next]);
  t.deepEqual((await readAll(journal)).map(key), range(seq));

  // While the disk keeps it, nothing behind it goes: the next start would find it beside a segment that does not follow it.
  while (journal.segments.at(-1) === next) await store(journal, reading(A, 1, seq++));
  cursor.offset = journal.nextOffset;
  storage.upset = (effect, _, path) => (effect === 'remove' && path === leftOver[0] ? 'EIO' : undefined);
  await journal.retain();
  t.deepEqual(journal.segments.slice(0, left.length + 1), [...left, next]);
  storage.upset = () => undefined;
  await journal.retain();
  t.is(journal.segmentCount, 1);
  t.deepEqual(
    [...storage.visible.keys()].map(path => Number(path.slice(-26, -6))),
    journal.segments,
  );
  await journal.close();
});

const range = (count: number) => Array.from({ length: count }, (_, seq) => `aa 1.${seq}`);
