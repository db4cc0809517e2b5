import test from 'ava';
import type { Damage, Entry } from '../../../host/journal/entry.js';
import type { Journal } from '../../../host/journal/journal.js';
import { FaultyStorage, type Upset } from './faulty-storage.js';
import { DEVICES, DIRECTORY, key, open, readAll, reading, settle, store, TestClock } from './world.js';

const [A] = DEVICES;

/** `segments` segments with one reading each, closed in order. */
async function small(segments: number): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const journal = await open(storage, { segmentBytes: 1 });
  for (let seq = 0; seq < segments; seq++) await store(journal, reading(A, 1, seq));
  await journal.close();
  return storage.afterCrash('synced');
}

function segments(storage: FaultyStorage): string[] {
  return [...storage.visible.keys()].sort();
}

/** As the uplink does: from the begin again and again, with pauses, until there is no error. */
async function patiently(journal: Journal, clock: TestClock, damages: Damage[]): Promise<string[]> {
  for (let round = 0; round < 12; round++) {
    const reader = journal.reader(0, { damaged: d => damages.push(d) });
    const all: Entry[] = [];
    try {
      for (let some = await reader.next(9); some.length > 0; some = await reader.next(9)) all.push(...some);
      return all.map(key);
    } catch {
      await clock.pass(20_000);
    } finally {
      await reader.close();
    }
  }
  return [];
}

test('a passing error on opening a segment is not its damage: opening tries again', async t => {
  for (const effect of ['open', 'read'] as const) {
    const storage = await small(3);
    let failing = true;
    storage.upset = (what, _, path): Upset =>
      failing && what === effect && path === segments(storage)[2] ? 'EIO' : undefined;
    const clock = new TestClock();
    const opening = open(storage, {}, [], clock);
    await settle();
    failing = false;
    await clock.pass(200);
    const journal = await opening;
    t.is(journal.positions.get(A)?.seq, 2, effect);
    t.is((await readAll(journal)).length, 3, effect);
  }
});

test('a machine that can open no more files does not open the journal as if it were damaged', async t => {
  const storage = await small(3);
  storage.upset = (what, _, path): Upset =>
    what === 'open' && path === segments(storage)[2] ? 'EMFILE' : undefined;
  await t.throwsAsync(open(storage), { code: 'journal-unusable' });
});

test('a segment of which nothing can be read for minutes is passed over, if others can be read', async t => {
  const storage = await small(4);
  const [, second] = segments(storage);
  const clock = new TestClock();
  const journal = await open(storage, {}, [], clock);
  let all = true;
  storage.upset = (what, _, path): Upset => (what === 'read' && (all || path === second) ? 'EIO' : undefined);
  const damages: Damage[] = [];
  t.deepEqual(await patiently(journal, clock, damages), [], 'the whole disk: nothing is passed over');
  t.deepEqual(damages, []);
  all = false;
  t.deepEqual(await patiently(journal, clock, damages), ['aa 1.0', 'aa gap 1.1-1.2', 'aa 1.2', 'aa 1.3']);
  t.true(damages.length > 0);
});

test('damage in a row: of many segments some sound one says that the others are passed over', async t => {
  const storage = await small(30);
  const dead = new Set(segments(storage).slice(1, 8));
  const clock = new TestClock();
  const journal = await open(storage, {}, [], clock);
  storage.upset = (what, _, path): Upset =>
    what === 'read' && (dead.has(path) || path === segments(storage)[0]) ? 'EIO' : undefined;
  let keys: string[] = [];
  // Each of them takes its minutes.
  for (let i = 0; i < 10 && keys.length === 0; i++) keys = await patiently(journal, clock, []);
  t.is(keys.length, 30 - 8);
});

test('errors that pass are not added up', async t => {
  const storage = await small(4);
  const [, second] = segments(storage);
  const clock = new TestClock();
  const journal = await open(storage, {}, [], clock);
  const damages: Damage[] = [];
  for (let round = 0; round < 8; round++) {
    let errors = 4;
    storage.upset = (what, _, path): Upset =>
      what === 'read' && path === second && errors-- > 0 ? 'EIO' : undefined;
    t.is((await patiently(journal, clock, damages)).length, 4);
    await clock.pass(30_000);
  }
  t.deepEqual(damages, []);
});

test('how far a segment is durable stands in the next sound header, and an error on reading it is an error', async t => {
  const storage = new FaultyStorage();
  const clock = new TestClock();
  const journal = await open(storage, {}, [], clock);
  await store(journal, reading(A, 1, 0));
  await store(journal, reading(A, 1, 1));
  // Ends without a last mark; the file that is begun next is given up at once, and stays.
  const [first] = segments(storage);
  storage.upset = (what, _, path): Upset => {
    if (what === 'remove') return 'EIO';
    if (what === 'write' && path === first) return 'EIO';
    return what === 'sync' && path === segments(storage)[1] ? 'EIO' : undefined;
  };
  const stored = store(journal, reading(A, 1, 2));
  await settle();
  await clock.pass(200);
  await stored;
  await store(journal, reading(A, 1, 3));
  storage.upset = () => undefined;
  await journal.close();
  const after = storage.afterCrash('visible');
  const [, torn, third] = segments(after);
  after.alter(torn, bytes => bytes.subarray(0, 20));
  const again = await open(after);
  t.is(again.positions.get(A)?.seq, 3);
  t.deepEqual((await readAll(again)).map(key), ['aa 1.0', 'aa 1.1', 'aa 1.2', 'aa 1.3']);
  after.upset = (what, _, path): Upset => (what === 'open' && path === third ? 'EIO' : undefined);
  const reader = again.reader(0);
  await t.throwsAsync(reader.next(10), { code: 'EIO' });
  after.upset = () => undefined;
  t.deepEqual((await reader.next(10)).map(key), ['aa 1.0', 'aa 1.1'], 'all of the first segment');
  t.true(third.startsWith(DIRECTORY));
});
