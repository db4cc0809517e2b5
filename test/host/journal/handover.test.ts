import { crc32 } from 'node:zlib';
import test from 'ava';
import { walk } from '../../../host/journal/check.js';
import { ERA_OFFSETS, eraOf, type HandoverEntry } from '../../../host/journal/entry.js';
import { goOn, nextEra } from '../../../host/journal/handover.js';
import { Journal } from '../../../host/journal/journal.js';
import { LineReader } from '../../../host/journal/line-reader.js';
import { LineWriter, MAX_LINE_BYTES } from '../../../host/journal/line-writer.js';
import { FaultyStorage } from './faulty-storage.js';
import {
  DEVICES,
  DIRECTORY,
  gap,
  handover,
  key,
  readAll,
  reading,
  silent,
  store,
  TestClock,
} from './world.js';

const [A, B] = DEVICES;
const options = { directory: DIRECTORY, segmentBytes: 2000 };

function ports() {
  return { storage: new FaultyStorage(), clock: new TestClock(), log: silent };
}

const SAID = { from: 'gw-old', to: 'gw-new', backupAt: 1_700_000_000_000 };

test('a hand-over is a line of its own, and is read back to the byte', t => {
  const entry = { ...handover('gw-old', 'gw-new.2'), offset: 77 };
  const space = Buffer.alloc(MAX_LINE_BYTES);
  const end = new LineWriter().entry(space, 0, 77, entry);
  t.regex(
    space.toString('latin1', 0, end),
    /^\{"o":77,"t":1700000100000,"handover":\{"from":"gw-old","to":"gw-new\.2","at":1700000000000,"next":7\},"c":"[0-9a-f]{8}"\}\n$/,
  );
  t.deepEqual(new LineReader().parse(space, 0, end - 1), entry);
});

test('names that no gateway may have are refused, on the way in and on the way out', async t => {
  const given = ports();
  const journal = await Journal.open(given, options);
  for (const from of ['', 'a/b', '"', 'x'.repeat(65)])
    t.throws(() => journal.append(handover(from, 'gw')), { instanceOf: RangeError });
  await journal.close();
});

test('a journal goes on after a hand-over: nothing counts as lost, positions stand, everything is served', async t => {
  const given = ports();
  const before = await Journal.open(given, options);
  for (let seq = 0; seq < 30; seq++) await store(before, reading(A, 5, seq), reading(B, 2, seq));
  await before.close();
  t.is(await goOn(given, DIRECTORY, before.checkpoint(), SAID), ERA_OFFSETS);

  const journal = await Journal.open(given, options);
  t.is(eraOf(journal.nextOffset), 1);
  t.deepEqual(
    [...journal.positions].map(([device, { epoch, seq, readings }]) => [device, epoch, seq, readings]),
    [
      [A, 5, 29, 30],
      [B, 2, 29, 30],
    ],
  );
  // The old gateway has taken A up to 5.40 since.
  await store(journal, gap(A, [5, 30], [5, 41]), reading(A, 5, 41), reading(B, 2, 30));
  const all = await readAll(journal);
  t.is(all.filter(({ kind }) => kind === 'reading').length, 62);
  const at = all.findIndex(({ kind }) => kind === 'handover');
  t.deepEqual(all.slice(at).map(key), ['gw-old > gw-new', 'aa gap 5.30-5.41', 'aa 5.41', 'bb 2.30']);
  t.is((all[at] as HandoverEntry).next, before.nextOffset);
  await journal.close();

  const told: string[] = [];
  const summary = await walk(given.storage, DIRECTORY, 0, {
    damage: ({ reason }) => void told.push(reason),
    loss: lost => void told.push(key(lost)),
    unknown: () => void told.push('unknown'),
  });
  t.deepEqual(told, []);
  t.is(summary.readings, 62);
  t.is(summary.gaps, 1);
  t.is(summary.handovers, 1);
});

test('a journal can begin with a hand-over, and a device that comes first then has no loss either', async t => {
  const given = ports();
  const before = await Journal.open(given, options);
  await store(before, reading(A, 5, 0), reading(A, 5, 1));
  await before.close();
  const empty = ports();
  await goOn(empty, DIRECTORY, { ...before.checkpoint(), previous: null }, SAID);
  const journal = await Journal.open(empty, options);
  t.is(journal.positions.get(A)?.seq, 1);
  await store(journal, reading(A, 5, 2), reading(B, 1, 0));
  t.deepEqual((await readAll(journal)).map(key), ['gw-old > gw-new', 'aa 5.2', 'bb 1.0']);
  await journal.close();
});

test('eras are at least half of one apart from what the old gateway can have used, and end somewhere', t => {
  for (const next of [1, 1000, ERA_OFFSETS / 2, ERA_OFFSETS - 1, ERA_OFFSETS, 3.6 * ERA_OFFSETS]) {
    const first = nextEra(Math.floor(next));
    t.is(first % ERA_OFFSETS, 0);
    t.true(first - next >= ERA_OFFSETS / 2, `${next}`);
    t.true(first - next <= 2 * ERA_OFFSETS, `${next}`);
  }
  t.throws(() => nextEra(255 * ERA_OFFSETS), { code: 'eras-used-up' });
});

test('a disk that refuses is told, and leaves nothing that looks like a journal', async t => {
  const given = ports();
  given.storage.upset = effect => (effect === 'sync' ? 'EIO' : undefined);
  const nothing = { positions: new Map(), nextOffset: 9, durableOffset: 9, segments: [], previous: null };
  await t.throwsAsync(goOn(given, DIRECTORY, nothing, SAID), { code: 'journal-write-failed' });
  t.deepEqual([...given.storage.visible.keys()], []);
});

test('a kind of line that a version does not know costs that version this line, and nothing else', async t => {
  const given = ports();
  const before = await Journal.open(given, options);
  await store(before, reading(A, 5, 0), reading(A, 5, 1));
  await before.close();
  await goOn(given, DIRECTORY, before.checkpoint(), SAID);
  const path = [...given.storage.visible.keys()].sort().at(-1)!;
  given.storage.alter(path, bytes => {
    const lines = bytes.toString('latin1').split('\n');
    const at = lines.findIndex(line => line.includes('"handover"'));
    const body = lines[at].replace('handover', 'takeover').slice(0, -16);
    lines[at] = `${body},"c":"${crc32(body).toString(16).padStart(8, '0')}"}`;
    return Buffer.from(lines.join('\n'), 'latin1');
  });
  const journal = await Journal.open(given, options);
  t.is(journal.positions.get(A)?.seq, 1);
  await store(journal, reading(A, 5, 2));
  t.deepEqual((await readAll(journal)).map(key), ['aa 5.0', 'aa 5.1', 'aa 5.2']);
  await journal.close();
  t.like(await walk(given.storage, DIRECTORY, 0, {}), { readings: 3, damages: 1, losses: 0 });
});

test('a checkpoint says nothing of a segment that is not there any more', async t => {
  const given = ports();
  const before = await Journal.open(given, options);
  for (let seq = 0; seq < 30; seq++) await store(before, reading(A, 5, seq));
  const { segments, previous } = before.checkpoint();
  t.is(previous?.first, segments.at(-1));
  await before.close();
  // A torn last segment, of which nothing was durable, and all before it lost.
  const last = [...given.storage.visible.keys()].sort().at(-1)!;
  given.storage.alter(last, bytes => bytes.subarray(0, bytes.indexOf('\n') + 1));
  for (const path of [...given.storage.visible.keys()]) if (path !== last) given.storage.visible.delete(path);
  const journal = await Journal.open(given, options);
  const checkpoint = journal.checkpoint();
  t.like(checkpoint, { previous: null, segments: [] });
  await journal.close();
});
