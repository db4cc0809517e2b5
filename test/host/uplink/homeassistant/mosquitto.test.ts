import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mqttBroker } from '../../../../host/node/broker.js';
import { Book } from '../../../../host/uplink/homeassistant/book.js';
import { HomeAssistant } from '../../../../host/uplink/homeassistant/home-assistant.js';
import type { UplinkOptions } from '../../../../host/uplink/types.js';
import { Uplink } from '../../../../host/uplink/uplink.js';
import { MemoryStorage } from '../../../fuzz/memory-storage.js';
import { Mosquitto } from '../../../support/brokers.js';
import { needsJinja } from '../../../support/jinja.js';
import { needs } from '../../../support/needs.js';
import { FakeCursor, FakeJournal, realClock, TestLog, until } from '../support.js';
import { Listener } from './listener.js';
import { shown } from './shown.js';
import { NAMES, SaidDevice, TestKeyring } from './support.js';

async function site(t: ExecutionContext, protocol: '5' | '3.1.1' = '5', more: Partial<UplinkOptions> = {}) {
  const broker = await Mosquitto.start(['max_queued_messages 0']);
  t.teardown(() => broker.stop());
  const journal = new FakeJournal();
  const keyring = new TestKeyring();
  const log = new TestLog();
  const storage = new MemoryStorage();
  const begin = async (off = false) => {
    const book = await Book.open(storage, log, '/data');
    const random = { fill: (target: Uint8Array) => void target.fill(0) };
    const shared = { clock: realClock, random, log };
    const home = new HomeAssistant({ ...shared, keyring, book }, { names: NAMES, version: '1.0.0', off });
    journal.onDurable(batch => home.observe(batch));
    const uplink = new Uplink(
      { ...shared, broker: mqttBroker, journal, cursor: new FakeCursor(), companion: home },
      {
        broker: { url: broker.url, protocol, keepAliveSeconds: 30, connectTimeoutMs: 2000 },
        site: 'cellar',
        gateway: 'gw',
        window: 100,
        replayPerSecond: 0,
        readingTopic: true,
        statusEveryMs: 500,
        minBackoffMs: 50,
        maxBackoffMs: 200,
        ...more,
      },
    );
    const end = async () => {
      await uplink.close();
      await home.close();
    };
    t.teardown(end);
    return { uplink, home, end };
  };
  return { broker, journal, keyring, log, begin };
}

for (const protocol of ['5', '3.1.1'] as const)
  for (const order of ['oldest-first', 'live-first'] as const)
    test(`a backlog drains ${order} on MQTT ${protocol}, and what is shown is of now, at once`, async t => {
      if (!needs(t, 'mosquitto')) return;
      const { broker, journal, keyring, begin } = await site(t, protocol, { order, replayPerSecond: 250 });
      const probe = new SaidDevice(1);
      keyring.set(probe.id, 'probe');
      const dayMs = 86_400_000;
      for (let n = 0; n < 1500; n++)
        journal.add(probe.says({ 'temperature Cel': n }, Date.now() - dayMs + n * 10_000));
      const heard = await Listener.on(
        t,
        broker.url,
        'sovereign/1/cellar/+/state',
        'sovereign/1/cellar/+/reading/#',
      );
      const { uplink } = await begin();
      uplink.start();
      await until(() => uplink.state.published > 0, 'a drain that has begun');
      journal.add(probe.says({ 'temperature Cel': -1 }, Date.now()));
      const topic = `sovereign/1/cellar/${probe.id}/state`;
      await until(() => heard.topics.has(topic), 'what it says');
      t.false(uplink.state.drained, 'the drain goes on');
      await until(() => uplink.state.drained, 'the drain');
      await until(() => heard.lines.filter(line => line.includes('/reading')).length >= 1501, 'all readings');
      const states = heard.lines
        .filter(line => line.startsWith(topic))
        .map(line => JSON.parse(line.split(' ')[1]!));
      t.deepEqual(
        states.map(({ values }) => values),
        [{ temperature: -1 }],
      );
    });

test('retained for a Home Assistant that starts later; unavailable when the gateway is cut off', async t => {
  if (!needs(t, 'mosquitto') || !needsJinja(t)) return;
  const { broker, journal, keyring, begin } = await site(t);
  const probe = new SaidDevice(1);
  keyring.set(probe.id, 'probe');
  const { uplink, end } = await begin();
  uplink.start();
  await until(() => uplink.state.name === 'online', 'the broker');
  journal.add(probe.says({ 'temperature Cel': 20.5, 'gate/door': false }, Date.now()));
  const early = await Listener.on(t, broker.url, '#');
  await until(() => early.topics.has(`sovereign/1/cellar/${probe.id}/state`), 'what it says');
  const late = await Listener.on(t, broker.url, 'homeassistant/device/#', 'sovereign/1/#');
  await until(() => late.topics.size >= 5, 'what is retained');
  t.like(shown(late.topics).probe, { Temperature: '20.5', 'Gate door': 'off' });
  t.like(shown(late.topics)['Gateway gw'], { Uplink: 'on', Backlog: '0' });

  // It is told again when it says that it is there.
  const before = early.lines.length;
  early.say('homeassistant/status', 'online');
  const config = `homeassistant/device/sovereign_${probe.id}/config`;
  await until(() => early.lines.slice(before).some(line => line.startsWith(config)), 'a new announcement');

  await end();
  await until(
    () => late.topics.get('sovereign/1/cellar/gateway/gw/status')?.includes('offline') === true,
    'offline',
  );
  t.like(shown(late.topics).probe, { Temperature: 'unavailable', 'Gate door': 'unavailable' });
  t.like(shown(late.topics)['Gateway gw'], { Uplink: 'off', Backlog: 'unavailable' });

  // Turned off, everything of it goes, for those who come later too.
  const { uplink: last } = await begin(true);
  last.start();
  await until(
    () =>
      [...late.topics.keys()].every(
        topic => topic.endsWith('/gateway/gw/status') || /\/(reading|sealed)$/.test(topic),
      ),
    'an empty place',
  );
  const empty = await Listener.on(t, broker.url, 'homeassistant/#', 'sovereign/1/#');
  await until(() => empty.topics.size > 0, 'the status');
  t.deepEqual([...empty.topics.keys()], ['sovereign/1/cellar/gateway/gw/status']);
});

test('a broker that forbids all of it gets the readings all the same', async t => {
  if (!needs(t, 'mosquitto')) return;
  const { broker, journal, keyring, log, begin } = await site(t);
  const rules = join(broker.directory, 'acl');
  await writeFile(
    rules,
    'topic readwrite sovereign/1/cellar/+/sealed\ntopic readwrite sovereign/1/cellar/+/reading\ntopic readwrite sovereign/1/cellar/gateway/gw/status\n',
  );
  await broker.kill('SIGTERM');
  await broker.configure([`acl_file ${rules}`]);
  await broker.run();
  const probe = new SaidDevice(1);
  keyring.set(probe.id, 'probe');
  const { uplink } = await begin();
  uplink.start();
  await until(() => uplink.state.name === 'online', 'the broker');
  for (let n = 0; n < 200; n++) journal.add(probe.says({ 'temperature Cel': n }, Date.now()));
  await until(() => uplink.state.published === 200 && uplink.state.drained, 'all readings');
  await until(() => log.lines.some(line => line.startsWith('uplink-status-refused')), 'a word of it');
  t.is(uplink.state.fault, undefined);
});

test('a broker that closes the connection over it has all readings, without it', async t => {
  if (!needs(t, 'mosquitto')) return;
  const { broker, journal, keyring, log, begin } = await site(t);
  const rules = join(broker.directory, 'acl');
  await writeFile(rules, 'topic readwrite sovereign/#\n');
  await broker.kill('SIGTERM');
  // Mosquitto 2.0 takes 0 for less than none when it has forbidden something, and closes.
  await broker.configure(['max_queued_messages 0', `acl_file ${rules}`]);
  await broker.run();
  const probe = new SaidDevice(1);
  keyring.set(probe.id, 'probe');
  const { uplink } = await begin();
  uplink.start();
  const connections = () => log.lines.filter(line => line === 'uplink-online').length;
  for (let n = 0; n < 200; n++) journal.add(probe.says({ 'temperature Cel': n }, Date.now()));
  await until(() => uplink.state.published >= 200 && uplink.state.drained, 'all readings');
  let steadyAt = Date.now();
  let before = connections();
  await until(() => {
    if (connections() !== before || uplink.state.name !== 'online') {
      before = connections();
      steadyAt = Date.now();
    }
    return Date.now() - steadyAt > 2500;
  }, 'a connection that lasts');
  t.true(before <= 6, log.lines.join());
});
