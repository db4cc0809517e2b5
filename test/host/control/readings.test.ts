/** The newest readings of a device, out of a journal of many segments. */
import test, { type ExecutionContext } from 'ava';
import { type ReadableJournal, ReadingsSearch } from '../../../host/control/readings.js';
import type { ReadingEntry } from '../../../host/journal/entry.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { freshSeed, prng } from '../../support/prng.js';
import { temporary } from '../intake/rig.js';
import { DEVICES, gap, open, reading, store } from '../journal/world.js';

const decode = ({ offset, at, device, epoch, seq, link }: ReadingEntry) => ({
  offset,
  at,
  device,
  epoch,
  seq,
  link,
  records: [],
});

/** The first device speaks rarely, the second often, the third at the beginning alone. */
async function journal(t: ExecutionContext, entries = 4000) {
  const directory = temporary(t);
  const opened = await open(new NodeStorage(), { directory, segmentBytes: 64 * 1024 });
  t.teardown(() => opened.close());
  const [rare, frequent, early] = DEVICES;
  const all: ReadingEntry[] = [];
  const put = (device: string, seq: number) =>
    all.push(reading(device, 1, seq, { at: 1_700_000_000_000 + all.length }));
  put(early, 0);
  for (let i = 0; i < entries; i++) put(i % 1000 === 7 ? rare : frequent, i);
  for (let at = 0; at < all.length; at += 100) await store(opened, ...all.slice(at, at + 100));
  return { opened, all, rare, frequent, early };
}

const seqs = (page: { readings: readonly { seq: number }[] }) => page.readings.map(({ seq }) => seq);
const whole = { before: Number.MAX_SAFE_INTEGER, since: 0 };

test('the last ones, in order; then those before them, to the first', async t => {
  const { opened, all, frequent } = await journal(t);
  t.true(opened.segmentCount > 5);
  const search = new ReadingsSearch(opened, decode);
  const wanted = all.filter(({ device }) => device === frequent).map(({ seq }) => seq);
  const got: number[] = [];
  let before: number | undefined = Number.MAX_SAFE_INTEGER;
  let pages = 0;
  while (before !== undefined) {
    const page = await search.find({ device: frequent, before, since: 0, limit: 300 });
    t.true(page.readings.length <= 300);
    got.unshift(...seqs(page));
    before = page.before;
    pages += 1;
  }
  t.deepEqual(got, wanted);
  t.true(pages >= Math.floor(wanted.length / 300));
});

test('a device that speaks rarely, one that fell silent, and one that is not known', async t => {
  const { opened, rare, early, all } = await journal(t);
  let read = 0;
  const counted: ReadableJournal = {
    get segments() {
      return opened.segments;
    },
    get durableOffset() {
      return opened.durableOffset;
    },
    get positions() {
      return opened.positions;
    },
    snapshot: first => opened.snapshot(first),
    reader: from => {
      read += 1;
      return opened.reader(from);
    },
  };
  const search = new ReadingsSearch(counted, decode);
  t.deepEqual(seqs(await search.find({ device: rare, ...whole, limit: 10 })), [7, 1007, 2007, 3007]);
  t.true(read <= 5, `${read} segments for 4 readings`);
  read = 0;
  t.deepEqual(seqs(await search.find({ device: early, ...whole, limit: 10 })), [0]);
  t.true(read <= 1, `${read} segments for the first of ${all.length}`);
  read = 0;
  t.deepEqual(await search.find({ device: 'ffffffffffffffff', ...whole, limit: 10 }), { readings: [] });
  t.is(read, 0);
});

test('a search looks at no more than it may, and says where to go on', async t => {
  const { opened, frequent, all } = await journal(t);
  const search = new ReadingsSearch(opened, decode, 1000);
  const got: number[] = [];
  let pages = 0;
  for (let before: number | undefined = whole.before; before !== undefined; pages++) {
    const page: { readings: readonly { seq: number }[]; before?: number } = await search.find({
      device: frequent,
      before,
      since: 0,
      limit: 5000,
    });
    t.true(page.readings.length < 2500);
    got.unshift(...seqs(page));
    before = page.before;
  }
  t.true(pages > 1);
  t.deepEqual(
    got,
    all.filter(({ device }) => device === frequent).map(({ seq }) => seq),
  );
});

test('not what came in earlier than asked for', async t => {
  const { opened, all, frequent } = await journal(t, 1500);
  const search = new ReadingsSearch(opened, decode);
  const since = all[1200].at;
  const page = await search.find({ device: frequent, before: Number.MAX_SAFE_INTEGER, since, limit: 5000 });
  t.deepEqual(
    seqs(page),
    all.filter(({ device, at }) => device === frequent && at >= since).map(({ seq }) => seq),
  );
  t.is(page.before, undefined);
});

test('any mixture of devices, gaps, limits and places', async t => {
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const directory = temporary(t);
  const opened = await open(new NodeStorage(), { directory, segmentBytes: 64 * 1024 });
  t.teardown(() => opened.close());
  const next = new Map(DEVICES.map(device => [device, 0]));
  const all: ReadingEntry[] = [];
  for (let batch = 0; batch < 30; batch++) {
    const entries = Array.from({ length: 1 + below(120) }, () => {
      const device = DEVICES[below(1 + below(DEVICES.length))];
      const seq = next.get(device)!;
      if (below(20) === 0) {
        next.set(device, seq + 3);
        return gap(device, [1, seq], [1, seq + 3]);
      }
      next.set(device, seq + 1);
      const entry = reading(device, 1, seq);
      all.push(entry);
      return entry;
    });
    await store(opened, ...entries);
  }
  const search = new ReadingsSearch(opened, decode);
  for (let i = 0; i < 60; i++) {
    const device = DEVICES[below(DEVICES.length)];
    const before = below(opened.durableOffset + 10);
    const limit = 1 + below(400);
    const wanted = all.filter(entry => entry.device === device && entry.offset < before).slice(-limit);
    const page = await search.find({ device, before, since: 0, limit });
    t.deepEqual(
      seqs(page),
      wanted.map(({ seq }) => seq),
    );
    t.true(page.before === undefined || page.before === wanted[0]?.offset);
  }
});

test('many who ask wait for one another; too many are told so', async t => {
  const { opened, rare } = await journal(t, 1100);
  const search = new ReadingsSearch(opened, decode);
  const asked = Array.from({ length: 30 }, () => search.find({ device: rare, ...whole, limit: 10 }));
  const outcomes = await Promise.allSettled(asked);
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 16);
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') t.is(outcome.reason.code, 'busy');
    else t.deepEqual(seqs(outcome.value), [7, 1007]);
});
