import test from 'ava';
import type { Entry } from '../../../host/journal/entry.js';
import { FaultyStorage, type Upset } from './faulty-storage.js';
import { DEVICES, gap, key, open, readAll, reading, settle, store, TestClock } from './world.js';

interface Run {
  storage: FaultyStorage;
  clock: TestClock;
  /** Keys reported durable, in order. */
  durable: string[];
  served: { offset: number; key: string }[];
  done: boolean;
}

const OPTIONS = { segmentBytes: 1500, maxBatchBytes: 700 };

/** Opens, appends in bursts, reads along, closes. Stops for good where the storage hangs. */
function start(storage: FaultyStorage, firstSeq: number, rounds: number): Run {
  const run: Run = { storage, clock: new TestClock(), durable: [], served: [], done: false };
  void work(run, firstSeq, rounds);
  return run;
}

async function work(run: Run, firstSeq: number, rounds: number): Promise<void> {
  const journal = await open(run.storage, OPTIONS, [], run.clock);
  journal.onDurable(batch => run.durable.push(...batch.map(key)));
  const reader = journal.reader(0);
  let seq = firstSeq;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i <= round % 4; i++, seq++) {
      for (const device of DEVICES) journal.append(reading(device, 1, seq));
      if (i === 1) await settle(1);
    }
    await settle(3);
    for (let some = await reader.next(9); some.length > 0; some = await reader.next(9)) {
      for (const e of some) run.served.push({ offset: e.offset, key: key(e) });
    }
  }
  await reader.close();
  await journal.close();
  run.done = true;
}

async function pump(run: Run): Promise<void> {
  for (let quiet = 0, before = -1; !run.done && quiet < 8; ) {
    await settle(2);
    quiet = run.storage.effects === before ? quiet + 1 : 0;
    before = run.storage.effects;
    if (quiet > 4) await run.clock.pass(5000);
  }
}

function firsts(entries: readonly Entry[]): string[] {
  return [...new Set(entries.filter(e => e.kind === 'reading').map(key))];
}

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** Everything that must hold after a stop, whatever the crash kept. Returns what is wrong. */
async function check(run: Run, after: FaultyStorage, earlier: Map<number, string>): Promise<string[]> {
  const wrong: string[] = [];
  const damages: never[] = [];
  const journal = await open(after, OPTIONS);
  if (journal.state.name !== 'ok') wrong.push('stalled');
  const entries = await readAll(journal, 0, damages);
  const there = firsts(entries);
  const set = new Set(there);
  for (const k of run.durable) if (!set.has(k)) wrong.push(`durable ${k} is gone`);
  for (const { key: k } of run.served) if (!set.has(k)) wrong.push(`served ${k} is gone`);
  for (const device of DEVICES) {
    const mine = there.filter(k => k.startsWith(device.slice(-2)));
    mine.forEach((k, i) => {
      if (k !== `${device.slice(-2)} 1.${i}`) wrong.push(`${k} stands at place ${i}`);
    });
    const position = journal.positions.get(device);
    if ((position ? position.seq + 1 : 0) !== mine.length)
      wrong.push(`position ${position?.seq} of ${mine.length}`);
    if (position && position.readings !== mine.length)
      wrong.push(`counted ${position.readings} of ${mine.length}`);
  }
  for (let i = 1; i < entries.length; i++) {
    if (entries[i].offset <= entries[i - 1].offset) wrong.push(`offset ${entries[i].offset} is used twice`);
  }
  for (const e of entries) {
    const other = earlier.get(e.offset);
    if (other !== undefined && other !== key(e)) wrong.push(`offset ${e.offset} was ${other}, is ${key(e)}`);
    earlier.set(e.offset, key(e));
    if (e.kind === 'gap') wrong.push(`gap ${key(e)}`);
  }
  if (damages.length > 0) wrong.push(`damage ${JSON.stringify(damages[0])}`);
  // What open() reports and serves must already be durable: cut the power right now.
  const again = await open(after.afterCrash('synced'), OPTIONS);
  const left = new Set(firsts(await readAll(again)));
  for (const k of there) if (!left.has(k)) wrong.push(`${k} was served before it was synced`);
  return wrong;
}

test('a stop at any effect, whatever survives, loses nothing that was durable', async t => {
  const whole = start(new FaultyStorage(), 0, 9);
  await pump(whole);
  t.true(whole.done);
  t.is(whole.durable.length, new Set(whole.durable).size);
  t.is(whole.served.length, whole.durable.length);
  const steps = whole.storage.effects;
  t.true(steps > 100, String(steps));
  const seed = Number(process.env.SEED ?? Date.now() % 1e9);
  t.log(`seed ${seed}, ${steps} steps`);
  const chance = random(seed);
  for (let step = 0; step <= steps; step++) {
    const storage = new FaultyStorage();
    storage.upset = (_, index): Upset => (index >= step ? 'hang' : undefined);
    const run = start(storage, 0, 9);
    await pump(run);
    for (const keep of ['synced', 'visible', chance, chance, chance] as const) {
      const earlier = new Map(run.served.map(s => [s.offset, s.key]));
      const wrong = await check(run, storage.afterCrash(keep), earlier);
      t.deepEqual(wrong, [], `step ${step}, ${typeof keep === 'string' ? keep : 'random'}`);
    }
  }
});

test('a second stop while the first is being recovered', async t => {
  const seed = Date.now() % 1e9;
  t.log(`seed ${seed}`);
  const chance = random(seed);
  for (let step = 30; step < 130; step += 9) {
    const storage = new FaultyStorage();
    storage.upset = (_, index): Upset => (index >= step ? 'hang' : undefined);
    const run = start(storage, 0, 9);
    await pump(run);
    for (let second = 0; second < 16; second++) {
      const between = storage.afterCrash(second % 2 ? 'visible' : chance);
      between.upset = (_, index): Upset => (index >= second ? 'hang' : undefined);
      void open(between, OPTIONS);
      await settle(8);
      const wrong = await check(run, between.afterCrash(second % 3 ? 'synced' : chance), new Map());
      t.deepEqual(wrong, [], `step ${step}, then ${second}`);
    }
  }
});

test('a stop within the copying of a tail that had been receipted: what the copy lacks is still there', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  for (let seq = 0; seq < 20; seq++) await store(journal, ...DEVICES.map(device => reading(device, 1, seq)));
  await store(journal, ...[20, 21, 22].flatMap(seq => DEVICES.map(device => reading(device, 1, seq))));
  // Died after the receipts of the last batch; then the power fails while its lines are being written anew.
  const copying = storage.afterCrash('visible');
  copying.upset = effect => (effect === 'sync' ? 'hang' : undefined);
  void open(copying);
  await settle();
  const [, copy] = [...copying.visible.keys()].sort();
  const size = copying.content(copy).length;
  for (let kept = 0; kept <= size; kept += 13) {
    const after = copying.afterCrash('visible');
    after.alter(copy, bytes => bytes.subarray(0, kept));
    const again = await open(after);
    const entries = await readAll(again);
    t.is(firsts(entries).length, 69, `${kept} of ${size} bytes kept`);
    for (const device of DEVICES) t.is(again.positions.get(device)?.seq, 22);
    t.true(entries.length <= 69 + 9, 'copied once, not twice');
  }
});

test('killed each time right after opening: nothing in the tail is copied more than once a start, gaps neither', async t => {
  const [device] = DEVICES;
  let storage = new FaultyStorage();
  const journal = await open(storage);
  await store(journal, reading(device, 1, 0));
  await store(journal, gap(device, [1, 1], [2, 0]), reading(device, 2, 0));
  for (let kill = 1; kill <= 6; kill++) {
    storage = storage.afterCrash('visible');
    const again = await open(storage);
    const gaps = (await readAll(again)).filter(({ kind }) => kind === 'gap');
    t.is(gaps.length, 1, `kill ${kill}`);
    t.like(again.positions.get(device), { epoch: 2, seq: 0, readings: 2, gaps: 1 });
  }
});

test('a tail larger than a batch is copied whole or not at all', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  await store(journal, ...DEVICES.map(device => reading(device, 1, 0)));
  await store(journal, ...[1, 2, 3, 4].flatMap(seq => DEVICES.map(device => reading(device, 1, seq))));
  const small = { maxBatchBytes: 500, segmentBytes: 900 };
  for (let stop = 0; stop < 40; stop++) {
    const copying = storage.afterCrash('visible');
    let syncs = 0;
    copying.upset = (effect, index): Upset => {
      if (index >= stop) return 'hang';
      // The second try must be as whole as the first.
      return effect === 'sync' && stop % 2 === 1 && syncs++ === 0 ? 'EIO' : undefined;
    };
    void open(copying, small);
    await settle();
    for (const keep of ['synced', 'visible', () => 0.4, () => 0.7] as const) {
      const again = await open(copying.afterCrash(keep), small);
      t.is(firsts(await readAll(again)).length, 15, `stop ${stop}`);
      t.is(again.positions.get(DEVICES[2])?.seq, 4, `stop ${stop}`);
    }
  }
});

test('any effect that fails or falls short once costs nothing', async t => {
  for (const upset of ['EIO', 'ENOSPC', 'short']) {
    for (let step = 2; step < 150; step++) {
      const storage = new FaultyStorage();
      storage.upset = (effect, index): Upset =>
        index === step && effect !== 'read' && effect !== 'open' && (upset !== 'short' || effect === 'write')
          ? upset
          : undefined;
      const run = start(storage, 0, 9);
      await pump(run);
      t.true(run.done, `${upset} at ${step}`);
      t.is(new Set(run.durable).size, 63, `${upset} at ${step}`);
      for (const keep of ['synced', 'visible'] as const) {
        t.deepEqual(
          await check(run, storage.afterCrash(keep), new Map()),
          [],
          `${upset} at ${step}, ${keep}`,
        );
      }
    }
  }
});
