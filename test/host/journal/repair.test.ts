import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { isDamaged, type WalkSummary, walk } from '../../../host/journal/check.js';
import type { Damage } from '../../../host/journal/entry.js';
import { repair } from '../../../host/journal/repair.js';
import type { Repair } from '../../../host/journal/repair-news.js';
import { chanceOf, lines, segmentPaths } from './damaging.js';
import { FaultyStorage, type Upset } from './faulty-storage.js';
import { DEVICES, DIRECTORY, key, open, readAll, reading, settle, store } from './world.js';

const [A, B] = DEVICES;
const OPTIONS = { segmentBytes: 2000 };

/** Several segments: A 1.0 … 1.29, and B in step. */
async function sound(closed = true): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const journal = await open(storage, OPTIONS);
  for (let seq = 0; seq < 30; seq++) await store(journal, reading(A, 1, seq), reading(B, 1, seq));
  if (closed) await journal.close();
  return storage;
}

/** Damage to lines, a header and a length in four of them. */
async function damaged(): Promise<FaultyStorage> {
  const storage = await sound();
  const [, second, third, fourth, fifth] = segmentPaths(storage);
  storage.alter(second, bytes => bytes.fill(0xee, 600, 625).fill(0, 1200, 1500));
  storage.alter(third, bytes => bytes.fill(0x7f, 3, 9));
  storage.alter(fourth, bytes => bytes.subarray(0, bytes.length - 300));
  storage.alter(fifth, bytes => {
    const { at, end } = lines(bytes)[5];
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end)]);
  });
  return storage;
}

async function keys(storage: FaultyStorage): Promise<string[]> {
  const journal = await open(storage.afterCrash('visible'), OPTIONS);
  const all = (await readAll(journal)).map(key);
  await journal.close();
  return all;
}

async function check(storage: FaultyStorage): Promise<WalkSummary & { reasons: string[] }> {
  const reasons: string[] = [];
  const summary = await walk(storage, DIRECTORY, 0, { damage: ({ reason }) => void reasons.push(reason) });
  return { ...summary, reasons };
}

/** Runs to the end, or to where the storage hangs. */
async function attempt(storage: FaultyStorage): Promise<unknown> {
  let failure: unknown = 'hangs';
  void repair(storage, DIRECTORY, () => undefined).then(
    () => {
      failure = undefined;
    },
    error => {
      failure = error;
    },
  );
  for (let quiet = 0, before = -1; failure === 'hangs' && quiet < 3; ) {
    await settle(2);
    quiet = storage.effects === before ? quiet + 1 : 0;
    before = storage.effects;
  }
  return failure;
}

function originals(storage: FaultyStorage, before: FaultyStorage): string[] {
  const contents = [...storage.visible.values()].map(({ visible }) => visible);
  return segmentPaths(before).filter(path => !contents.some(content => content.equals(before.content(path))));
}

test('repair can be stopped at any effect, whatever survives: the journal stays whole, the originals stay', async t => {
  const before = await damaged();
  const expected = await keys(before);
  const seed = Date.now() % 1e9;
  t.log(`seed ${seed}`);
  const chance = chanceOf(seed);
  let stop = 0;
  for (let ended = false; !ended; stop++) {
    const storage = before.afterCrash('visible');
    storage.upset = (_, index): Upset => (index >= stop ? 'hang' : undefined);
    ended = (await attempt(storage)) === undefined;
    for (const keep of ['synced', 'visible', () => chance(1000) / 1000] as const) {
      const after = storage.afterCrash(keep);
      const between = await check(after);
      t.false(between.reasons.includes('missing'), `stop ${stop}`);
      t.deepEqual(await keys(after), expected, `stop ${stop}: a gateway started in between`);
      t.is(await attempt(after), undefined, `stop ${stop}`);
      t.false(isDamaged(await check(after)), `stop ${stop}`);
      t.deepEqual(await keys(after), expected, `stop ${stop}`);
      t.deepEqual(originals(after, before), [], `stop ${stop}`);
    }
  }
  t.true(stop > 60, String(stop));
});

test('any effect of repair that fails once leaves a journal that another run mends', async t => {
  const before = await damaged();
  const expected = await keys(before);
  for (const upset of ['EIO', 'ENOSPC']) {
    let failed = 0;
    for (let step = 0; ; step++) {
      const storage = before.afterCrash('visible');
      let happened = false;
      storage.upset = (effect, index): Upset => {
        if (index !== step || effect === 'read' || effect === 'open') return undefined;
        happened = true;
        return upset;
      };
      if ((await attempt(storage)) !== undefined) failed++;
      t.deepEqual(await keys(storage), expected, `${upset} at ${step}`);
      const over = storage.effects <= step;
      storage.upset = () => undefined;
      t.is(await attempt(storage), undefined);
      t.false(isDamaged(await check(storage)), `${upset} at ${step}`);
      t.deepEqual(originals(storage, before), [], `${upset} at ${step}`);
      if (over && !happened) break;
    }
    t.true(failed > 20, `${upset}: ${failed}`);
  }
});

test('hundreds of kilobytes that are damaged or gone become blanks that nothing takes for damage', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage, { segmentBytes: 700_000, maxBatchBytes: 100_000 });
  for (let seq = 0; seq < 9000; seq++) {
    journal.append(reading(A, 1, seq));
    if (seq % 500 === 0) await settle();
  }
  await journal.close();
  const [first, second] = segmentPaths(storage);
  storage.alter(first, bytes => bytes.fill(0, 100_001, 500_007));
  storage.alter(second, bytes => bytes.subarray(0, 250_000));
  const { losses, lostReadings } = await check(storage);
  t.is(losses, 2);
  await repair(storage, DIRECTORY, () => undefined);
  const after = await check(storage);
  t.deepEqual(after.reasons, []);
  t.false(isDamaged(after));
  t.is(after.lostReadings, lostReadings);
});

test('swapped segments get their names back, wherever that is stopped', async t => {
  const whole = await sound();
  const expected = await keys(whole);
  const before = whole.afterCrash('visible');
  const [, second, third, , fifth] = segmentPaths(before);
  const contents = [second, third, fifth].map(path => Buffer.from(before.content(path)));
  before.alter(second, () => contents[1]);
  before.alter(third, () => contents[2]);
  before.alter(fifth, () => contents[0]);
  let stop = 0;
  for (let ended = false; !ended; stop++) {
    const storage = before.afterCrash('visible');
    storage.upset = (_, index): Upset => (index >= stop ? 'hang' : undefined);
    ended = (await attempt(storage)) === undefined;
    for (const keep of ['synced', 'visible', () => (stop % 7) / 7] as const) {
      const after = storage.afterCrash(keep);
      t.is(await attempt(after), undefined);
      t.false(isDamaged(await check(after)), `stop ${stop}`);
      t.deepEqual(await keys(after), expected, `stop ${stop}`);
      t.deepEqual(originals(after, before), [], `stop ${stop}`);
    }
  }
  t.true(stop > 20, String(stop));
});

test('a second copy of a segment under another name goes aside; a segment that is missing is noted once', async t => {
  const storage = await sound();
  const [, second, third, fourth] = segmentPaths(storage);
  storage.alter(third, () => Buffer.from(storage.content(second)));
  storage.visible.delete(fourth);
  t.true(isDamaged(await check(storage)));
  const done: Repair[] = [];
  await repair(storage, DIRECTORY, step => void done.push(step));
  t.deepEqual(
    done.map(({ kind }) => kind),
    ['aside', 'noted'],
  );
  const after = await check(storage);
  t.false(isDamaged(after));
  t.like(after, { damages: 1, noted: 1, lostDevices: 2 });
  t.is(after.losses, after.oldLosses);
  await repair(storage, DIRECTORY, () => t.fail('nothing is left to do'));
});

test('repair leaves the tail alone, torn or not: a gateway takes up the same of it', async t => {
  const whole = await sound(false);
  const path = segmentPaths(whole).pop()!;
  const tailAt = (await check(whole)).tail!.at;
  const size = whole.content(path).length;
  t.true(size > tailAt + 300);
  for (let cut = tailAt; cut <= size; cut += 17) {
    for (const hole of [-1, tailAt + 40]) {
      const storage = whole.afterCrash('visible');
      storage.alter(path, bytes => {
        bytes[430] ^= 1;
        if (hole >= 0) bytes.fill(0, hole, hole + 20);
        return bytes.subarray(0, cut);
      });
      const expected = await keys(storage);
      const before = (await check(storage)).tail;
      await repair(storage, DIRECTORY, () => undefined);
      const after = await check(storage);
      t.deepEqual(after.tail, before);
      t.false(isDamaged(after));
      t.deepEqual(await keys(storage), expected, `cut at ${cut}`);
    }
  }
});

test('a disk without room, or without hard links: said before anything is touched', async t => {
  const full = await damaged();
  full.availableBytes = 1000;
  await t.throwsAsync(
    repair(full, DIRECTORY, () => undefined),
    { code: 'repair-no-space' },
  );
  const fat = await damaged();
  fat.upset = (effect): Upset => (effect === 'link' ? 'EPERM' : undefined);
  await t.throwsAsync(
    repair(fat, DIRECTORY, () => undefined),
    { code: 'repair-no-links' },
  );
  const expected = await keys(await damaged());
  for (const storage of [full, fat]) {
    storage.upset = () => undefined;
    t.deepEqual(await keys(storage), expected);
    t.deepEqual(
      [...storage.visible.keys()].filter(path => /repair|moved|aside/.test(path)),
      [],
    );
  }
});

test('a segment that cannot be read is named, left as it is, and does not keep the others from being mended', async t => {
  const storage = await damaged();
  const [, second, , fourth] = segmentPaths(storage);
  const content = storage.content(second);
  storage.upset = (effect, _, path): Upset => (effect === 'read' && path === second ? 'EIO' : undefined);
  const found: Damage['reason'][] = [];
  await walk(storage, DIRECTORY, 0, { damage: ({ reason }) => void found.push(reason) });
  t.true(found.includes('io'));
  const done: Repair[] = [];
  await repair(storage, DIRECTORY, step => void done.push(step));
  t.is(done.find(({ kind }) => kind === 'unreadable')?.segment, second.slice(DIRECTORY.length + 1));
  t.true(done.some(({ kind, segment }) => kind === 'mended' && fourth.endsWith(segment)));
  t.is(storage.content(second), content);
});

test('segments that retention removes while check goes on are no damage; one removed in the middle is', async t => {
  for (const [from, damage] of [
    [0, false],
    [2, true],
  ] as const) {
    const storage = await sound();
    const paths = segmentPaths(storage);
    let opened = 0;
    storage.upset = effect => {
      if (effect === 'open' && ++opened === 2)
        for (const path of paths.slice(from, 4)) storage.visible.delete(path);
      return undefined;
    };
    const summary = await check(storage);
    t.is(isDamaged(summary), damage, `from ${from}: ${summary.reasons}`);
    if (!damage) t.true(summary.removed >= 3);
  }
});

test('what a segment of nothing but damage, or every second line of it, takes in memory does not grow with it', t => {
  const program = fileURLToPath(new URL('./ruined.js', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--max-old-space-size=16', program, '24'], {
    encoding: 'utf8',
  });
  t.is(status, 0, stderr);
  t.log(stdout.trim());
});
