import test from 'ava';
import { Book } from '../../../../host/uplink/homeassistant/book.js';
import { View } from '../../../../host/uplink/homeassistant/view.js';
import { needsJinja } from '../../../support/jinja.js';
import { shown } from './shown.js';
import { NAMES, Rig, SaidDevice } from './support.js';

const STATE = '/state';
const values = (states: string[]) => states.map(text => JSON.parse(text).values);

async function began(): Promise<{ rig: Rig; probe: SaidDevice }> {
  const rig = new Rig();
  const probe = new SaidDevice(1);
  rig.keyring.set(probe.id, 'probe');
  (await rig.start()).connect();
  return { rig, probe };
}

test('a device that is heard is shown with what it says, record by record', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { reason: 'power-on', firmware: '1.2' });
  rig.says(probe, { 'air/temperature Cel': 21.5, 'air/humidity %RH': 40 });
  rig.says(probe, { press: true });
  await rig.pass(2000);
  if (!needsJinja(t)) return;
  t.like(shown(rig.retained).probe, {
    'Air temperature': 'unavailable', // no word of the gateway yet
  });
  rig.retained.set('sovereign/1/cellar/gateway/gw/status', '{"state":"online"}');
  t.deepEqual(shown(rig.retained).probe, {
    'Last reading': new Date(rig.clock.now() - 2000).toISOString(),
    Reason: 'power-on',
    Firmware: '1.2',
    'Air temperature': '21.5',
    'Air humidity': '40',
    Press: 'on',
  });
  t.is(
    JSON.parse(rig.retained.get(`homeassistant/device/sovereign_${probe.id}/config`)!).device.sw_version,
    '1.2',
  );
  rig.retained.set('sovereign/1/cellar/gateway/gw/status', '{"state":"offline"}');
  const states = shown(rig.retained);
  t.deepEqual(new Set(Object.values(states.probe!)), new Set(['unavailable']));
  t.is(states['Gateway gw']!.Uplink, 'off');
});

test('a source that fails has no value until it is mended', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'air/temperature Cel': 21.5, 'air/humidity %RH': 40, 'airport Cel': 7 });
  await rig.pass(2000);
  rig.says(probe, { 'air/fault': 'no-answer', 'air/failures count': 1 });
  await rig.pass(2000);
  rig.says(probe, {
    'air/temperature Cel': 22,
    'air/humidity %RH': 41,
    'air/fault': 'none',
    'air/outage s': 30,
  });
  await rig.pass(2000);
  t.deepEqual(values(rig.since(STATE)), [
    { 'air/temperature': 21.5, 'air/humidity': 40, airport: 7 },
    {
      'air/temperature': null,
      'air/humidity': null,
      airport: 7,
      'air/fault': 'no-answer',
      'air/failures': 1,
    },
    {
      'air/temperature': 22,
      'air/humidity': 41,
      airport: 7,
      'air/fault': 'none',
      'air/failures': 1,
      'air/outage': 30,
    },
  ]);
});

test('a device that catches up does not run through its past: one step, to what is of now', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(3000);
  t.is(rig.since(STATE).length, 1);
  // An hour of readings, in twenty seconds.
  for (let minute = 60; minute > 0; minute--) {
    rig.says(probe, { 'temperature Cel': 100 + minute }, minute * 60_000 + 1000);
    await rig.pass(350);
  }
  t.deepEqual(rig.since(STATE), []);
  rig.says(probe, { 'temperature Cel': 2 });
  await rig.pass(2000);
  t.deepEqual(values(rig.since(STATE)), [{ temperature: 2 }]);
});

test('what came late is shown once nothing newer comes', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 }, 7_200_000);
  rig.says(probe, { 'temperature Cel': 2 }, 3_600_000);
  await rig.pass(4000);
  t.deepEqual(rig.since(STATE), []);
  await rig.pass(3000);
  t.deepEqual(values(rig.since(STATE)), [{ temperature: 2 }]);
});

test('a clock that is set wrong does not hold anything back for long', async t => {
  const { rig, probe } = await began();
  for (let second = 0; second < 30; second++) {
    rig.says(probe, { 'temperature Cel': second }, 7_200_000);
    await rig.pass(1000);
  }
  const seen = values(rig.since(STATE)).map(({ temperature }) => temperature);
  t.true(seen.length >= 2 && seen.length < 30, String(seen));
  t.true(seen[0] <= 12 && seen.at(-1) >= 18, String(seen));
});

test('a device that sends a hundred readings a second is shown once a second', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': -1 });
  await rig.pass(2000);
  rig.since(STATE);
  for (let n = 0; n < 500; n++) {
    rig.says(probe, { 'temperature Cel': n });
    await rig.pass(10);
  }
  await rig.pass(2000);
  const seen = values(rig.since(STATE)).map(({ temperature }) => temperature);
  t.true(seen.length >= 5 && seen.length <= 8, String(seen));
  t.is(seen.at(-1), 499);
});

test('a silent device becomes unavailable, and available when it is heard again', async t => {
  const { rig, probe } = await began();
  const topic = `sovereign/1/cellar/gateway/gw/available/${probe.id}`;
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  t.is(rig.retained.get(topic), 'online');
  await rig.pass(180_000);
  t.is(rig.retained.get(topic), 'online');
  await rig.pass(15_000);
  t.is(rig.retained.get(topic), 'offline');
  rig.says(probe, { 'temperature Cel': 2 });
  await rig.pass(2000);
  t.is(rig.retained.get(topic), 'online');
});

test('a sensor of sovereign-sdk may be quiet', async t => {
  const { rig, probe } = await began();
  const sdk = { node: 'n', key: new Uint8Array(32), allowReset: false };
  rig.keyring.set(probe.id, 'probe', { sdk });
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(600_000);
  t.is(rig.retained.get(`sovereign/1/cellar/gateway/gw/available/${probe.id}`), 'online');
});

test('a Home Assistant that starts is told again, after a moment, and once', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  rig.published = [];
  t.deepEqual(rig.home.topics, ['homeassistant/status']);
  for (const payload of ['offline', 'online', 'online'])
    rig.home.message('homeassistant/status', Buffer.from(payload));
  await rig.pass(900);
  t.deepEqual(rig.published, []);
  await rig.pass(10_000);
  t.deepEqual(
    rig.published.map(line => line.split(' ')[0]),
    [
      'homeassistant/device/sovereign_cellar_gw/config',
      `homeassistant/device/sovereign_${probe.id}/config`,
      `sovereign/1/cellar/gateway/gw/available/${probe.id}`,
      `sovereign/1/cellar/${probe.id}/state`,
    ],
  );
});

test('a device that was removed is taken away, also when the broker was out of reach, also after a restart', async t => {
  const { rig, probe } = await began();
  const other = new SaidDevice(2);
  rig.keyring.set(other.id, 'other');
  rig.says(probe, { 'temperature Cel': 1 });
  rig.says(other, { 'temperature Cel': 2 });
  await rig.pass(2000);
  t.is(rig.retained.size, 7);
  rig.disconnect();
  rig.keyring.delete(probe.id);
  await rig.pass(12_000);
  rig.keyring.delete(other.id);
  await rig.stop();
  (await rig.start()).connect();
  await rig.pass(3000);
  t.deepEqual([...rig.retained.keys()], ['homeassistant/device/sovereign_cellar_gw/config']);
  rig.published = [];
  rig.disconnect();
  rig.connect();
  await rig.pass(3000);
  t.deepEqual(rig.since(''), [rig.retained.get('homeassistant/device/sovereign_cellar_gw/config')!]);
});

test('turned off: everything is taken away, and then the file too', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  await rig.stop();
  (await rig.start(true)).connect();
  t.deepEqual(rig.home.topics, []);
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(5000);
  t.deepEqual([...rig.retained.keys()], []);
  t.deepEqual([...rig.storage.files.keys()], []);
});

test('another prefix: what stands under the old one goes', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  await rig.stop();
  rig.names = { ...NAMES, prefix: 'ha' };
  (await rig.start()).connect();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  t.deepEqual([...rig.retained.keys()].filter(topic => topic.endsWith('config')).sort(), [
    'ha/device/sovereign_0101010101010101/config',
    'ha/device/sovereign_cellar_gw/config',
  ]);
});

test('a gateway that was restored from another takes away what that one has left', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  await rig.stop();
  rig.names = { ...NAMES, gateway: 'gw-2' };
  rig.storage.files.clear();
  (await rig.start(false, ['gw'])).connect();
  rig.says(probe, { 'temperature Cel': 2 });
  await rig.pass(2000);
  t.deepEqual([...rig.retained.keys()].sort(), [
    `homeassistant/device/sovereign_${probe.id}/config`,
    'homeassistant/device/sovereign_cellar_gw-2/config',
    `sovereign/1/cellar/${probe.id}/state`,
    `sovereign/1/cellar/gateway/gw-2/available/${probe.id}`,
  ]);
});

test('after a restart a device is announced with all its records, whichever comes first', async t => {
  const { rig, probe } = await began();
  rig.says(probe, { 'temperature Cel': 1, press: true, firmware: '1.2' });
  await rig.pass(2000);
  const topic = `homeassistant/device/sovereign_${probe.id}/config`;
  const before = rig.retained.get(topic);
  await rig.stop();
  rig.retained.clear();
  (await rig.start()).connect();
  await rig.pass(2000);
  t.false(rig.retained.has(topic)); // Another gateway may speak for it by now.
  rig.says(probe, { press: false });
  await rig.pass(2000);
  t.is(rig.retained.get(topic), before);
});

test('a new name, a record of another kind, more records than anybody looks at', async t => {
  const { rig, probe } = await began();
  const config = () => JSON.parse(rig.retained.get(`homeassistant/device/sovereign_${probe.id}/config`)!);
  rig.says(probe, { level: 3 });
  await rig.pass(2000);
  rig.keyring.set(probe.id, 'tank');
  rig.says(probe, { level: true });
  await rig.pass(12_000);
  t.is(config().device.name, 'tank');
  t.deepEqual(config().components.level, { platform: 'sensor' });
  t.is(config().components.level_flag.platform, 'binary_sensor');
  for (let n = 0; n < 100; n += 10) {
    rig.says(probe, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`r${n + i}`, n + i])));
    await rig.pass(2000);
  }
  t.is(Object.keys(config().components).length, 64 + 2);
});

test('a text that is longer than people read costs its record alone, and not the book', async t => {
  const { rig, probe } = await began();
  const view = new View(probe.id);
  const long = 'x'.repeat(3000); // as an envelope can hold it, and no file of ours
  const records = [
    { n: long, v: 1 },
    { n: 'level', u: long, v: 2 },
    { n: 'firmware', vs: long },
    { n: 'door', vb: true },
  ];
  t.true(view.take(probe.says({ door: true }, 1), { unixMs: 1, records }));
  t.deepEqual([...view.forms.keys()], ['firmware', 'door']);
  const book = await Book.open(rig.storage, rig.log, '/data');
  book.put(probe.id, { ...view, topics: [] });
  await book.save();
  t.is((await Book.open(rig.storage, rig.log, '/data')).devices.get(probe.id)?.firmware?.length, 256);
});

test('nothing is announced that could not be taken away: a disk that is full', async t => {
  const { rig, probe } = await began();
  await rig.pass(2000);
  const { storage } = rig;
  const open = storage.open.bind(storage);
  storage.open = () => Promise.reject(new Error('ENOSPC'));
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(5000);
  t.deepEqual([...rig.retained.keys()], ['homeassistant/device/sovereign_cellar_gw/config']);
  t.is(rig.log.lines.filter(line => line.startsWith('homeassistant-book-not-saved')).length, 1);
  storage.open = open;
  await rig.pass(2000);
  t.is(rig.retained.size, 4);
});

test('a file that rotted is said, and begun anew', async t => {
  for (const text of [
    '{',
    '{"format":2}',
    '{"format":1,"devices":{"x":{"records":[[1]],"topics":[]}},"remove":[]}',
  ]) {
    const rig = new Rig();
    rig.storage.files.set('/data/homeassistant.json', Buffer.from(text));
    (await rig.start()).connect();
    t.deepEqual(rig.log.lines, ['homeassistant-book-unreadable']);
    await rig.pass(2000);
    t.deepEqual([...rig.retained.keys()], ['homeassistant/device/sovereign_cellar_gw/config']);
    await rig.stop();
  }
});

test('a broker that takes only short packets is sent nothing longer', async t => {
  const rig = new Rig();
  const probe = new SaidDevice(1);
  rig.keyring.set(probe.id, 'probe');
  (await rig.start()).connect(1024);
  rig.says(probe, { 'temperature Cel': 1 });
  await rig.pass(2000);
  t.deepEqual(
    [...rig.retained.keys()],
    [`sovereign/1/cellar/gateway/gw/available/${probe.id}`, `sovereign/1/cellar/${probe.id}/state`],
  );
  t.true(rig.log.lines.some(line => line.startsWith('homeassistant-too-long')));
});
