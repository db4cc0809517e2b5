import test from 'ava';
import { Fault } from '../../../host/fault.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { FakeClock } from '../../support/fake-clock.js';
import { freshSeed, prng } from '../../support/prng.js';
import { FakeBroker } from './fake-broker.js';
import { anyRandom, FakeCursor, FakeJournal, TestDevice, TestLog } from './support.js';

function setUp(more: Partial<UplinkOptions> = {}, cursorOffset = 0) {
  const broker = new FakeBroker();
  const journal = new FakeJournal();
  const cursor = new FakeCursor(cursorOffset);
  const clock = new FakeClock();
  const log = new TestLog();
  const ports = { broker, journal, cursor, clock, random: anyRandom, log };
  const uplink = new Uplink(ports, {
    broker: {
      url: 'mqtt://user:secret@broker:1883',
      protocol: '5',
      keepAliveSeconds: 30,
      connectTimeoutMs: 1000,
    },
    site: 'cellar',
    gateway: 'gw',
    window: 10,
    replayPerSecond: 0,
    readingTopic: false,
    ...more,
  });
  return { broker, journal, cursor, clock, log, uplink };
}

const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
};

function fill(journal: FakeJournal, count: number, device = new TestDevice(1)): void {
  journal.add(...Array.from({ length: count }, () => device.entry()));
}

test('the window is the smaller of the configured one and the broker’s', async t => {
  for (const [receiveMaximum, expected] of [
    [4, 4],
    [65_535, 10],
  ]) {
    const { broker, journal, uplink } = setUp();
    broker.receiveMaximum = receiveMaximum;
    fill(journal, 50);
    uplink.start();
    await settle();
    t.is(broker.sent.length, expected);
    broker.sent[0].acknowledge();
    await settle();
    t.is(broker.sent.length, expected + 1);
  }
});

test('both topics count: the cursor passes a reading when both are acknowledged', async t => {
  const { broker, journal, cursor, clock, uplink } = setUp({ readingTopic: true });
  fill(journal, 20);
  uplink.start();
  await settle();
  t.is(broker.sent.length, 10);
  t.deepEqual(
    broker.sent.slice(0, 2).map(({ message }) => message.topic),
    ['sovereign/1/cellar/0101010101010101/sealed', 'sovereign/1/cellar/0101010101010101/reading'],
  );
  broker.sent[0].acknowledge();
  await clock.pass(1000, 100);
  t.deepEqual(cursor.saves, []);
  broker.sent[1].acknowledge();
  await clock.pass(1000, 100);
  t.deepEqual(cursor.saves, [2]);
});

test('whatever the order of PUBACKs, the durable cursor is never ahead of them', async t => {
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  const { broker, journal, cursor, clock, uplink } = setUp({ window: 30 });
  const devices = [1, 2, 3].map(number => new TestDevice(number));
  for (let i = 0; i < 300; i++) {
    if (random() < 0.1) {
      const { id: device, epoch } = devices[0];
      journal.add({ kind: 'gap', at: 0, link: 'x', device, from: [epoch, 0], to: [epoch, 1], offset: -1 });
    } else journal.add(devices[Math.floor(random() * 3)].entry());
  }
  const acknowledged = new Set<number>();
  const offsetOf = new Map(
    journal.entries.flatMap(entry => (entry.kind === 'reading' ? [[entry.bytes, entry.offset]] : [])),
  );
  uplink.start();
  await settle();
  const done = new Set<unknown>();
  while (acknowledged.size < offsetOf.size) {
    const open = broker.sent.filter(sent => !done.has(sent));
    if (open.length === 0) {
      await clock.pass(500, 100);
      continue;
    }
    const sent = open[Math.floor(random() * open.length)];
    done.add(sent);
    acknowledged.add(offsetOf.get(sent.message.payload)!);
    sent.acknowledge();
    await clock.pass(random() * 300);
    for (const offset of offsetOf.values())
      if (offset < cursor.offset && !acknowledged.has(offset)) t.fail(`${cursor.offset} is past ${offset}`);
    if (random() < 0.02) {
      broker.drop();
      await clock.pass(2000, 500);
      await settle();
    }
  }
  broker.automatic = true;
  broker.drop();
  await clock.pass(3000, 100);
  await settle();
  t.true(uplink.state.drained);
  t.is(cursor.offset, journal.entries.at(-1)!.offset + 1);
  for (let i = 1; i < cursor.saves.length; i++) t.true(cursor.saves[i] > cursor.saves[i - 1]);
});

test('the cursor is saved at most every 200 ms, again after an error, and at the end', async t => {
  const { broker, journal, cursor, clock, log, uplink } = setUp();
  broker.automatic = true;
  uplink.start();
  await settle();
  const device = new TestDevice(1);
  for (let i = 0; i < 100; i++) {
    journal.add(device.entry());
    await settle();
    clock.advance(10);
  }
  await settle();
  t.true(cursor.saves.length >= 4 && cursor.saves.length <= 7, String(cursor.saves.length));
  cursor.fails = 1;
  journal.add(device.entry());
  await settle();
  await clock.pass(300, 50);
  t.true(log.lines.includes('cursor-not-saved'));
  await clock.pass(1500, 50);
  t.true(log.lines.includes('cursor-saved-again'));
  t.is(cursor.offset, journal.entries.at(-1)!.offset + 1);
  broker.automatic = false;
  journal.add(device.entry(), device.entry());
  await settle();
  broker.sent.at(-2)!.acknowledge();
  const closed = uplink.close();
  await clock.pass(5000, 500);
  await closed;
  t.is(cursor.offset, journal.entries.at(-2)!.offset + 1);
  t.is(broker.statuses.at(-1)!.state, 'offline');
  t.is(uplink.state.name, 'closed');
});

test('a PUBACK that says no ends the connection, moves nothing, and the pauses grow', async t => {
  const { broker, journal, cursor, clock, log, uplink } = setUp();
  fill(journal, 5);
  uplink.start();
  await settle();
  const pauses: number[] = [];
  for (let i = 0; i < 5; i++) {
    broker.sent[0].acknowledge(new Error('Publish error: Not authorized'));
    await settle();
    t.is(uplink.state.name, 'waiting');
    t.is(broker.statuses.at(-1)!.state, 'offline');
    t.is(uplink.state.fault?.code, 'publish-refused');
    t.regex(uplink.state.fault!.message, /sealed: Publish error: Not authorized/);
    pauses.push(uplink.state.pauseMs);
    await clock.pass(uplink.state.pauseMs + 1);
    await settle();
  }
  t.is(cursor.offset, 0);
  t.is(broker.ended, 5);
  t.deepEqual(
    log.lines.filter(line => line.startsWith('uplink-waiting')),
    ['uplink-waiting publish-refused'],
  );
  for (let i = 0; i < 5; i++) t.true(pauses[i] >= 500 * 2 ** i && pauses[i] <= 1000 * 2 ** i, String(pauses));
  broker.sent[0].acknowledge();
  await settle();
  t.is(uplink.state.fault, undefined);
});

test('a broker that refuses or goes away is told in the state, without the password, and tried again', async t => {
  const { broker, journal, clock, uplink } = setUp();
  broker.refusals = [new Fault('broker-refused', 'no'), new Fault('broker-unreachable', 'away')];
  fill(journal, 3);
  uplink.start();
  await settle();
  t.is(uplink.state.fault?.code, 'broker-refused');
  t.is(uplink.state.broker, 'mqtt://broker:1883');
  await clock.pass(1001);
  await settle();
  t.is(uplink.state.fault?.code, 'broker-unreachable');
  t.is(uplink.state.attempts, 2);
  broker.automatic = true;
  await clock.pass(2001);
  await settle();
  t.is(uplink.state.name, 'online');
  t.true(uplink.state.drained);
  t.is(uplink.state.fault, undefined);
  const { will, cleanStart } = broker.connects[0];
  t.true(cleanStart);
  t.true(will!.retain);
  t.is(will!.topic, 'sovereign/1/cellar/gateway/gw/status');
  t.deepEqual(JSON.parse(Buffer.from(will!.payload).toString()), {
    gateway: 'gw',
    site: 'cellar',
    state: 'offline',
  });
});

test('what was not acknowledged before a drop is sent again from there, in order', async t => {
  const { broker, journal, clock, uplink } = setUp();
  fill(journal, 30);
  uplink.start();
  await settle();
  for (const index of [0, 1, 3, 4]) broker.sent[index].acknowledge();
  await settle();
  const before = broker.sent;
  broker.drop();
  await clock.pass(1001);
  await settle();
  t.is(broker.sent[0].message.payload, before[2].message.payload);
  // A late PUBACK of the old connection means nothing.
  before[2].acknowledge();
  await settle();
  t.is(uplink.state.cursor, 3);
});

test('status: at connect, when the backlog is gone, every 10 s; a broker that goes silent is left', async t => {
  const { broker, journal, clock, uplink } = setUp();
  fill(journal, 15);
  uplink.start();
  await settle();
  t.like(broker.statuses[0], { state: 'online', gateway: 'gw', site: 'cellar', drained: false, cursor: 0 });
  t.is(broker.statuses[0].head, journal.durableOffset);
  broker.automatic = true;
  for (const sent of broker.sent) sent.acknowledge();
  await settle();
  t.is(broker.statuses.length, 2);
  t.like(broker.statuses[1], { drained: true, cursor: journal.entries.at(-1)!.offset + 1 });
  await clock.pass(10_001);
  t.is(broker.statuses.length, 3);
  broker.automatic = false;
  fill(journal, 1, new TestDevice(2));
  for (let i = 0; i < 8 && uplink.state.name === 'online'; i++) await clock.pass(10_001);
  t.is(uplink.state.name, 'online'); // statuses are acknowledged
});

test('the replay limit holds a backlog back, not what comes in', async t => {
  const { broker, journal, clock, uplink } = setUp({ replayPerSecond: 100 });
  broker.automatic = true;
  const device = new TestDevice(1);
  fill(journal, 400, device);
  uplink.start();
  await settle();
  t.true(uplink.state.published <= 20, String(uplink.state.published));
  await clock.pass(2000, 10);
  const { published } = uplink.state;
  t.true(published >= 190 && published <= 230, String(published));
  await clock.pass(4000, 10);
  await settle();
  t.is(uplink.state.published, 400);
  for (let i = 0; i < 50; i++) {
    fill(journal, 1, device);
    await settle();
  }
  t.true(uplink.state.drained);
});
