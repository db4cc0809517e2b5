/** What a gateway says of readings that its journal does not hold, or not any more. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Entry } from '../../../host/journal/entry.js';
import { describePayload, encodeSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Storage } from '../../../host/ports.js';
import {
  compare,
  type FetchRange,
  type FetchResult,
  type Missing,
  type Place,
} from '../../../host/uplink/fetch/format.js';
import { freshSeed, prng } from '../../support/prng.js';
import { entries, fetching, gapEntry, sequences } from './fetch-support.js';
import { TestDevice } from './support.js';

const range = (device: { id: string }, from: Place, to?: Place): FetchRange => ({
  device: device.id,
  from,
  to,
});
const told = (missing: readonly Missing[]) =>
  missing.map(({ from, to, why }) => `${why} ${from.join('/')}-${to.join('/')}`);

test('what retention has removed, before or while it is looked for', async t => {
  const { uplink, journal, directory, drained, answered, add, heard, ask } = await fetching(t);
  const one = new TestDevice(1);
  for (const reading of entries(one, 60)) await add(reading);
  uplink.start();
  await drained();
  heard();
  const [first, second, third] = journal.segments;
  const { positions } = await journal.snapshot(third);
  // Somebody else removes a segment that the journal still counts on, as a race with retention would have it.
  await rm(join(directory, 'journal', `${String(first).padStart(20, '0')}.jsonl`));
  (journal.segments as number[]).shift();
  await rm(join(directory, 'journal', `${String(second).padStart(20, '0')}.jsonl`));
  await ask([range(one, [1, 0], [1, 3])], 'unknown to the list');
  await ask([range(one, [1, 0], [1, 3])], 'raced');
  await answered(1);
  (journal.segments as number[]).shift();
  const raced = heard().results[0];
  t.is(raced.sent, 0);
  await ask([range(one, [1, 0], [1, 59])]);
  await answered(1);
  const { results, sealed } = heard();
  const from = positions.get(one.id)!.seq + 1;
  t.deepEqual(told(results[0].missing), [`removed 1/0-1/${from}`]);
  t.is(results[0].sent, 59 - from);
  t.is(sealed.length, 59 - from);
});

test('what the medium has destroyed', async t => {
  const { uplink, directory, drained, answered, add, heard, ask } = await fetching(t);
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  for (let i = 0; i < 40; i++) await add(one.entry(), two.entry());
  uplink.start();
  await drained();
  heard();
  let hurt = 0;
  for (const name of await readdir(join(directory, 'journal'))) {
    const path = join(directory, 'journal', name);
    const text = await readFile(path, 'latin1');
    const lines = text.split('\n').map(line => {
      if (!/"d":"0101010101010101","e":1,"q":(7|8|20),/.test(line)) return line;
      hurt++;
      return line.replace('"t":', '"T":');
    });
    await writeFile(path, lines.join('\n'), 'latin1');
  }
  t.is(hurt, 3);
  await ask([range(one, [1, 5], [1, 30]), range(two, [1, 5], [1, 30])]);
  await answered(1);
  const { results } = heard();
  t.deepEqual(
    results.map(({ sent, missing }) => [sent, told(missing)]),
    [
      [22, ['lost 1/7-1/9', 'lost 1/20-1/21']],
      [25, []],
    ],
  );
});

test('a gap that was journalled although its end was not, and that turns out to be none', async t => {
  const { uplink, drained, answered, add, heard, ask } = await fetching(t);
  const one = new TestDevice(1);
  const all = entries(one, 6);
  for (const reading of all.slice(0, 3)) await add(reading);
  await add(gapEntry(one, [1, 3], [2, 0]));
  for (const reading of all.slice(3)) await add(reading);
  await add(gapEntry(one, [1, 6], [1, 8]));
  uplink.start();
  await drained();
  heard();
  await ask([range(one, [1, 3], [2, 0]), range(one, [1, 0], [1, 5]), range(one, [1, 5], [1, 7])]);
  await answered(1);
  const said = heard().results.map(({ range, sent, missing }) => [range.from[1], sent, told(missing)]);
  t.deepEqual(
    said.sort(([a], [b]) => Number(a) - Number(b)),
    [
      [0, 5, []],
      [3, 3, ['never 1/6-1/8', 'later 1/8-2/0']],
      [5, 1, ['never 1/6-1/7']],
    ],
  );
});

test('of an epoch that has ended nothing is missing, wherever its end stands', async t => {
  const { uplink, drained, answered, add, heard, ask } = await fetching(t);
  const one = new TestDevice(1);
  for (let epoch = 1; epoch < 12; epoch++) {
    for (const reading of entries(one, 2)) await add(reading);
    await add({ ...one.entry(), final: true });
    one.startEpoch(epoch + 1);
  }
  uplink.start();
  await drained();
  heard();
  const ranges = Array.from({ length: 10 }, (_, i) => range(one, [i + 1, 3], [i + 2, 1]));
  await ask(ranges);
  await answered(1);
  for (const { sent, missing, reached, range } of heard().results) {
    t.deepEqual([sent, told(missing), reached], [1, [], range.to!]);
  }
});

test('live-first: what has not been caught up with comes by itself, what went out before it is there', async t => {
  const { uplink, broker, settle, answered, add, heard, ask } = await fetching(t, {
    order: 'live-first',
    window: 8,
    replayPerSecond: 1,
  });
  const one = new TestDevice(1);
  const old = entries(one, 60);
  for (const reading of old) await add(reading);
  uplink.start();
  await settle(500);
  const fresh = entries(one, 5);
  for (const reading of fresh) await add(reading);
  for (let tries = 0; !sequences(broker.sent, fresh).includes(64) && tries < 500; tries++) await settle(20);
  await settle(100);
  const held = sequences(heard().sealed, old).filter(seq => seq >= 0).length;
  t.true(held < 30, String(held));
  await ask([range(one, [1, 0], [1, 65])]);
  await answered(1);
  const { results } = heard();
  const [{ missing, reached }] = results;
  t.deepEqual(reached, [1, 65]);
  t.is(missing.length, 1);
  t.is(missing[0].why, 'queued');
  t.deepEqual(missing[0].to, [1, 60]);
  t.true(results[0].sent >= 5 && results[0].sent < 40);
});

test('what the disk refuses for now is not called lost', async t => {
  let refuses: 'page' | 'all' | undefined;
  const real = new NodeStorage();
  const storage = Object.create(real) as Storage;
  storage.open = async (path, mode) => {
    const file = await real.open(path, mode);
    if (mode !== 'read' || !path.endsWith('.jsonl')) return file;
    const { read } = file;
    file.read = (target, position) => {
      const hit = position < 8192 && position + target.length > 4096;
      if (refuses === 'all' || (refuses === 'page' && hit))
        return Promise.reject(Object.assign(new Error('i/o'), { code: 'EIO' }));
      return read.call(file, target, position);
    };
    return file;
  };
  const { uplink, drained, answered, add, heard, ask } = await fetching(t, {}, 20_000, storage);
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  for (let i = 0; i < 70; i++) await add(one.entry(), two.entry());
  uplink.start();
  await drained();
  heard();
  refuses = 'page';
  await ask([range(one, [1, 0], [1, 60])]);
  await answered(1);
  const [{ missing, sent, reached }] = heard().results;
  t.deepEqual(reached, [1, 60]);
  t.true(missing.length > 0 && missing.every(({ why }) => why === 'unread'));
  t.is(sent + missing.reduce((sum, { from, to }) => sum + to[1] - from[1], 0), 60);
  refuses = 'all';
  await ask([range(one, [1, 0], [1, 60]), range(one, [1, 70])]);
  await answered(1);
  const { results } = heard();
  t.deepEqual(
    results.map(({ sent, missing }) => [sent, missing.filter(({ why }) => why !== 'unread')]),
    [
      [0, []],
      [0, []],
    ],
  );
  refuses = undefined;
  await ask([range(one, [1, 0], [1, 60])]);
  await answered(1);
  t.is(heard().results[0].sent, 60);
  t.true(uplink.state.fetch!.failed > 0);
});

test('what has not been acknowledged yet comes by itself', async t => {
  const { uplink, broker, settle, answered, add, heard, ask } = await fetching(t, { window: 16 });
  broker.automatic = false;
  const one = new TestDevice(1);
  const readings = entries(one, 30);
  for (const reading of readings) await add(reading);
  uplink.start();
  for (let tries = 0; broker.sent.length < 16 && tries < 500; tries++) await settle(50);
  for (const sent of broker.sent.splice(0).slice(0, 5)) sent.acknowledge();
  broker.automatic = true;
  // The others of the window are never acknowledged.
  for (let tries = 0; broker.sent.length < 5 && tries < 500; tries++) await settle(50);
  heard();
  t.is(uplink.state.cursor, readings[5].offset);
  await ask([range(one, [1, 2], [1, 10]), range(one, [1, 6])]);
  await answered(1);
  const { sealed, results } = heard();
  t.deepEqual(sequences(sealed, readings), [2, 3, 4]);
  t.deepEqual(
    results.map(({ missing }) => told(missing)),
    [['queued 1/5-1/10'], ['queued 1/6-1/30']],
  );
});

test('sovereign-sdk frames: sequences begin at 1, epochs end without a word', async t => {
  const { uplink, drained, answered, add, heard, ask } = await fetching(t);
  const node = 'esp32-a1';
  const id = sdkDevice(node);
  const frame = (epoch: number, seq: number): Entry => {
    const text = `{"alg":"hmac-sha256","d":{"x":1},"n":"${node}","q":${seq},"s":"${'ab'.repeat(32)}","t":"x","v":1}`;
    const bytes = encodeSdkPayload(node, epoch, Buffer.from(text));
    const tag8 = 'ab'.repeat(8);
    return {
      kind: 'reading',
      at: 1,
      link: 'sdk',
      device: id,
      epoch,
      seq,
      bytes,
      tag8,
      final: false,
      offset: -1,
    };
  };
  for (let seq = 1; seq < 12; seq++) await add(frame(1, seq));
  for (let seq = 1; seq < 6; seq++) await add(frame(2, seq));
  uplink.start();
  await drained();
  heard();
  await ask([range({ id }, [0, 0]), range({ id }, [1, 9], [2, 3])]);
  await answered(1);
  const { results } = heard();
  t.deepEqual(
    results.map(({ sent, missing, reached }) => [sent, told(missing), reached]),
    [
      [5, [], [2, 3]],
      [16, ['never 0/0-1/1'], [2, 6]],
    ],
  );
});

test('of a long range so much, and where to go on', async t => {
  const { uplink, journal, drained, answered, heard, ask } = await fetching(t, { fetchPerSecond: 100_000 });
  const one = new TestDevice(1);
  const readings = entries(one, 2500);
  for (const reading of readings) t.true(journal.append(reading));
  await new Promise<void>(resolve => journal.onDurable(batch => batch.includes(readings[2499]) && resolve()));
  uplink.start();
  await drained();
  heard();
  await ask([range(one, [1, 100], [1, 2500])]);
  await answered(1);
  const { sealed, results } = heard();
  t.deepEqual(
    [sealed.length, results[0].sent, results[0].reached, results[0].missing],
    [2000, 2000, [1, 2100], []],
  );
});

/** The places of a device that are no reading of it, given what it has sealed. */
function check(
  result: FetchResult,
  sent: readonly Place[],
  accepted: readonly Place[],
  all: boolean,
): string {
  const { range, reached, missing } = result;
  const inside = (place: Place) => compare(place, range.from) >= 0 && compare(place, range.to) < 0;
  if (all && range.to !== undefined && compare(reached, range.to) !== 0) return 'does not reach its end';
  for (const place of accepted) {
    const here = inside(place) && compare(place, reached) < 0;
    const came = sent.some(other => compare(other, place) === 0);
    const denied = missing.some(({ from, to }) => compare(place, from) >= 0 && compare(place, to) < 0);
    if (here && !came) return `${place} is held and was not sent`;
    if (denied) return `${place} is held and was denied`;
  }
  for (let i = 1; i < missing.length; i++)
    if (compare(missing[i].from, missing[i - 1].to) < 0) return 'missing parts overlap';
  return '';
}

test('any journal, any ranges: all that is held is sent, nothing that is held is denied', async t => {
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 3; round++) {
    const { uplink, drained, answered, add, heard, ask } = await fetching(t, { fetchPerSecond: 100_000 });
    const devices = Array.from({ length: 1 + below(4) }, (_, i) => new TestDevice(i + 1, below(3)));
    const accepted = new Map<string, Place[]>(devices.map(({ id }) => [id, []]));
    for (let i = 0; i < 120; i++) {
      const device = devices[below(devices.length)];
      const places = accepted.get(device.id)!;
      const last = places.at(-1);
      const chance = random();
      if (last !== undefined && chance < 0.1) {
        const { epoch } = device;
        device.startEpoch(epoch + 1 + below(2));
        await add(gapEntry(device, [epoch, last[1] + 1], [device.epoch, 0]));
      } else if (last !== undefined && last[0] === device.epoch && chance < 0.2) {
        for (let lost = below(4); lost > 0; lost--) device.entry();
        const next = device.entry();
        if (next.seq > last[1] + 1)
          await add(gapEntry(device, [next.epoch, last[1] + 1], [next.epoch, next.seq]));
        await add(next);
        places.push([next.epoch, next.seq]);
        continue;
      }
      const entry = device.entry();
      await add(entry);
      places.push([entry.epoch, entry.seq]);
    }
    uplink.start();
    await drained();
    heard();
    const ranges = Array.from({ length: 12 }, (): FetchRange => {
      const from: Place = [below(5), below(20)];
      const to: Place = [from[0] + below(4), below(20)];
      return range(
        devices[below(devices.length)],
        from,
        random() < 0.2 || compare(from, to) >= 0 ? undefined : to,
      );
    });
    await ask(ranges, 'a', 'me');
    await ask([...ranges].reverse(), 'b', 'you');
    await answered(2);
    const { sealed, results } = heard();
    t.is(results.length, 24);
    const sent = new Map<string, Place[]>();
    for (const { message } of sealed) {
      const id = message.topic.split('/')[3];
      const bytes = Buffer.from(message.payload);
      const place = placeOf(bytes);
      sent.set(id, [...(sent.get(id) ?? []), place]);
    }
    for (const result of results) {
      const { device } = result.range;
      t.is(check(result, sent.get(device) ?? [], accepted.get(device)!, true), '', JSON.stringify(result));
    }
    await uplink.close();
  }
});

function placeOf(bytes: Uint8Array): Place {
  const { epoch, seq } = describePayload(bytes)!;
  return [epoch, seq];
}
