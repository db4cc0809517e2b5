import { crc32 } from 'node:zlib';
import test from 'ava';
import { Cursor, decodeSlot } from '../../../host/journal/cursor.js';
import { MAX_OFFSET } from '../../../host/journal/entry.js';
import { FaultyStorage } from './faulty-storage.js';

const DIRECTORY = '/cursors';
const A = `${DIRECTORY}/mqtt.a`;
const B = `${DIRECTORY}/mqtt.b`;

function open(storage: FaultyStorage): Promise<Cursor> {
  return Cursor.open(storage, DIRECTORY, 'mqtt');
}

test('begins at 0 and keeps what was saved, with its ranges', async t => {
  const storage = new FaultyStorage();
  const cursor = await open(storage);
  t.is(cursor.offset, 0);
  await cursor.save(17);
  await cursor.save(42, [
    [50, 60],
    [70, 71],
  ]);
  t.is(cursor.end, 71);
  await cursor.close();
  const again = await open(storage.afterCrash('synced'));
  t.is(again.offset, 42);
  t.deepEqual(again.ranges, [
    [50, 60],
    [70, 71],
  ]);
});

test('a stop or a torn write at any effect leaves the old place or the new one', async t => {
  for (let stop = 0; stop < 60; stop++) {
    const storage = new FaultyStorage();
    let saved = 0;
    let trying = 0;
    storage.upset = (effect, index) =>
      index < stop ? undefined : index === stop && effect === 'write' ? 'short' : 'hang';
    void (async () => {
      const cursor = await open(storage);
      for (let i = 1; i < 8; i++) {
        trying = i * 10;
        await cursor.save(i * 10);
        saved = i * 10;
      }
    })().catch(() => undefined);
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)));
    for (const keep of ['synced', 'visible', Math.random] as const) {
      const { offset } = await open(storage.afterCrash(keep));
      t.true(
        offset === saved || offset === trying,
        `stop ${stop}: ${offset}, saved ${saved}, trying ${trying}`,
      );
    }
  }
});

test('any damaged byte of one file leaves a place that was once saved', async t => {
  const storage = new FaultyStorage();
  const cursor = await open(storage);
  await cursor.save(10);
  await cursor.save(20);
  for (const path of [A, B]) {
    for (let at = 0; at < 100; at++) {
      const damaged = storage.afterCrash('synced');
      damaged.alter(path, bytes => {
        bytes[at] ^= 1 << (at % 8);
        return bytes;
      });
      t.true([10, 20].includes((await open(damaged)).offset), `${path} ${at}`);
    }
  }
});

test('a disk without space or with errors: the old place stands, and saving works again later', async t => {
  const storage = new FaultyStorage();
  const cursor = await open(storage);
  await cursor.save(10);
  for (const [effect, code] of [
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
  ]) {
    storage.upset = e => (e === effect ? code : undefined);
    await t.throwsAsync(cursor.save(20), { code });
    t.is(cursor.offset, 10);
    storage.upset = () => undefined;
  }
  // Opening needs no space once the files are there.
  const full = storage.afterCrash('synced');
  full.upset = e => (e === 'write' || e === 'create' ? 'ENOSPC' : undefined);
  t.is((await open(full)).offset, 10);
  await cursor.save(30);
  t.is((await open(storage.afterCrash('synced'))).offset, 30);
});

test('saving never takes more room than the files already have', async t => {
  const storage = new FaultyStorage();
  const cursor = await open(storage);
  const most = MAX_OFFSET;
  await cursor.save(
    most - 100,
    Array.from({ length: 8 }, (_, i) => [most - 90 + i * 10, most - 85 + i * 10] as const),
  );
  t.is(storage.content(A).length, 512);
  t.is(storage.content(B).length, 512);
  t.is((await open(storage)).ranges.length, 8);
  await t.throwsAsync(cursor.save(5, [[3, 4]]), { instanceOf: RangeError });
  await t.throwsAsync(cursor.save(-1), { instanceOf: RangeError });
});

test('what is no slot is none', t => {
  t.is(decodeSlot(Buffer.alloc(0)), undefined);
  t.is(decodeSlot(Buffer.alloc(512, 0x20)), undefined);
  t.is(
    decodeSlot(Buffer.from('{"cursor":1,"generation":1,"offset":9,"ranges":[],"c":"00000000"}')),
    undefined,
  );
});

test('a place that no cursor writes is not sound, although its checksum is right', t => {
  const slot = (body: string) => {
    const bytes = Buffer.alloc(512, 0x20);
    bytes.write(`${body},"c":"${crc32(body).toString(16).padStart(8, '0')}"}`, 'latin1');
    bytes[511] = 0x0a;
    return decodeSlot(bytes);
  };
  const body = (ranges: string) => `{"cursor":1,"generation":7,"offset":100,"ranges":${ranges}`;
  t.deepEqual(slot(body('[[101,103],[105,106]]'))?.ranges, [
    [101, 103],
    [105, 106],
  ]);
  for (const ranges of [
    '[[105,106],[101,103]]',
    '[[101,105],[103,106]]',
    '[[90,95]]',
    '[[100,101]]',
    '[[103,101]]',
    '[[101,103,104]]',
    '[ [101,103]]',
    '[[1.01e2,103]]',
  ]) {
    t.is(slot(body(ranges)), undefined, ranges);
  }
  t.is(slot(`${body('[]')},"x":1`), undefined);
});

test('an error on reading that passes does not send the cursor back', async t => {
  const storage = new FaultyStorage();
  const cursor = await Cursor.open(storage, '/cursors', 'uplink');
  for (const offset of [10, 20, 30]) await cursor.save(offset);
  await cursor.close();
  for (const failing of ['a', 'b']) {
    const after = storage.afterCrash('visible');
    let errors = 2;
    after.upset = (effect, _, path) =>
      effect === 'read' && path.endsWith(failing) && errors-- > 0 ? 'EIO' : undefined;
    t.is((await Cursor.open(after, '/cursors', 'uplink')).offset, 30);
  }
});

test('a file whose sector has gone bad is replaced after some tries; until then the old place stands', async t => {
  const storage = new FaultyStorage();
  const cursor = await Cursor.open(storage, '/cursors', 'uplink');
  await cursor.save(5);
  const paths = [...storage.visible.keys()];
  for (const bad of paths) {
    const dead = storage.afterCrash('visible');
    const inode = dead.visible.get(bad);
    dead.upset = (effect, _, path) =>
      path === bad && dead.visible.get(bad) === inode && effect !== 'rename' && effect !== 'remove'
        ? 'EIO'
        : undefined;
    const again = await Cursor.open(dead, '/cursors', 'uplink');
    const opened = again.offset;
    let failures = 0;
    for (let offset = 10; offset < 20; offset++) await again.save(offset).catch(() => failures++);
    t.true(failures <= 4, String(failures));
    t.is(again.offset, 19);
    t.true(opened === 5 || opened === 0);
    t.is((await Cursor.open(dead.afterCrash('synced'), '/cursors', 'uplink')).offset, 19);
  }
});
