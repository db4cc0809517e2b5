/** Many who ask, much that is asked for, and nonsense: what comes in now goes out now all the same. */
import test from 'ava';
import fc from 'fast-check';
import {
  compare,
  decodeFetched,
  decodeRequest,
  encodeFetched,
  encodeRequest,
  type Fetched,
  type FetchRange,
  type Place,
} from '../../../host/uplink/fetch/format.js';
import { entries, FETCH, fetching, sequences } from './fetch-support.js';
import { TestDevice } from './support.js';

const range = (device: TestDevice, from: Place, to?: Place): FetchRange => ({ device: device.id, from, to });

test('what several ask for at the same time goes out once', async t => {
  const { uplink, drained, answered, add, heard, ask } = await fetching(t);
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  for (let i = 0; i < 50; i++) await add(one.entry(), two.entry());
  uplink.start();
  await drained();
  heard();
  const ranges = [range(one, [1, 0], [1, 50]), range(two, [1, 0], [1, 50])];
  for (let i = 0; i < 5; i++) await ask(ranges, `r${i}`, `subscriber-${i}`);
  await answered(5);
  const { sealed, results } = heard();
  // Some are sent again for those who asked when a segment was half sent.
  t.true(sealed.length >= 100 && sealed.length < 130, String(sealed.length));
  t.is(results.length, 10);
  for (const { reached, missing } of results) t.deepEqual([reached, missing], [[1, 50], []]);
});

test('each asker has his turn, whatever another one asks for', async t => {
  const { uplink, broker, drained, settle, add, heard, ask } = await fetching(t, { fetchPerSecond: 100 });
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  const readings = entries(one, 300);
  for (const reading of readings) await add(reading);
  const other = entries(two, 3);
  for (const reading of other) await add(reading);
  uplink.start();
  await drained();
  heard();
  for (let i = 0; i < 8; i++) await ask(Array(128).fill(range(one, [1, 0], [1, 300])), `g${i}`, 'greedy');
  await ask([range(two, [1, 0], [1, 3])], 'modest', 'modest');
  const modest = () =>
    broker.sent.some(({ message }) => {
      const fetched = message.topic.endsWith('/fetched') ? decodeFetched(message.payload) : undefined;
      return fetched?.id === 'modest' && fetched.done;
    });
  for (let tries = 0; !modest() && tries < 1000; tries++) await settle(20);
  t.true(modest());
  // One segment of the greedy one's was first.
  const sent = sequences(heard().sealed, readings).filter(seq => seq >= 0).length;
  t.true(sent < 200, String(sent));
});

test('it keeps to its rate, and readings that come in do not wait for it', async t => {
  const { uplink, broker, drained, settle, add, heard, ask } = await fetching(t, {
    fetchPerSecond: 50,
    window: 16,
  });
  const one = new TestDevice(1);
  for (const reading of entries(one, 400)) await add(reading);
  uplink.start();
  await drained();
  heard();
  await ask([range(one, [1, 0], [1, 400])]);
  await settle(2000);
  const sent = heard().sealed.length;
  t.true(sent <= 106, String(sent));
  // Now the broker acknowledges nothing: what was asked for may take two of sixteen places, no more.
  broker.automatic = false;
  for (let tries = 0; broker.sent.length < 2 && tries < 500; tries++) await settle(50);
  await settle(1000);
  t.is(broker.sent.length, 2);
  const fresh = entries(one, 30);
  for (const reading of fresh) await add(reading);
  for (let tries = 0; broker.sent.length < 16 && tries < 100; tries++) await settle(50);
  t.is(broker.sent.length, 16);
  const live = broker.sent.filter(({ message }) => message.userProperties === undefined);
  t.is(live.length, 14);
  t.is(uplink.state.inFlight, 16);
});

test('with a window of one, both have their turn', async t => {
  const { uplink, broker, drained, settle, add, heard, ask } = await fetching(t, { window: 1 });
  const one = new TestDevice(1);
  for (const reading of entries(one, 40)) await add(reading);
  uplink.start();
  await drained();
  heard();
  broker.automatic = false;
  await ask([range(one, [1, 0], [1, 40])]);
  for (let tries = 0; broker.sent.length < 1 && tries < 100; tries++) await settle(50);
  for (const reading of entries(one, 10)) await add(reading);
  await settle(200);
  const kinds: string[] = [];
  for (let i = 0; i < 16; i++) {
    const [sent] = broker.sent.splice(0);
    kinds.push(sent.message.userProperties === undefined ? 'live' : 'asked');
    sent.acknowledge();
    for (let tries = 0; broker.sent.length < 1 && tries < 100; tries++) await settle(20);
  }
  t.is(kinds.join(' '), 'asked live '.repeat(8).trim());
});

test('nonsense and too many requests are counted with their reasons, and cost nothing else', async t => {
  const { uplink, broker, journal, drained, settle, answered, add, heard, ask } = await fetching(t);
  const one = new TestDevice(1);
  for (const reading of entries(one, 5)) await add(reading);
  uplink.start();
  await drained();
  heard();
  const device = one.id;
  const good = { device, epoch: 1, from: 0, to: 2 };
  const texts: [string, string][] = [
    ['too-long', JSON.stringify([{ ...good, x: 'x'.repeat(33_000) }])],
    ['json', '{"device"'],
    ['json', '\xff\xfe'],
    ['form', '7'],
    ['form', 'null'],
    ['form', '{"ranges":{}}'],
    ['form', '[[]]'.replace('[[]]', '[3]')],
    ['name', JSON.stringify({ id: 7, ranges: [good] })],
    ['name', JSON.stringify({ asker: 'a b', ranges: [good] })],
    ['name', JSON.stringify({ id: 'x'.repeat(65), ranges: [good] })],
    ['ranges', '[]'],
    ['ranges', JSON.stringify(Array(129).fill(good))],
    ['device', JSON.stringify({ ...good, device: device.toUpperCase().replace(/^0/, 'A') })],
    ['device', JSON.stringify({ epoch: 1, from: 0 })],
    ['place', JSON.stringify({ ...good, epoch: -1 })],
    ['place', JSON.stringify({ ...good, from: 1.5 })],
    ['place', JSON.stringify({ ...good, to: 2 ** 53 })],
    ['place', JSON.stringify({ ...good, toEpoch: '3' })],
    ['empty', JSON.stringify({ ...good, from: 2 })],
    ['empty', JSON.stringify({ ...good, toEpoch: 0 })],
  ];
  const refused: Record<string, number> = {};
  for (const [reason, text] of texts) {
    t.is(decodeRequest(Buffer.from(text, 'latin1')), reason as never, text.slice(0, 80));
    await broker.deliver(FETCH, Buffer.from(text, 'latin1'));
    refused[reason] = (refused[reason] ?? 0) + 1;
  }
  await settle(500);
  t.like(uplink.state.fetch, { requests: texts.length, ranges: 0, waiting: 0, refused });
  t.deepEqual(heard(), { sealed: [], fetched: [], results: [] });
  // One range, and an array of ranges, as people write them.
  await broker.deliver(FETCH, Buffer.from(JSON.stringify(good)));
  await broker.deliver(FETCH, Buffer.from(JSON.stringify([good, { ...good, from: 3, to: 4 }])));
  await answered(2);
  t.deepEqual(
    heard().results.map(({ sent }) => sent),
    [2, 2, 1],
  );
  // More than eight of one asker, more than 64 of all: told at once, as far as there is room.
  const long = [range(one, [1, 0], [1, 5])];
  broker.automatic = false;
  for (let i = 0; i < 10; i++) await ask(long, `m${i}`, 'me');
  for (let i = 0; i < 300; i++) await ask(long, `o${i}`, `other-${i}`);
  t.is(uplink.state.fetch!.refused.busy, 2 + 300 - 56);
  t.is(uplink.state.fetch!.waiting, 64);
  broker.automatic = true;
  for (const sent of broker.sent.splice(0)) sent.acknowledge();
  await settle(3000);
  const busy = heard().fetched.filter(fetched => fetched.busy);
  t.true(busy.length > 50 && busy.length <= 130, String(busy.length));
  t.is(uplink.state.fetch!.waiting, 0);
  t.true(journal.segments.length >= 1);
});

test('requests die with the connection; a broker that lets nobody ask costs nothing else', async t => {
  const { uplink, broker, log, drained, settle, answered, add, heard, ask } = await fetching(t, {
    fetchPerSecond: 20,
  });
  const one = new TestDevice(1);
  for (const reading of entries(one, 200)) await add(reading);
  uplink.start();
  await drained();
  heard();
  await ask([range(one, [1, 0], [1, 200])]);
  await settle(1000);
  t.is(uplink.state.fetch!.waiting, 1);
  broker.drop();
  await settle(3000);
  t.is(uplink.state.name, 'online');
  t.is(uplink.state.fetch!.waiting, 0);
  heard();
  await settle(1000);
  t.deepEqual(heard().sealed, []);
  await ask([range(one, [1, 0], [1, 2])], 'again');
  await answered(1);
  t.is(heard().sealed.length, 2);
  broker.refusesTopics = new Error('not authorized');
  broker.drop();
  await settle(3000);
  t.is(broker.statuses.at(-1)!.fetch, undefined);
  t.true(log.lines.includes('uplink-fetch-refused'));
  await add(one.entry());
  await drained();
  t.is(heard().sealed.length, 1);
});

test('0 turns it off', async t => {
  const { uplink, broker, drained, add } = await fetching(t, { fetchPerSecond: 0 });
  await add(new TestDevice(1).entry());
  uplink.start();
  await drained();
  t.deepEqual(broker.subscribed, []);
  t.is(broker.statuses.at(-1)!.fetch, undefined);
  t.is(uplink.state.fetch, undefined);
});

const places = fc.tuple(fc.nat(), fc.nat());
const names = fc.stringMatching(/^[A-Za-z0-9._-]{0,64}$/);
const ranges = fc
  .record({
    device: fc.stringMatching(/^[0-9a-f]{16}$/),
    from: places,
    to: fc.option(places, { nil: undefined }),
  })
  .filter(({ from, to }) => compare(from, to) < 0);

test('requests and answers come back as they went', t => {
  fc.assert(
    fc.property(names, names, fc.array(ranges, { minLength: 1, maxLength: 20 }), (id, asker, list) => {
      t.deepEqual(decodeRequest(encodeRequest({ id, asker, ranges: list })), { id, asker, ranges: list });
    }),
    { numRuns: 200 },
  );
  const missing = fc
    .record({
      from: places,
      to: places,
      why: fc.constantFrom('never', 'lost', 'removed', 'later', 'unread', 'queued') as fc.Arbitrary<'never'>,
    })
    .filter(({ from, to }) => compare(from, to) < 0);
  const results = fc.record({
    range: ranges,
    sent: fc.nat(),
    reached: places,
    last: fc.option(places, { nil: undefined }),
    missing: fc.array(missing, { maxLength: 8 }),
  });
  const fetched = fc.record({
    gateway: fc.string(),
    site: fc.string(),
    id: names,
    done: fc.boolean(),
    busy: fc.boolean(),
    results: fc.array(results, { maxLength: 8 }),
  });
  fc.assert(
    fc.property(fetched, message => {
      t.deepEqual(decodeFetched(encodeFetched(message as Fetched)), message as Fetched);
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.jsonValue().map(value => JSON.stringify(value)),
      ),
      text => {
        decodeFetched(Buffer.from(text));
        t.is(typeof decodeRequest(Buffer.from(text)), 'string');
      },
    ),
    { numRuns: 1000 },
  );
});
