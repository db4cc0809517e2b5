import test from 'ava';
import type { Entry } from '../../../host/journal/entry.js';
import type { JournalState } from '../../../host/journal/journal.js';
import { FaultyStorage, type Upset } from './faulty-storage.js';
import { DEVICES, DIRECTORY, key, open, readAll, reading, settle, store, TestClock } from './world.js';

const [A, B] = DEVICES;

test('what arrives during a sync is the next batch: two writes and two syncs for any number', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  const batches: number[] = [];
  const all = new Promise<void>(resolve => {
    journal.onDurable(batch => {
      batches.push(batch.length);
      if (batches.length === 1) for (let seq = 1; seq <= 500; seq++) journal.append(reading(A, 1, seq));
      if (batches.length === 2) resolve();
    });
  });
  journal.append(reading(A, 1, 0));
  await all;
  t.deepEqual(batches, [1, 500]);
  // The header, and one write a batch.
  t.is(storage.written.length, 3);
});

test('nothing is reported, positioned or served before its sync returns', async t => {
  const storage = new FaultyStorage();
  let hold = false;
  storage.upset = (effect): Upset => (hold && effect === 'sync' ? 'hang' : undefined);
  const journal = await open(storage);
  await store(journal, reading(A, 1, 0));
  hold = true;
  const durable: Entry[] = [];
  journal.onDurable(batch => durable.push(...batch));
  t.true(journal.append(reading(A, 1, 1)));
  await settle();
  t.deepEqual(durable, []);
  t.is(journal.positions.get(A)?.seq, 0);
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.0']);
  t.true(storage.content([...storage.visible.keys()][0]).includes('"q":1,'));
});

test('batches are bounded in bytes; pending is bounded, and says so', async t => {
  const storage = new FaultyStorage();
  storage.upset = (effect): Upset => (effect === 'sync' ? 'hang' : undefined);
  const journal = await open(storage, { maxBatchBytes: 2000, maxPendingBytes: 10_000 });
  let taken = 0;
  while (journal.append(reading(A, 1, taken))) taken++;
  t.true(taken > 40 && taken < 80, String(taken));
  t.true(journal.pendingBytes >= 10_000 && journal.pendingBytes < 10_400);
  await settle();
  t.false(journal.append(reading(A, 1, taken)));
  for (const part of storage.written) t.true(part.length < 2400);
});

test('a full disk stalls, says why, takes no more than it may, and goes on by itself', async t => {
  const storage = new FaultyStorage();
  const clock = new TestClock();
  const journal = await open(storage, { maxPendingBytes: 5000 }, [], clock);
  await store(journal, reading(A, 1, 0));
  const states: JournalState[] = [];
  const durable: string[] = [];
  journal.onState(state => states.push(state));
  journal.onDurable(batch => durable.push(...batch.map(key)));
  storage.upset = (effect): Upset => (effect === 'write' || effect === 'create' ? 'ENOSPC' : undefined);
  let seq = 1;
  while (journal.append(reading(A, 1, seq))) seq++;
  for (let i = 0; i < 40; i++) await clock.pass(1000);
  t.deepEqual(durable, []);
  t.is(states.length, 1);
  t.like(journal.state, { name: 'stalled', fault: { code: 'journal-disk-full' } });
  t.false(journal.append(reading(A, 1, seq)));
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.0']);
  const files = storage.visible.size;
  t.true(files <= 2, `${files} files`);
  storage.upset = () => undefined;
  await clock.pass(5000);
  t.is(durable.length, seq - 1);
  t.is(journal.state.name, 'ok');
  t.is(states.length, 2);
  t.true(journal.append(reading(A, 1, seq)));
  await journal.close();
  const entries = await readAll(await open(storage));
  t.is(entries.length, seq + 1);
  t.is(new Set(entries.map(e => e.offset)).size, seq + 1);
});

test('opening needs no space: the tail waits, and nothing of it is reported before', async t => {
  const first = new FaultyStorage();
  const before = await open(first);
  await store(before, reading(A, 1, 0));
  await store(before, reading(A, 1, 1), reading(B, 1, 0));
  const storage = first.afterCrash('visible');
  const clock = new TestClock();
  storage.upset = (effect): Upset => (effect === 'create' ? 'ENOSPC' : undefined);
  const journal = await open(storage, {}, [], clock);
  t.is(journal.state.name, 'stalled');
  t.is(journal.positions.get(A)?.seq, 0);
  t.deepEqual(journal.recovering.map(key), ['aa 1.1', 'bb 1.0']);
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.0']);
  storage.upset = () => undefined;
  await clock.pass(5000);
  t.is(journal.positions.get(A)?.seq, 1);
  t.deepEqual(journal.recovering, []);
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.0', 'aa 1.1', 'bb 1.0']);
});

test('a failed sync is never repeated on the same file, and an opened segment is never written to', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  await store(journal, reading(A, 1, 0));
  const touched: string[] = [];
  let failed = '';
  storage.upset = (effect, _, path): Upset => {
    if (effect === 'write' || effect === 'sync') touched.push(path);
    if (effect !== 'sync' || failed !== '') return undefined;
    failed = path;
    return 'EIO';
  };
  await store(journal, reading(A, 1, 1));
  t.is(touched.filter(path => path === failed).length, 2);
  t.is(journal.state.name, 'ok');
  const old = new Set(storage.visible.keys());
  touched.length = 0;
  // Died, not closed: the last batch has no mark behind it.
  const again = await open(storage);
  await store(again, reading(A, 1, 2));
  t.true(touched.length > 0);
  t.false(touched.some(path => old.has(path)));
  t.deepEqual([...new Set((await readAll(again)).map(key))], ['aa 1.0', 'aa 1.1', 'aa 1.2']);
});

test('every attempt to write burns its offsets', async t => {
  const storage = new FaultyStorage();
  const clock = new TestClock();
  const journal = await open(storage, {}, [], clock);
  await store(journal, reading(A, 1, 0));
  const entries = [reading(A, 1, 1), reading(B, 1, 0), reading(A, 1, 2)];
  const used = new Set<number>();
  let left = 2;
  storage.upset = (effect): Upset => {
    if (effect === 'sync' || effect === 'write') for (const { offset } of entries) used.add(offset);
    return effect === 'sync' && left-- > 0 ? 'EIO' : undefined;
  };
  const stored = store(journal, ...entries);
  await settle();
  await clock.pass(1000);
  await stored;
  t.is(used.size, 9);
  t.true(Math.min(...entries.map(e => e.offset)) > 7);
  const names = [...storage.visible.keys()];
  t.is(new Set(names).size, names.length);
  t.deepEqual((await readAll(journal)).map(key), ['aa 1.0', 'aa 1.1', 'bb 1.0', 'aa 1.2']);
});

test('close gives up on a disk that refuses, without claiming anything', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  await store(journal, reading(A, 1, 0));
  const durable: string[] = [];
  journal.onDurable(batch => durable.push(...batch.map(key)));
  storage.upset = (effect): Upset => (effect === 'sync' ? 'EIO' : undefined);
  journal.append(reading(A, 1, 1));
  await settle();
  await journal.close();
  await journal.close();
  t.deepEqual(durable, []);
});

test('the reserve is left alone', async t => {
  const storage = new FaultyStorage();
  storage.availableBytes = 1000;
  const clock = new TestClock();
  const journal = await open(storage, { reserveBytes: 2000 }, [], clock);
  journal.append(reading(A, 1, 0));
  await settle();
  t.like(journal.state, { name: 'stalled', fault: { code: 'disk-reserve' } });
  storage.availableBytes = 3000;
  await clock.pass(1000);
  t.is(journal.positions.get(A)?.seq, 0);
});

test('offsets go on after a cursor past the end, after damage, and after a closed journal', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  await store(journal, reading(A, 1, 0));
  await journal.close();
  t.is((await open(storage)).nextOffset, 3);
  const ahead = await open(storage, {}, [{ offset: 5000, end: 6000 }]);
  t.is(ahead.nextOffset, 6001);
  t.is(ahead.durableOffset, 3);
  await store(ahead, reading(A, 1, 1));
  t.deepEqual(
    (await readAll(ahead, 5000)).map(e => e.offset),
    [6002],
  );
  await ahead.close();
  const [path] = [...storage.visible.keys()].sort().slice(-1);
  storage.alter(path, bytes => Buffer.concat([bytes, Buffer.alloc(640, 7)]));
  t.true((await open(storage)).nextOffset >= 6012);
  t.true(path.startsWith(DIRECTORY));
});

test('opening reads one segment, whatever the backlog', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage, { segmentBytes: 20_000 });
  for (let seq = 0; seq < 2000; ) {
    const some: Entry[] = [];
    for (let i = 0; i < 50; i++) some.push(reading(A, 1, seq++));
    await store(journal, ...some);
  }
  await journal.close();
  t.true(storage.visible.size > 15);
  storage.opened = [];
  storage.bytesRead = 0;
  const again = await open(storage);
  t.is(new Set(storage.opened).size, 1);
  t.true(storage.bytesRead < 25_000);
  t.is(again.positions.get(A)?.readings, 2000);
  t.true(again.recentTags.length > 0);
  t.is(again.recentTags[again.recentTags.length - 1].seq, 1999);
});
