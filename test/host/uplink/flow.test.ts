/** What people tell the uplink: pause, resume, hurry; and how fast it says to be. */
import test from 'ava';
import { Fault } from '../../../host/fault.js';
import { Drain } from '../../../host/uplink/drain.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeBroker } from './fake-broker.js';
import { anyRandom, FakeCursor, FakeJournal, TestDevice, TestLog } from './support.js';

function setUp(more: Partial<UplinkOptions> = {}) {
  const broker = new FakeBroker();
  broker.automatic = true;
  const journal = new FakeJournal();
  const clock = new FakeClock();
  const ports = { broker, journal, cursor: new FakeCursor(), clock, random: anyRandom, log: new TestLog() };
  const url = 'mqtt://broker:1883';
  const uplink = new Uplink(ports, {
    broker: { url, protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 1000 },
    site: 'cellar',
    gateway: 'gw',
    window: 10,
    replayPerSecond: 0,
    readingTopic: false,
    ...more,
  });
  return { broker, journal, clock, uplink };
}

const settle = async () => {
  for (let i = 0; i < 50; i++) await new Promise(resolve => setImmediate(resolve));
};

const device = new TestDevice(1);
const fill = (journal: FakeJournal, count: number) =>
  journal.add(...Array.from({ length: count }, () => device.entry()));

test('while it is paused only the status is published; then everything, in order', async t => {
  const { broker, journal, clock, uplink } = setUp();
  uplink.start();
  fill(journal, 5);
  await settle();
  t.is(broker.sent.length, 5);
  uplink.pause();
  fill(journal, 50);
  const said = broker.statuses.length;
  await clock.pass(30_000, 1000);
  await settle();
  t.is(broker.sent.length, 5);
  t.true(broker.statuses.length > said);
  t.like(broker.statuses.at(-1), { state: 'online', drained: false });
  t.like(uplink.state, { name: 'online', paused: true, drained: false });
  t.true(uplink.state.backlog >= 50);
  uplink.resume();
  await settle();
  t.is(broker.sent.length, 55);
  t.like(uplink.state, { paused: false, drained: true });
  t.is(uplink.state.backlog, 0);
});

test('a pause outlives the connection', async t => {
  const { broker, journal, clock, uplink } = setUp();
  uplink.start();
  await settle();
  uplink.pause();
  broker.drop();
  await clock.pass(5000, 500);
  fill(journal, 5);
  await settle();
  t.is(uplink.state.name, 'online');
  t.is(broker.sent.length, 0);
  uplink.resume();
  await settle();
  t.is(broker.sent.length, 5);
});

test('hurry lifts the limit of the backlog until nothing is left of it', async t => {
  const { broker, journal, clock, uplink } = setUp({ replayPerSecond: 2 });
  fill(journal, 200);
  uplink.start();
  await settle();
  await clock.pass(3000, 100);
  const slow = broker.sent.length;
  t.true(slow < 20, `${slow}`);
  uplink.hurry();
  await settle();
  t.is(broker.sent.length, 200);
  t.true(uplink.state.drained);
  fill(journal, 200);
  await settle();
  t.true(broker.sent.length < 200 + 20, 'the limit holds again');
});

test('hurry does not wait for the next attempt, and makes the pauses short again', async t => {
  const { broker, clock, uplink } = setUp();
  for (let i = 0; i < 100; i++) broker.refusals.push(new Fault('broker-unreachable', 'away'));
  uplink.start();
  await settle();
  for (let i = 0; i < 8; i++) await clock.pass(60_000, 30_000);
  const attempts = broker.connects.length;
  t.true(uplink.state.pauseMs > 10_000);
  broker.refusals = [new Fault('broker-unreachable', 'away')];
  uplink.hurry();
  await settle();
  t.is(broker.connects.length, attempts + 1);
  t.true(uplink.state.pauseMs <= 1000);
  await clock.pass(1000, 500);
  await settle();
  t.is(uplink.state.name, 'online');
  uplink.hurry();
  await settle();
  t.is(broker.connects.length, attempts + 2);
});

test('the rate is of the last ten seconds, and the time to drained follows from what goes and what comes', t => {
  const clock = new FakeClock();
  const drain = new Drain(clock);
  t.is(drain.ratePerSecond, 0);
  t.is(drain.secondsFor(100), undefined);
  for (let second = 0; second < 20; second++) {
    drain.published(50);
    drain.arrived(10);
    clock.advance(1000);
  }
  t.true(Math.abs(drain.ratePerSecond - 50) <= 5, `${drain.ratePerSecond}`);
  t.true(Math.abs(drain.secondsFor(4000)! - 100) <= 12, `${drain.secondsFor(4000)}`);
  clock.advance(60_000);
  t.is(drain.ratePerSecond, 0);
  t.is(drain.secondsFor(100), undefined);
  drain.arrived(1000);
  drain.published(10);
  t.is(drain.secondsFor(100), undefined);
});
