import { crc32 } from 'node:zlib';
import test from 'ava';
import { walk } from '../../../host/journal/check.js';
import { decodeSlot } from '../../../host/journal/cursor.js';
import type { DamagedRange } from '../../../host/journal/damaged-ranges.js';
import type { Damage, Entry } from '../../../host/journal/entry.js';
import type { LossCause, UnknownLoss } from '../../../host/journal/loss.js';
import { segmentName, segmentsIn } from '../../../host/journal/names.js';
import { FaultyStorage } from './faulty-storage.js';
import { DEVICES, DIRECTORY, gap, key, open, readAll, reading, store } from './world.js';

const OPTIONS = { segmentBytes: 2000 };
const [A, B] = DEVICES;

/** A journal of several segments that was closed in order: A 1.0 … 1.29, and B in step. */
async function sound(): Promise<FaultyStorage> {
  const storage = new FaultyStorage();
  const journal = await open(storage, OPTIONS);
  for (let seq = 0; seq < 30; seq++) await store(journal, reading(A, 1, seq), reading(B, 1, seq));
  await journal.close();
  return storage;
}

function segments(storage: FaultyStorage): string[] {
  const names = [...storage.visible.keys()].map(path => path.slice(DIRECTORY.length + 1));
  return segmentsIn(names).map(first => `${DIRECTORY}/${segmentName(first)}`);
}

/** Where line number `n` of a segment stands. */
function line(storage: FaultyStorage, path: string, n: number): { at: number; end: number; text: string } {
  const lines = storage.content(path).toString('latin1').split('\n');
  const at = lines.slice(0, n).reduce((sum, l) => sum + l.length + 1, 0);
  return { at, end: at + lines[n].length + 1, text: lines[n] };
}

/** The number of the first line of a reading of this device in a segment. */
function readingLine(storage: FaultyStorage, path: string, device: string, skip = 0): number {
  const lines = storage.content(path).toString('latin1').split('\n');
  return lines.flatMap((l, i) => (l.startsWith('{"o"') && l.includes(device) ? [i] : []))[skip];
}

async function look(
  storage: FaultyStorage,
): Promise<{ keys: string[]; damages: Damage[]; entries: Entry[] }> {
  const damages: Damage[] = [];
  const entries = await readAll(await open(storage, OPTIONS), 0, damages);
  return { keys: entries.map(key), damages, entries };
}

const ALL = Array.from({ length: 30 }, (_, seq) => [`aa 1.${seq}`, `bb 1.${seq}`]).flat();

test('sound: every entry once, no damage, and reopening writes nothing', async t => {
  const storage = await sound();
  t.true(segments(storage).length > 4);
  const before = storage.written.length;
  const { keys, damages } = await look(storage);
  t.deepEqual(keys, ALL);
  t.deepEqual(damages, []);
  t.is(storage.written.length, before);
});

test('a flipped bit anywhere in the middle costs at most that line, and the loss is a gap', async t => {
  const whole = await sound();
  const path = segments(whole)[2];
  const size = whole.content(path).length;
  for (let at = 0; at < size; at += 3) {
    const storage = whole.afterCrash('synced');
    storage.alter(path, bytes => {
      bytes[at] ^= 1 << (at % 8);
      return bytes;
    });
    const { keys, damages } = await look(storage);
    const got = keys.filter(k => !k.includes('gap'));
    const lost = ALL.filter(k => !got.includes(k));
    t.true(lost.length <= 1, `byte ${at}: ${lost}`);
    t.is(new Set(got).size, got.length, `byte ${at}`);
    t.true(damages.length <= 2, `byte ${at}`);
    if (lost.length === 1) {
      const [device, place] = lost[0].split(' ');
      const seq = Number(place.slice(2));
      t.deepEqual(
        keys.filter(k => k.includes('gap')),
        [`${device} gap 1.${seq}-1.${seq + 1}`],
        `byte ${at}`,
      );
      t.true(damages[0].at <= at && at < damages[0].at + damages[0].bytes, `byte ${at}`);
    } else {
      t.is(keys.length, got.length, `byte ${at}: ${keys.filter(k => k.includes('gap'))}`);
    }
  }
});

test('a damaged line comes with its bytes, its place and its reason', async t => {
  const storage = await sound();
  const path = segments(storage)[1];
  const { at, end, text } = line(storage, path, readingLine(storage, path, A));
  storage.alter(path, bytes => {
    bytes[at + 30] ^= 4;
    return bytes;
  });
  const { damages } = await look(storage);
  t.is(damages.length, 1);
  t.like(damages[0], { reason: 'line', segment: path.slice(DIRECTORY.length + 1), at, bytes: end - at });
  t.is(damages[0].copy.length, text.length + 1);
});

test('a missing segment in the middle is named, and what it held is a gap of each device', async t => {
  const storage = await sound();
  storage.visible.delete(segments(storage)[2]);
  const { keys, damages } = await look(storage);
  t.deepEqual(
    damages.map(d => d.reason),
    ['missing'],
  );
  const gaps = keys.filter(k => k.includes('gap'));
  t.deepEqual(
    gaps.map(g => g.slice(0, 2)),
    ['aa', 'bb'],
  );
  for (const g of gaps) {
    const [from, to] = g.slice(7).split('-');
    for (let seq = Number(from.slice(2)); seq < Number(to.slice(2)); seq++) {
      t.false(keys.includes(`${g.slice(0, 2)} 1.${seq}`));
    }
  }
  const covered = gaps.reduce((sum, g) => {
    const [from, to] = g.slice(7).split('-');
    return sum + Number(to.slice(2)) - Number(from.slice(2));
  }, 0);
  t.is(covered + keys.length - gaps.length, 60);
});

test('an empty, a headless and a garbage last segment fall back to the one before', async t => {
  const whole = await sound();
  const last = segments(whole).length - 1;
  for (const change of [
    () => Buffer.alloc(0),
    (bytes: Buffer) => bytes.subarray(0, 20),
    (bytes: Buffer) => bytes.fill(0xa5, 0, 40),
    (bytes: Buffer) => Buffer.alloc(bytes.length),
    (bytes: Buffer) => bytes.fill(0x41),
  ]) {
    const storage = whole.afterCrash('synced');
    storage.alter(segments(storage)[last], change);
    const journal = await open(storage, OPTIONS);
    const first = Number(segments(storage)[last].slice(-26, -6));
    t.true(journal.nextOffset > first);
    const position = journal.positions.get(A)!;
    t.true(position.seq > 10);
    await store(journal, reading(A, 2, 0));
    t.is(journal.positions.get(A)?.epoch, 2);
    const keys = (await readAll(journal)).map(key);
    t.is(keys[keys.length - 1], 'aa 2.0');
    await journal.close();
  }
});

test('a header that lies: another name, bytes beyond the file, a count that does not match', async t => {
  const whole = await sound();
  const [, , third, fourth] = segments(whole);
  // The fourth segment under the third's name.
  const renamed = whole.afterCrash('synced');
  renamed.alter(third, () => renamed.content(fourth));
  const one = await look(renamed);
  t.true(one.damages.some(d => d.reason === 'header'));
  t.deepEqual(
    ALL.filter(k => !one.keys.includes(k))
      .map(k => k.slice(0, 2))
      .filter((d, i, all) => all.indexOf(d) === i),
    ['aa', 'bb'],
  );
  t.is(one.keys.filter(k => k.includes('gap')).length, 2);

  const short = whole.afterCrash('synced');
  short.alter(third, bytes => bytes.subarray(0, bytes.length - 150));
  const two = await look(short);
  t.true(two.damages.some(d => d.reason === 'bounds'));

  const counts = whole.afterCrash('synced');
  const device = line(counts, third, 1);
  t.true(device.text.startsWith('{"d"'));
  counts.alter(third, bytes => Buffer.concat([bytes.subarray(0, device.at), bytes.subarray(device.end)]));
  const three = await look(counts);
  t.true(three.damages.some(d => d.reason === 'counts'));
  t.deepEqual(
    three.keys.filter(k => !k.includes('gap')),
    ALL,
  );
});

test('a snapshot that is not whole in the last segment: the one before says where devices stood', async t => {
  const storage = await sound();
  const path = segments(storage).pop()!;
  const { at } = line(storage, path, 1);
  storage.alter(path, bytes => {
    bytes[at + 9] ^= 1;
    return bytes;
  });
  const journal = await open(storage, OPTIONS);
  t.is(journal.positions.get(A)?.seq, 29);
  t.is(journal.positions.get(B)?.seq, 29);
  t.is(journal.positions.get(A)?.readings, 30);
});

test('what had been synced counts wherever it stands, also in a segment that opening goes through', async t => {
  const whole = await sound();
  const [before, last] = segments(whole).slice(-2);
  // No more than one batch of the last segment, which nothing says to be synced: opening goes back to the one before.
  whole.alter(last, bytes => bytes.subarray(0, line(whole, last, 6).at));
  const { keys, entries } = await look(whole.afterCrash('visible'));
  const moved = whole.afterCrash('visible');
  // Its last two readings change places with the mark behind them.
  const count = whole.content(before).toString('latin1').split('\n').length;
  const [from, mark] = [count - 4, count - 2].map(n => line(whole, before, n).at);
  moved.alter(before, bytes =>
    Buffer.concat([bytes.subarray(0, from), bytes.subarray(mark), bytes.subarray(from, mark)]),
  );
  const journal = await open(moved, OPTIONS);
  t.deepEqual((await readAll(journal)).map(key), keys);
  t.is(journal.positions.get(B)?.readings, entries.filter(e => key(e).startsWith('bb')).length);
});

test('a snapshot of another segment before its own: neither is believed', async t => {
  const storage = await sound();
  const [, , third, , fifth] = segments(storage);
  // Two devices, a mark and a reading, straight behind the header.
  const block = storage.content(fifth).subarray(line(storage, fifth, 1).at, line(storage, fifth, 5).at);
  const { at } = line(storage, third, 1);
  storage.alter(third, bytes => Buffer.concat([bytes.subarray(0, at), block, bytes.subarray(at)]));
  const { keys, damages } = await look(storage);
  t.deepEqual(keys, ALL);
  t.true(damages.some(({ reason, detail }) => reason === 'counts' && detail.includes('4 are there')));
});

test('what a header shows to be lost is not laid to damage behind it, which may cost what stood there', async t => {
  const storage = await sound();
  const [head, second, third] = segments(storage);
  storage.visible.delete(second);
  const own = line(storage, third, 4);
  const other = storage.content(head).subarray(line(storage, head, 2).at, line(storage, head, 3).at);
  storage.alter(third, bytes => Buffer.concat([bytes.subarray(0, own.at), other, bytes.subarray(own.end)]));
  const damages: DamagedRange[] = [];
  const losses: [string, LossCause][] = [];
  await walk(storage, DIRECTORY, 0, {
    damage: range => void damages.push(range),
    loss: (lost, cause) => void losses.push([key(lost), cause]),
  });
  const first = Number(third.slice(-26, -6));
  t.like(damages, [
    { reason: 'missing' },
    { reason: 'order', bounded: true, offsets: [first + 1, first + 2] },
  ]);
  const causes = losses.map(([, { damages: numbers }]) => numbers);
  t.deepEqual(
    causes,
    [
      [1, 1],
      [1, 1],
      [2, 2],
    ],
    JSON.stringify(losses),
  );
});

test('the last line in a wrong place: devices stand where they stood, and its own may have lost more', async t => {
  const storage = await sound();
  const last = segments(storage).pop()!;
  const lines = storage.content(last).toString('latin1').split('\n');
  const n = lines.findLastIndex(text => text.startsWith('{"o"'));
  t.true(n > 6);
  const [to, from] = [line(storage, last, 4).at, line(storage, last, n)];
  storage.alter(last, bytes => {
    const moved = bytes.subarray(from.at, from.end);
    return Buffer.concat([
      bytes.subarray(0, to),
      moved,
      bytes.subarray(to, from.at),
      bytes.subarray(from.end),
    ]);
  });
  const unknown: UnknownLoss[] = [];
  await walk(storage, DIRECTORY, 0, { unknown: loss => void unknown.push(loss) });
  t.like(
    unknown.find(({ device }) => device === B),
    { from: [1, 29] },
  );
  const journal = await open(storage, OPTIONS);
  t.deepEqual(
    [A, B].map(device => journal.positions.get(device)?.seq),
    [29, 29],
  );
});

test('a name and a cursor at the end of all numbers leave offsets to go on with', async t => {
  const storage = await sound();
  const planted = await storage.open(`${DIRECTORY}/00009007199254740991.jsonl`, 'create');
  await planted.write(Buffer.from('{"journal":1,"first":9007199254740991'), 0);
  const journal = await open(storage, OPTIONS);
  await store(journal, reading(A, 1, 30));
  t.true(journal.nextOffset < 1000);
  t.deepEqual((await readAll(journal, 0)).map(key), [...ALL, 'aa 1.30']);
  const bytes = Buffer.from('{"cursor":1,"generation":7,"offset":9007199254740991,"ranges":[]');
  t.is(
    decodeSlot(Buffer.concat([bytes, Buffer.from(`,"c":"${crc32(bytes).toString(16).padStart(8, '0')}"}`)])),
    undefined,
  );
});

test('strange files in the directory are left alone', async t => {
  const storage = await sound();
  for (const name of ['notes.txt', '00000000000000000001.jsonl.bak', `${'9'.repeat(20)}.jsonl`, 'x.jsonl']) {
    const file = await storage.open(`${DIRECTORY}/${name}`, 'create');
    await file.write(Buffer.from('{"o":1}\n'), 0);
  }
  t.deepEqual((await look(storage)).keys, ALL);
});

test('unreadable pages cost the lines in them; a device that reads nothing costs nothing', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage);
  for (let seq = 0; seq < 200; seq++) journal.append(reading(A, 1, seq));
  await store(journal, reading(A, 1, 200));
  const damages: Damage[] = [];
  storage.upset = effect => (effect === 'read' ? 'EIO' : undefined);
  const reader = journal.reader(0, { damaged: d => damages.push(d) });
  await t.throwsAsync(reader.next(10), { code: 'EIO' });
  storage.upset = () => undefined;
  t.is((await reader.next(1000)).length, 201);
  t.deepEqual(damages, []);
});

test('gaps, final readings, links with quotes and all characters come back as they went in', async t => {
  const storage = new FaultyStorage();
  const journal = await open(storage, OPTIONS);
  const strange = 'tcp:"ü\\ \u{1f600}\n';
  await store(
    journal,
    reading(A, 0, 0, { link: strange }),
    reading(A, 0, 1, { final: true, link: strange }),
    gap(A, [1, 0], [3, 7]),
    reading(A, 3, 7, { at: 0 }),
    reading(A, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, {
      at: 5,
      bytes: Buffer.alloc(8192, 0xff),
      tag8: '',
    }),
  );
  const entries = await readAll(journal);
  t.is(entries.length, 5);
  t.like(entries[0], { link: strange, final: false });
  t.like(entries[1], { link: strange, final: true, tag8: reading(A, 0, 1).tag8 });
  t.like(entries[2], { kind: 'gap', from: [1, 0], to: [3, 7] });
  t.deepEqual(Buffer.from((entries[3] as { bytes: Uint8Array }).bytes), reading(A, 3, 7).bytes);
  t.like(entries[4], { epoch: Number.MAX_SAFE_INTEGER, seq: Number.MAX_SAFE_INTEGER - 1 });
  t.throws(() => journal.append(reading('nothex', 1, 1)), { instanceOf: RangeError });
  t.throws(() => journal.append(reading(A, 1, 1.5)), { instanceOf: RangeError });
  await journal.close();
  t.false(journal.append(reading(A, 9, 9)));
});
