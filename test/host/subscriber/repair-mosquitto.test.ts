import { rm } from 'node:fs/promises';
import test from 'ava';
import { Mosquitto } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';
import { entries } from '../uplink/fetch-support.js';
import { TestDevice, until } from '../uplink/support.js';
import { hurried, journalled, places } from './repair-support.js';
import { subscribe, TestKeyring, temporaryDirectory } from './support.js';

const clock = hurried(20);

for (const protocol of ['5', '3.1.1'] as const) {
  test(`MQTT ${protocol}: the broker keeps fifty messages for an absent subscriber: the rest is fetched`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start(['max_queued_messages 50']);
    t.teardown(() => broker.stop());
    const devices = [1, 2, 3].map(number => new TestDevice(number));
    const keyring = new TestKeyring(...devices);
    const directory = await temporaryDirectory(t);
    const { uplink, add } = await journalled(t, broker.url, {
      broker: { url: broker.url, protocol, keepAliveSeconds: 30, connectTimeoutMs: 2000 },
    });
    uplink.start();
    const first = await subscribe(t, broker.url, directory, keyring, { protocol, clock });
    await until(() => first.sink.told('connection').length === 1, 'online');
    for (const device of devices) await add(entries(device, 5));
    await until(() => first.sink.printed.length === 15, 'the first ones');
    await first.close();
    for (const device of devices) await add(entries(device, 300));
    await until(() => uplink.state.drained, 'a drained journal');
    const second = await subscribe(t, broker.url, directory, keyring, { protocol, clock });
    // Two of the devices are silent for ever: their tails show no gap.
    await add(entries(devices[0], 1));
    await until(() => second.sink.printed.length === 901, 'all of them', 60_000);
    t.deepEqual(second.sink.places.sort(), [...[1, 2, 3].flatMap(n => places(n, 300, 5)), '01/1/305'].sort());
    t.deepEqual(
      second.sink.told('gap').filter(text => /final|forgotten/.test(text)),
      [],
    );
    // The same broker drops some of what is fetched, too.
    t.log(`${uplink.state.fetch!.sent} readings sent for 900`);
  });
}

test('a broker that forgets everything, and a subscriber that was away meanwhile: nothing is missing', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start(['persistence false', 'max_queued_messages 0']);
  t.teardown(() => broker.stop());
  const devices = [1, 2].map(number => new TestDevice(number));
  const keyring = new TestKeyring(...devices);
  const { uplink, add } = await journalled(t, broker.url);
  uplink.start();
  const options = { clock, minBackoffMs: 2000, maxBackoffMs: 4000 };
  const { sink } = await subscribe(t, broker.url, await temporaryDirectory(t), keyring, options);
  await until(() => sink.told('connection').length === 1, 'online');
  let count = 0;
  for (let round = 0; round < 3; round++) {
    for (const device of devices) await add(entries(device, 40));
    await broker.kill('SIGKILL');
    for (const device of devices) await add(entries(device, 40));
    await broker.run();
    count += 160;
  }
  await until(() => sink.printed.length === count, 'all of them', 60_000);
  t.is(new Set(sink.places).size, count);
  t.deepEqual(
    sink.told('gap').filter(text => /final|forgotten/.test(text)),
    [],
  );
});

test('a subscriber that has lost its state gets back what the journal holds; one from now does not', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start(['max_queued_messages 0']);
  t.teardown(() => broker.stop());
  const devices = [1, 2].map(number => new TestDevice(number));
  const keyring = new TestKeyring(...devices);
  const directory = await temporaryDirectory(t);
  const { uplink, add } = await journalled(t, broker.url);
  uplink.start();
  const first = await subscribe(t, broker.url, directory, keyring, { clock });
  await until(() => first.sink.told('connection').length === 1, 'online');
  await add(entries(devices[0], 200));
  await add(entries(devices[1], 100));
  await until(() => first.sink.printed.length === 300, 'readings');
  await first.close();
  await rm(directory, { recursive: true });
  const directories = await Promise.all([1, 2].map(() => temporaryDirectory(t)));
  const again = await subscribe(t, broker.url, directories[0], keyring, { clock });
  const now = await subscribe(t, broker.url, directories[1], keyring, {
    clock,
    clientId: 'other',
    from: 'now',
  });
  await until(() => now.sink.told('connection').length === 1, 'online');
  await until(() => again.sink.told('connection').length === 1, 'online');
  // One device goes on, the other one is silent for ever.
  await add(entries(devices[0], 3));
  await until(() => again.sink.printed.length === 303, 'all of them', 60_000);
  t.deepEqual(again.sink.places.sort(), [...places(1, 203), ...places(2, 100)].sort());
  t.deepEqual(again.sink.told('gap'), []);
  t.true(now.sink.places.includes('01/1/202'));
  await again.close();
  // And it remembers what it asked for.
  const third = await subscribe(t, broker.url, directories[0], keyring, { clock });
  await add(entries(devices[1], 1));
  await until(() => third.sink.printed.length === 1, 'a new one');
  t.deepEqual(third.sink.places, ['02/1/100']);
  t.deepEqual(third.sink.told('gap'), []);
});
