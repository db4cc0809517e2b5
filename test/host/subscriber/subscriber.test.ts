import { createHash, createHmac } from 'node:crypto';
import test from 'ava';
import { encodeSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Storage } from '../../../host/ports.js';
import { Mosquitto, startAedes } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';
import { TestDevice, until } from '../uplink/support.js';
import { gateway, subscribe, TestKeyring, temporaryDirectory } from './support.js';

const sealMany = (device: TestDevice, count: number) =>
  Array.from({ length: count }, (_, i) => device.seal(i));
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `01/1/${from + i}`);
const ONLINE = 'connection';

for (const protocol of ['5', '3.1.1'] as const) {
  test(`mosquitto, MQTT ${protocol}: what was published while away arrives, once, in order`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start();
    t.teardown(() => broker.stop());
    const directory = await temporaryDirectory(t);
    const device = new TestDevice(1);
    const keyring = new TestKeyring(device);
    const first = await subscribe(t, broker.url, directory, keyring, { protocol });
    await until(() => first.sink.told(ONLINE).length === 1, 'online');
    const publisher = await gateway(broker.url, protocol);
    const bytes = sealMany(device, 30);
    await publisher.sealed(device, ...bytes.slice(0, 10));
    await until(() => first.sink.printed.length === 10, 'ten readings');
    t.is(first.sink.printed[3].sha256, createHash('sha256').update(bytes[3]).digest('hex'));
    await first.close();
    await publisher.sealed(device, ...bytes.slice(10, 20));
    await publisher.sealed(device, ...bytes.slice(5, 15)); // the uplink began again from its cursor
    const second = await subscribe(t, broker.url, directory, keyring, { protocol });
    await until(() => second.sink.printed.length === 10, 'the next ten');
    await publisher.sealed(device, ...bytes.slice(20));
    await until(() => second.sink.printed.length === 20, 'the last ten');
    t.deepEqual([...first.sink.places, ...second.sink.places], range(30));
    t.deepEqual(second.sink.told('gap'), []);
    await publisher.session.end();
  });
}

test('aedes: readings arrive, and --readings ends after so many', async t => {
  const broker = await startAedes();
  t.teardown(() => broker.stop());
  const device = new TestDevice(1);
  const directory = await temporaryDirectory(t);
  const options = { protocol: '3.1.1' as const, readings: 7 };
  const running = await subscribe(t, broker.url, directory, new TestKeyring(device), options);
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url, '3.1.1');
  await publisher.sealed(device, ...sealMany(device, 20));
  await running.ended;
  t.deepEqual(running.sink.places, range(7));
  // The rest was not acknowledged: it comes to the next one.
  const next = await subscribe(t, broker.url, directory, new TestKeyring(device), { protocol: '3.1.1' });
  await until(() => next.sink.printed.length === 13, 'the rest');
  t.deepEqual(next.sink.places, range(13, 7));
  await publisher.session.end();
});

test('stopped between output and state: the batch repeats, nothing is missing', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const directory = await temporaryDirectory(t);
  const device = new TestDevice(1);
  const keyring = new TestKeyring(device);
  let dead = false;
  let bury = () => {};
  const buried = new Promise<number>((_, reject) => {
    bury = () => reject(new Error('dead'));
  });
  const real = new NodeStorage();
  // As SIGKILL does it: from one moment on nothing reaches the disk, and no PUBACK goes out.
  const storage: Storage = {
    list: path => real.list(path),
    ensureDirectory: path => real.ensureDirectory(path),
    syncDirectory: path => real.syncDirectory(path),
    rename: (from, to) => real.rename(from, to),
    remove: path => real.remove(path),
    space: path => real.space(path),
    async open(path, mode) {
      const file = await real.open(path, mode);
      return {
        read: (target, position) => file.read(target, position),
        write: (source, position) => (dead ? buried : file.write(source, position)),
        sync: () => file.sync(),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
  const first = await subscribe(t, broker.url, directory, keyring, { storage });
  await until(() => first.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  const bytes = sealMany(device, 40);
  await publisher.sealed(device, ...bytes.slice(0, 10));
  await until(() => first.sink.printed.length === 10, 'ten readings');
  await new Promise(resolve => setTimeout(resolve, 50));
  dead = true;
  await publisher.sealed(device, ...bytes.slice(10, 20));
  await until(() => first.sink.printed.length > 10, 'output without state');
  const ended = first.close(); // its connection goes, its state has not been written
  const second = await subscribe(t, broker.url, directory, keyring);
  await publisher.sealed(device, ...bytes.slice(20));
  await until(() => second.sink.places.includes('01/1/39'), 'the last one');
  t.deepEqual(second.sink.places, range(30, 10));
  bury();
  await ended;
  await publisher.session.end();
});

test('a state that can’t be made durable: no PUBACK, it comes again, and is printed once', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const directory = await temporaryDirectory(t);
  const device = new TestDevice(1);
  let failing = false;
  const real = new NodeStorage();
  const storage = Object.create(real) as Storage;
  storage.open = async (path, mode) => {
    if (failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const file = await real.open(path, mode);
    const { sync } = file;
    file.sync = async () => {
      if (failing) throw Object.assign(new Error('i/o'), { code: 'EIO' });
      return sync.call(file);
    };
    return file;
  };
  const running = await subscribe(t, broker.url, directory, new TestKeyring(device), { storage });
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  failing = true;
  const publisher = await gateway(broker.url);
  await publisher.sealed(device, ...sealMany(device, 5));
  await until(
    () => running.log.lines.filter(line => line === 'subscriber-state-not-durable').length > 1,
    'failures',
  );
  failing = false;
  await publisher.sealed(device, device.seal(9));
  await until(() => running.sink.printed.length === 6, 'all');
  await running.close();
  t.deepEqual(running.sink.places, range(6));
  const next = await subscribe(t, broker.url, directory, new TestKeyring(device));
  await publisher.sealed(device, device.seal(10));
  await until(() => next.sink.printed.length > 0, 'the next');
  t.deepEqual(next.sink.places, range(1, 6));
  await publisher.session.end();
});

test('tampered, foreign and malformed bytes are reported and never printed; the envelope is trusted over the topic', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  const directory = await temporaryDirectory(t);
  const running = await subscribe(t, broker.url, directory, new TestKeyring(one, two));
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  const [good, next] = sealMany(one, 2);
  const flipped = Uint8Array.from(good);
  flipped[60] ^= 1;
  const tag = Uint8Array.from(good);
  tag[tag.length - 1] ^= 1;
  await publisher.sealed(one, tag);
  await publisher.sealed(one, flipped, good.subarray(0, 40), new Uint8Array(0), Uint8Array.of(0x84, 1, 0xff));
  await publisher.sealed(two, good); // on another device's topic
  await publisher.sealed(one, good, next);
  await until(() => running.sink.printed.length === 2, 'both readings');
  t.deepEqual(running.sink.places, range(2));
  t.is(running.sink.told('refused').length, 5);
  t.is(running.sink.told('refused')[0], 'mac');
  t.deepEqual(running.sink.told('fork'), []);
  await publisher.session.end();
});

test('a second authentic reading for one place is a fork', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const device = new TestDevice(1);
  const clone = new TestDevice(1);
  const directory = await temporaryDirectory(t);
  const running = await subscribe(t, broker.url, directory, new TestKeyring(device));
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  await publisher.sealed(device, device.seal(1), clone.seal(2), clone.seal(3));
  await until(() => running.sink.printed.length === 2, 'readings');
  t.deepEqual(running.sink.told('fork'), ['01', '01']); // another 1/0, and a 1/1 that follows it
  await publisher.session.end();
});

test('an unknown device is held, over a restart too, and printed in order once the keyring has it', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const [known, unknown] = [new TestDevice(1), new TestDevice(2)];
  const keyring = new TestKeyring(known);
  const directory = await temporaryDirectory(t);
  const first = await subscribe(t, broker.url, directory, keyring);
  await until(() => first.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  await publisher.sealed(unknown, ...sealMany(unknown, 3));
  await publisher.sealed(known, known.seal(1));
  await until(() => first.sink.printed.length === 1, 'the known one');
  t.deepEqual(first.sink.told('unknown-device'), ['02']);
  await first.close();
  const second = await subscribe(t, broker.url, directory, keyring);
  await until(() => second.sink.told(ONLINE).length === 1, 'online again');
  keyring.add(unknown);
  second.subscriber.keyringChanged();
  await until(() => second.sink.printed.length === 3, 'the held ones');
  await publisher.sealed(unknown, unknown.seal(9));
  await until(() => second.sink.printed.length === 4, 'a new one');
  t.deepEqual(second.sink.places, ['02/1/0', '02/1/1', '02/1/2', '02/1/3']);
  await publisher.session.end();
});

test('what is held is bounded: the oldest go, and that is told', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const device = new TestDevice(2);
  const keyring = new TestKeyring();
  const directory = await temporaryDirectory(t);
  const running = await subscribe(t, broker.url, directory, keyring, { maxHeld: 5 });
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  for (const bytes of sealMany(device, 8)) await publisher.sealed(device, bytes);
  await until(() => running.sink.told('held-dropped').length === 3, 'dropped ones');
  keyring.add(device);
  running.subscriber.keyringChanged();
  await until(() => running.sink.printed.length === 5, 'the last five');
  t.is(running.sink.places[0], '02/1/3');
  await publisher.session.end();
});

test('a gap is provisional, becomes final when the gateway has passed it, closes when it is filled', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const device = new TestDevice(1);
  const directory = await temporaryDirectory(t);
  const running = await subscribe(t, broker.url, directory, new TestKeyring(device));
  const gaps = () => running.sink.told('gap');
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  const bytes = sealMany(device, 9);
  await publisher.sealed(device, bytes[0], bytes[3], bytes[6]);
  await until(() => gaps().length === 2, 'two gaps');
  t.deepEqual(gaps(), ['provisional 1/1-1/3', 'provisional 1/4-1/6']);
  await publisher.sealed(device, bytes[1], bytes[2]);
  await until(() => gaps().length === 3, 'one closed');
  t.is(gaps()[2], 'closed 1/2-1/3');
  await publisher.status(10, 20);
  await publisher.status(19, 25);
  await publisher.sealed(device, bytes[7]);
  await until(() => running.sink.printed.length === 6, 'a reading');
  t.is(gaps().length, 3);
  await publisher.status(20, 30);
  await until(() => gaps().length === 4, 'a final gap');
  t.is(gaps()[3], 'final 1/4-1/6');
  // Late, but authentic and not had: taken.
  await publisher.sealed(device, bytes[4]);
  device.startEpoch(3);
  await publisher.sealed(device, device.seal(1));
  await until(() => gaps().length === 5, 'a lost tail');
  t.is(gaps()[4], 'provisional 1/8-3/0');
  t.is(running.sink.printed.length, 8);
  await running.close();
  // Known gaps are not told again by the next run, but become final there.
  const next = await subscribe(t, broker.url, directory, new TestKeyring(device));
  await until(() => next.sink.told(ONLINE).length === 1, 'online again');
  await publisher.status(40, 40);
  await publisher.status(40, 40);
  await until(() => next.sink.told('gap').length === 1, 'final');
  t.deepEqual(next.sink.told('gap'), ['final 1/8-3/0']);
  await publisher.session.end();
});

test('sovereign-sdk frames: verified with the node’s key, told by the gateway’s epoch', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const key = Buffer.from('0123456789');
  const node = 'esp32-a1';
  const id = sdkDevice(node);
  const frame = (q: number, d: string) => {
    const [n, time, alg] = [node, '2026-06-19T00:00:00Z', 'hmac-sha256'];
    const message = `1|${n.length}:${n}|${time.length}:${time}|${q}|${alg.length}:${alg}|${d}`;
    const s = createHmac('sha256', key).update(message).digest('hex');
    return Buffer.from(`{"alg":"${alg}","d":${d},"n":"${n}","q":${q},"s":"${s}","t":"${time}","v":1}`);
  };
  const keyring = new TestKeyring();
  keyring.addSdk(id, node, key);
  const running = await subscribe(t, broker.url, await temporaryDirectory(t), keyring);
  await until(() => running.sink.told(ONLINE).length === 1, 'online');
  const publisher = await gateway(broker.url);
  const first = frame(1, '{"sensor":"temperature","unit":"C","value":23.0}');
  const forged = Buffer.from(first.toString().replace('23.0', '24.0'));
  const wrap = (bytes: Uint8Array) => encodeSdkPayload(node, 0, bytes);
  await publisher.sealed({ id }, wrap(first), wrap(forged), wrap(frame(3, '{"ok":true}')), wrap(first));
  await until(() => running.sink.printed.length === 2, 'two readings');
  t.deepEqual(
    running.sink.printed.map(({ value }) => value),
    [23, true],
  );
  t.deepEqual(running.sink.told('refused'), ['mac']);
  t.deepEqual(running.sink.told('gap'), ['provisional 0/2-0/3']);
  await publisher.session.end();
});
