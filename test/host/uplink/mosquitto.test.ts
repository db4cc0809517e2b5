import { writeFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { mqttBroker } from '../../../host/node/broker.js';
import type { BrokerSession } from '../../../host/ports.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { Mosquitto, startAedes } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';
import { anyRandom, FakeCursor, FakeJournal, realClock, TestDevice, TestLog, until } from './support.js';

type Protocol = '5' | '3.1.1';

interface Heard {
  topic: string;
  payload: Buffer;
}

/** A subscriber with a session that the broker keeps. */
async function listen(
  url: string,
  protocol: Protocol,
  heard: Heard[],
  id = 'listener',
): Promise<BrokerSession> {
  const session = await mqttBroker.connect(
    { url, clientId: id, protocol, keepAliveSeconds: 30, connectTimeoutMs: 5000, cleanStart: false },
    {
      message: async (topic, payload) => void heard.push({ topic, payload: Buffer.from(payload) }),
      closed: () => {},
    },
  );
  await session.subscribe(['sovereign/1/#']);
  return session;
}

function uplinkTo(
  t: ExecutionContext,
  url: string,
  protocol: Protocol,
  journal: FakeJournal,
  cursor: FakeCursor,
  more: Partial<UplinkOptions> = {},
) {
  const log = new TestLog();
  const ports = { broker: mqttBroker, journal, cursor, clock: realClock, random: anyRandom, log };
  const uplink = new Uplink(ports, {
    broker: { url, protocol, keepAliveSeconds: 30, connectTimeoutMs: 2000 },
    site: 'cellar',
    gateway: 'gw',
    window: 50,
    replayPerSecond: 0,
    readingTopic: false,
    statusEveryMs: 500,
    minBackoffMs: 50,
    maxBackoffMs: 200,
    ...more,
  });
  t.teardown(() => uplink.close());
  return { uplink, log };
}

const sealed = (heard: Heard[]) => heard.filter(({ topic }) => topic.endsWith('/sealed'));
const statuses = (heard: Heard[]) =>
  heard.filter(({ topic }) => topic.endsWith('/status')).map(({ payload }) => JSON.parse(payload.toString()));

const PLACES: [string, Protocol, () => Promise<{ url: string; stop(): Promise<void> }>][] = [
  ['mosquitto, MQTT 5', '5', () => Mosquitto.start(['max_queued_messages 0'])],
  ['mosquitto, MQTT 3.1.1', '3.1.1', () => Mosquitto.start(['max_queued_messages 0'])],
  ['aedes, MQTT 3.1.1', '3.1.1', startAedes],
];

for (const [name, protocol, start] of PLACES) {
  test(`${name}: every reading arrives, the same bytes, in each device’s order, with status and SenML`, async t => {
    if (name.startsWith('mosquitto') && !needs(t, 'mosquitto')) return;
    const broker = await start();
    t.teardown(() => broker.stop());
    const heard: Heard[] = [];
    const listener = await listen(broker.url, protocol, heard);
    const journal = new FakeJournal();
    const cursor = new FakeCursor();
    const devices = [1, 2, 3].map(number => new TestDevice(number));
    for (let i = 0; i < 600; i++) journal.add(devices[i % 3].entry(i));
    const { uplink } = uplinkTo(t, broker.url, protocol, journal, cursor, { readingTopic: true });
    uplink.start();
    const arrived = (kind: string) => heard.filter(({ topic }) => topic.endsWith(kind)).length;
    const all = () => arrived('/sealed') >= 600 && arrived('/reading') >= 600;
    await until(() => uplink.state.drained && all(), 'a drained journal');
    for (const { id } of devices) {
      const wanted = journal.entries.flatMap(e => (e.kind === 'reading' && e.device === id ? [e.bytes] : []));
      const got = heard.filter(({ topic }) => topic === `sovereign/1/cellar/${id}/sealed`);
      t.deepEqual(
        got.map(({ payload }) => payload.toString('hex')),
        wanted.map(bytes => Buffer.from(bytes).toString('hex')),
      );
    }
    const reading = heard.find(({ topic }) => topic.endsWith('/reading'))!;
    t.deepEqual(JSON.parse(reading.payload.toString()), [
      { bn: '0101010101010101:', bt: 1_780_000_000, n: 'temperature', u: 'Cel', v: 0 },
    ]);
    await until(() => statuses(heard).at(-1)?.drained === true, 'a status that says drained');
    await until(() => cursor.offset === uplink.state.cursor, 'the cursor');
    t.is(cursor.offset, journal.entries.at(-1)!.offset + 1);

    // Retained, and offline when it goes.
    const late: Heard[] = [];
    const other = await listen(broker.url, protocol, late, 'late');
    await until(() => late.length > 0, 'the retained status');
    t.like(statuses(late)[0], { state: 'online', gateway: 'gw', drained: true });
    await uplink.close();
    await until(() => statuses(late).at(-1).state === 'offline', 'offline');
    await other.end();
    await listener.end();
  });
}

for (const protocol of ['5', '3.1.1'] as const) {
  test(`mosquitto killed mid-window, MQTT ${protocol}: nothing is lost, and it goes on by itself`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start(['max_queued_messages 0']);
    t.teardown(() => broker.stop());
    const journal = new FakeJournal();
    const cursor = new FakeCursor();
    const device = new TestDevice(1);
    for (let i = 0; i < 3000; i++) journal.add(device.entry(i));
    const { uplink, log } = uplinkTo(t, broker.url, protocol, journal, cursor);
    uplink.start();
    await until(() => uplink.state.published > 300, 'a beginning');
    await broker.kill('SIGKILL');
    const acknowledged = uplink.state.cursor;
    t.true(acknowledged < journal.durableOffset);
    await until(() => uplink.state.name === 'waiting' && uplink.state.attempts > 1, 'a second attempt');
    t.regex(uplink.state.fault!.code, /^broker-(unreachable|lost)$/);
    await broker.run();
    const heard: Heard[] = [];
    const listener = await listen(broker.url, protocol, heard);
    await until(() => uplink.state.drained, 'a drained journal');
    // What was acknowledged before the kill is the broker's to lose; all the rest must come.
    const rest = journal.entries.filter(entry => entry.offset >= acknowledged);
    const missing = () => {
      const got = new Set(sealed(heard).map(({ payload }) => payload.toString('hex')));
      return rest.filter(e => e.kind === 'reading' && !got.has(Buffer.from(e.bytes).toString('hex'))).length;
    };
    await until(() => heard.length >= 1 && uplink.state.drained, 'messages');
    // The listener may have come after the first of them: publish those again through a new uplink.
    if (missing() > 0) {
      await uplink.close();
      const again = uplinkTo(t, broker.url, protocol, journal, new FakeCursor(acknowledged));
      again.uplink.start();
      await until(() => again.uplink.state.drained && missing() === 0, 'the rest');
    }
    t.is(missing(), 0);
    t.true(log.lines.filter(line => line.startsWith('uplink-waiting')).length <= 3);
    await listener.end();
  });
}

test('mosquitto refuses a topic (MQTT 5) and a password: told, not passed, and it goes on when that is mended', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start(['max_queued_messages 0']);
  t.teardown(() => broker.stop());
  await writeFile(`${broker.directory}/acl`, 'topic write sovereign/1/cellar/gateway/#\n');
  await broker.kill();
  await broker.configure([`acl_file ${broker.directory}/acl`]);
  await broker.run();
  const journal = new FakeJournal();
  const cursor = new FakeCursor();
  journal.add(new TestDevice(1).entry(), new TestDevice(2).entry());
  const { uplink, log } = uplinkTo(t, broker.url, '5', journal, cursor);
  uplink.start();
  await until(() => uplink.state.fault?.code === 'publish-refused', 'the refusal');
  await new Promise(resolve => setTimeout(resolve, 300));
  t.is(uplink.state.cursor, 0);
  t.is(cursor.offset, 0);
  t.is(log.lines.filter(line => line.endsWith('publish-refused')).length, 1);
  await broker.kill();
  await broker.configure(['allow_anonymous false']);
  await broker.run();
  await until(() => uplink.state.fault?.code === 'broker-refused', 'bad credentials');
  await broker.kill();
  await broker.configure([]);
  await broker.run();
  await until(() => uplink.state.drained, 'a drained journal');
  t.is(uplink.state.fault, undefined);
});

test('the will says offline when the gateway dies', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start(['max_queued_messages 0']);
  t.teardown(() => broker.stop());
  const heard: Heard[] = [];
  await listen(broker.url, '5', heard);
  const journal = new FakeJournal();
  // The same client id: the broker throws the first one out, as if its network had gone.
  const { uplink } = uplinkTo(t, broker.url, '5', journal, new FakeCursor(), {
    minBackoffMs: 60_000,
    maxBackoffMs: 60_000,
  });
  uplink.start();
  await until(() => statuses(heard).some(status => status.state === 'online'), 'online');
  const usurper = { url: broker.url, clientId: 'sovereign-gw', protocol: '5' as const };
  await mqttBroker.connect(
    { ...usurper, keepAliveSeconds: 30, connectTimeoutMs: 5000, cleanStart: true },
    { message: async () => {}, closed: () => {} },
  );
  await until(() => statuses(heard).at(-1).state === 'offline', 'the will');
  await until(() => uplink.state.name === 'waiting', 'the end');
  t.regex(uplink.state.fault!.message, /taken over|gone/);
});
