import test from 'ava';
import { MAX_RANGES } from '../../../host/journal/cursor.js';
import { payloadsOf } from '../../../host/journal/payload-sequence.js';
import type { BrokerMessage } from '../../../host/ports.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { FakeClock } from '../../support/fake-clock.js';
import { freshSeed, prng } from '../../support/prng.js';
import { FakeBroker } from './fake-broker.js';
import { anyRandom, FakeCursor, FakeJournal, TestDevice, TestLog } from './support.js';

const BATCH = 'sovereign/1/cellar/batch/gw';
const SEALED = 'sovereign/1/cellar/0101010101010101/sealed';

class World {
  readonly broker = new FakeBroker();
  readonly journal = new FakeJournal();
  readonly cursor = new FakeCursor();
  readonly clock = new FakeClock();
  readonly device = new TestDevice(1);
  readonly uplink: Uplink;

  constructor(more: Partial<UplinkOptions> = {}, protocol: '3.1.1' | '5' = '5') {
    const { broker, journal, cursor, clock } = this;
    this.uplink = new Uplink(
      { broker, journal, cursor, clock, random: anyRandom, log: new TestLog() },
      {
        broker: { url: 'mqtt://broker:1883', protocol, keepAliveSeconds: 30, connectTimeoutMs: 1000 },
        site: 'cellar',
        gateway: 'gw',
        window: 16,
        replayPerSecond: 0,
        readingTopic: false,
        minBackoffMs: 1,
        maxBackoffMs: 2,
        ...more,
      },
    );
  }

  fill(count: number): void {
    this.journal.add(...Array.from({ length: count }, () => this.device.entry()));
  }

  /** The offsets of the readings in a message. */
  offsets({ payload }: BrokerMessage): number[] {
    return [...payloadsOf(payload)].map(item => {
      const found = this.journal.entries.find(
        entry => entry.kind === 'reading' && Buffer.compare(entry.bytes, item as Uint8Array) === 0,
      );
      if (found === undefined) throw new Error('bytes that are none of the journal');
      return found.offset;
    });
  }
}

const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
};

for (const protocol of ['5', '3.1.1'] as const) {
  test(`MQTT ${protocol}, live-first: what comes in goes at once, what lay there beside it and marked`, async t => {
    const world = new World({ order: 'live-first' }, protocol);
    const { broker, journal, cursor, clock, uplink } = world;
    world.fill(100);
    const liveFrom = journal.durableOffset;
    uplink.start();
    await settle();
    // An eighth of the window is left for the new.
    t.is(broker.sent.length, 14);
    const marks = ({ message }: FakeBroker['sent'][number]) =>
      protocol === '5'
        ? message.userProperties?.historical === '1'
        : message.topic === `${SEALED}/historical`;
    t.true(broker.sent.every(marks));
    world.fill(1);
    await settle();
    t.is(broker.sent.length, 15);
    t.false(marks(broker.sent[14]));
    t.is(broker.sent[14].message.topic, SEALED);
    t.deepEqual(world.offsets(broker.sent[14].message), [journal.entries[100].offset]);
    broker.sent.splice(14, 1)[0].acknowledge();
    await clock.pass(1000, 100);
    t.is(cursor.offset, 0);
    t.deepEqual(cursor.ranges, [[liveFrom, journal.entries[100].offset + 1]]);
    t.is(uplink.state.cursor, 0);
    t.false(uplink.state.drained);
    broker.automatic = true;
    for (const { acknowledge } of broker.sent.splice(0)) acknowledge();
    await clock.pass(2000, 100);
    t.true(uplink.state.drained);
    t.deepEqual([cursor.offset, cursor.ranges], [journal.entries.at(-1)!.offset + 1, []]);
    t.is(uplink.state.published, 101);
    world.fill(3);
    await settle();
    t.false(broker.sent.slice(-3).some(marks));
  });
}

test('live-first: whatever is acknowledged and whenever the connection goes, the place is true and nothing is left out', async t => {
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  for (let round = 0; round < 25; round++) {
    const world = new World({ order: 'live-first', batch: random() < 0.5, cursorEveryMs: 1 });
    const { broker, journal, cursor, clock, uplink } = world;
    const acknowledged = new Set<number>();
    const check = () => {
      t.true(cursor.ranges.length <= MAX_RANGES);
      for (const { offset } of journal.entries) {
        const passed =
          offset < cursor.offset || cursor.ranges.some(([from, to]) => offset >= from && offset < to);
        if (passed && !acknowledged.has(offset))
          return t.fail(`seed ${seed}: ${offset} was not acknowledged`);
      }
      return undefined;
    };
    world.fill(Math.floor(random() * 200));
    uplink.start();
    let drops = 0;
    for (let step = 0; step < 150; step++) {
      await settle();
      const waiting = broker.sent.filter(sent => !taken.has(sent));
      for (const sent of waiting) {
        if (random() < 0.4) continue;
        taken.add(sent);
        for (const offset of world.offsets(sent.message)) acknowledged.add(offset);
        sent.acknowledge();
      }
      if (random() < 0.6) world.fill(Math.floor(random() * 30));
      if (random() < 0.15 && uplink.state.name === 'online') {
        drops++;
        broker.drop();
      }
      await clock.pass(5, 1);
      check();
    }
    const waiting = broker.sent.filter(sent => !taken.has(sent));
    broker.automatic = true;
    for (const sent of waiting) sent.acknowledge();
    await clock.pass(100, 1);
    await settle();
    await clock.pass(100, 1);
    t.true(uplink.state.drained, `seed ${seed}, ${drops} drops`);
    t.true(cursor.offset > (journal.entries.at(-1)?.offset ?? -1));
    t.deepEqual(cursor.ranges, []);
    const closed = uplink.close();
    await clock.pass(5000, 500);
    await closed;
  }
});

const taken = new WeakSet<object>();

test('oldest-first goes on from a place with ranges, and publishes none of them again', async t => {
  const world = new World();
  const { broker, journal, uplink, cursor, clock } = world;
  world.fill(60);
  const offset = (i: number) => journal.entries[i].offset;
  cursor.offset = offset(10);
  cursor.ranges = [
    [offset(20), offset(30)],
    [offset(40), offset(50)],
  ];
  const again = new Uplink(
    { broker, journal, cursor, clock, random: anyRandom, log: new TestLog() },
    {
      broker: { url: 'mqtt://broker:1883', protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 1000 },
      site: 'cellar',
      gateway: 'gw',
      window: 16,
      replayPerSecond: 0,
      readingTopic: false,
    },
  );
  void uplink;
  broker.automatic = true;
  again.start();
  await clock.pass(1000, 50);
  const expected = [...Array(60).keys()].filter(i => i >= 10 && !(i >= 20 && i < 30) && !(i >= 40 && i < 50));
  t.deepEqual(
    broker.sent.flatMap(({ message }) => world.offsets(message)),
    expected.map(offset),
  );
  t.deepEqual([cursor.offset, cursor.ranges], [journal.entries.at(-1)!.offset + 1, []]);
});

test('batches: a backlog goes many readings a message, in order, and the newest alone', async t => {
  const world = new World({ batch: true });
  const { broker, journal, uplink, clock } = world;
  world.fill(2000);
  broker.automatic = true;
  uplink.start();
  await clock.pass(1000, 10);
  const { sent } = broker;
  t.deepEqual(
    sent.flatMap(({ message }) => world.offsets(message)),
    journal.entries.map(({ offset }) => offset),
  );
  const batches = sent.filter(({ message }) => message.topic === BATCH);
  t.true(batches.length > 5 && batches.length < 40, `${batches.length}`);
  for (const { message } of batches) {
    t.true(message.payload.length <= 16 * 1024);
    t.is(message.contentType, 'application/cbor-seq');
  }
  t.true(sent.slice(-10).every(({ message }) => message.topic === SEALED));
  t.is(uplink.state.published, 2000);
  t.true(uplink.state.drained);
});

test('batches: the replay limit counts readings, the broker’s longest packet is respected, SenML still goes one by one', async t => {
  const world = new World({ batch: true, replayPerSecond: 100 });
  const { broker, uplink, clock } = world;
  broker.maxPacketBytes = 2048;
  world.fill(1000);
  broker.automatic = true;
  uplink.start();
  await clock.pass(5000, 10);
  const readings = broker.sent.reduce((sum, { message }) => sum + world.offsets(message).length, 0);
  t.true(readings >= 490 && readings <= 520, `${readings}`);
  t.true(broker.sent.every(({ message }) => message.payload.length <= 1024));
  await uplink.close();

  const both = new World({ batch: true, readingTopic: true });
  both.fill(300);
  both.broker.automatic = true;
  both.uplink.start();
  await both.clock.pass(1000, 10);
  const json = both.broker.sent.filter(({ message }) => message.topic.endsWith('/reading'));
  t.is(json.length, 300);
  t.true(both.uplink.state.drained);
});
