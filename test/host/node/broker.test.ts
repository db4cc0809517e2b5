import { createServer, type Socket } from 'node:net';
import test from 'ava';
import { Fault } from '../../../host/fault.js';
import { mqttBroker } from '../../../host/node/broker.js';
import type { BrokerHandler, BrokerOptions } from '../../../host/ports.js';
import { freePort, Mosquitto, startAedes } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';

const QUIET: BrokerHandler = { message: async () => {}, closed: () => {} };

function options(url: string, more: Partial<BrokerOptions> = {}): BrokerOptions {
  return {
    url,
    clientId: `test-${Math.random().toString(36).slice(2)}`,
    protocol: '5',
    keepAliveSeconds: 30,
    connectTimeoutMs: 5000,
    cleanStart: true,
    ...more,
  };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const message = (topic: string, payload: string) => ({ topic, payload: Buffer.from(payload), retain: false });

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function refusal(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => undefined,
    cause => cause,
  );
  if (!(error instanceof Fault)) throw new Error(`no Fault but ${String(error)}`);
  return error;
}

for (const protocol of ['5', '3.1.1'] as const) {
  test(`mosquitto, MQTT ${protocol}: many messages are handled at a time, PUBACKs follow in order`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start(['max_inflight_messages 50']);
    t.teardown(() => broker.stop());
    const arrived: string[] = [];
    const release: (() => void)[] = [];
    const subscriber = await mqttBroker.connect(options(broker.url, { protocol }), {
      message: (_topic, payload) => {
        arrived.push(text(payload));
        return new Promise<void>(resolve => release.push(resolve));
      },
      closed: () => {},
    });
    await subscriber.subscribe(['a/#']);
    // Mosquitto bounds 3.1.1 clients by its configuration, MQTT 5 clients by the Receive Maximum they announce.
    const window = protocol === '5' ? 1000 : 50;
    const publisher = await mqttBroker.connect(options(broker.url, { protocol }), QUIET);
    for (let i = 0; i < window + 10; i++) {
      await new Promise<void>(resolve => publisher.publish(message('a/b', String(i)), () => resolve()));
    }
    await until(() => arrived.length === window, 'a full window');
    // All but the first: the broker must not hear of them before the first has been handled.
    for (const resolve of release.slice(1, window)) resolve();
    await new Promise(resolve => setTimeout(resolve, 50));
    t.is(arrived.length, window);
    release[0]();
    await until(() => arrived.length === window + 10, 'the rest');
    t.deepEqual(
      arrived,
      Array.from({ length: window + 10 }, (_, i) => String(i)),
    );
    await subscriber.end();
    await publisher.end();
  });

  test(`mosquitto, MQTT ${protocol}: what was not acknowledged comes again, and only that`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start();
    t.teardown(() => broker.stop());
    const identity = options(broker.url, { protocol, cleanStart: false });
    const arrived: string[] = [];
    const first = await mqttBroker.connect(identity, {
      message: (_topic, payload) => {
        arrived.push(text(payload));
        return text(payload) === '3' ? new Promise<void>(() => {}) : Promise.resolve();
      },
      closed: () => {},
    });
    await first.subscribe(['a/b']);
    const publisher = await mqttBroker.connect(options(broker.url, { protocol }), QUIET);
    for (let i = 0; i < 6; i++) publisher.publish(message('a/b', String(i)), () => {});
    await until(() => arrived.length === 6, 'six messages');
    await first.end();
    publisher.publish(message('a/b', '6'), () => {});
    const again: string[] = [];
    const second = await mqttBroker.connect(identity, {
      message: async (_topic, payload) => void again.push(text(payload)),
      closed: () => {},
    });
    await until(() => again.length === 4, 'the rest');
    t.deepEqual(again, ['3', '4', '5', '6']);
    await second.end();
    await publisher.end();
  });

  test(`mosquitto, MQTT ${protocol}: a handler that fails ends the connection without PUBACK`, async t => {
    if (!needs(t, 'mosquitto')) return;
    const broker = await Mosquitto.start();
    t.teardown(() => broker.stop());
    let closed = '';
    const identity = options(broker.url, { protocol, cleanStart: false });
    const subscriber = await mqttBroker.connect(identity, {
      message: async () => {
        throw new Error('disk full');
      },
      closed: reason => {
        closed = reason;
      },
    });
    await subscriber.subscribe(['a/b']);
    const publisher = await mqttBroker.connect(options(broker.url, { protocol }), QUIET);
    publisher.publish(message('a/b', 'x'), () => {});
    await until(() => closed !== '', 'the end');
    t.is(closed, 'disk full');
    const again: string[] = [];
    await mqttBroker.connect(identity, {
      message: async (_topic, payload) => void again.push(text(payload)),
      closed: () => {},
    });
    await until(() => again.length === 1, 'the message again');
    await publisher.end();
  });
}

test('over a websocket', async t => {
  if (!needs(t, 'mosquitto')) return;
  const port = await freePort();
  const broker = await Mosquitto.start([`listener ${port} 127.0.0.1`, 'protocol websockets']);
  t.teardown(() => broker.stop());
  const arrived: string[] = [];
  const handler: BrokerHandler = {
    message: async (_topic, payload) => void arrived.push(text(payload)),
    closed: () => {},
  };
  const connect = () => mqttBroker.connect(options(`ws://127.0.0.1:${port}`), handler);
  // Its first listener answers, this one may come a moment later.
  let session = await connect().catch(() => undefined);
  while (session === undefined) session = await connect().catch(() => undefined);
  await session.subscribe(['a/b']);
  let acknowledged = 0;
  for (let i = 0; i < 500; i++) session.publish(message('a/b', String(i)), () => acknowledged++);
  await until(() => arrived.length === 500 && acknowledged === 500, 'all there and back');
  t.deepEqual(
    arrived,
    Array.from({ length: 500 }, (_, i) => String(i)),
  );
  await session.end();
});

test('a publish that was not acknowledged is never sent again by the library', async t => {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket);
    socket.on('data', chunk => {
      if (chunk[0] === 0x10) socket.write(Buffer.from([0x20, 2, 0, 0]));
      else received.push(chunk);
    });
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `mqtt://127.0.0.1:${(server.address() as { port: number }).port}`;
  let closed = 0;
  const identity = options(url, { protocol: '3.1.1', clientId: 'same' });
  const session = await mqttBroker.connect(identity, { ...QUIET, closed: () => closed++ });
  let told = 0;
  session.publish(message('a/b', 'lost'), () => told++);
  await until(() => received.length > 0, 'the publish');
  sockets[0].destroy();
  await until(() => closed === 1, 'the end');
  received.length = 0;
  const next = await mqttBroker.connect(identity, QUIET);
  await new Promise(resolve => setTimeout(resolve, 100));
  t.deepEqual(received, []);
  t.is(told, 0);
  await next.end();
  t.is(Buffer.concat(received).toString('hex'), 'e000');
});

test('faults name what is wrong', async t => {
  if (!needs(t, 'mosquitto')) return;
  const port = await freePort();
  t.is(
    (await refusal(mqttBroker.connect(options(`mqtt://127.0.0.1:${port}`), QUIET))).code,
    'broker-unreachable',
  );

  const silent = createServer(socket => socket.on('error', () => {}));
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const mute = `mqtt://127.0.0.1:${(silent.address() as { port: number }).port}`;
  const late = await refusal(mqttBroker.connect(options(mute, { connectTimeoutMs: 100 }), QUIET));
  t.is(late.code, 'broker-timeout');

  const broker = await Mosquitto.start(['allow_anonymous false']);
  t.teardown(() => broker.stop());
  for (const protocol of ['5', '3.1.1'] as const) {
    const credentials = { protocol, username: 'pi', password: 'secret' };
    const refused = await refusal(mqttBroker.connect(options(broker.url, credentials), QUIET));
    t.is(refused.code, 'broker-refused');
    t.regex(refused.message, /pi/);
    t.notRegex(refused.message + refused.remedy, /secret/);
  }
});

test('MQTT 5: a PUBACK that says no reaches the caller, and the broker’s Receive Maximum is known', async t => {
  if (!needs(t, 'mosquitto')) return;
  const broker = await Mosquitto.start(['max_inflight_messages 7']);
  t.teardown(() => broker.stop());
  const { writeFile } = await import('node:fs/promises');
  await writeFile(`${broker.directory}/acl`, 'topic write a/good\n');
  await broker.kill();
  await broker.configure(['max_inflight_messages 7', `acl_file ${broker.directory}/acl`]);
  await broker.run();
  const session = await mqttBroker.connect(options(broker.url), QUIET);
  t.is(session.receiveMaximum, 7);
  const answers: (string | undefined)[] = [];
  session.publish(message('a/good', '1'), error => answers.push(error?.message));
  session.publish(message('a/bad', '2'), error => answers.push(error?.message));
  await until(() => answers.length === 2, 'two answers');
  t.is(answers[0], undefined);
  t.regex(answers[1] ?? '', /not authorized/i);
  await session.end();
});

test('the will is published when the connection breaks, not when it ends; aedes carries both', async t => {
  const broker = await startAedes();
  t.teardown(() => broker.stop());
  const seen: string[] = [];
  const watcher = await mqttBroker.connect(options(broker.url, { protocol: '3.1.1' }), {
    message: async (_topic, payload) => void seen.push(text(payload)),
    closed: () => {},
  });
  await watcher.subscribe(['will/#']);
  const will = (payload: string) =>
    options(broker.url, { protocol: '3.1.1', will: message('will/x', payload) });
  const polite = await mqttBroker.connect(will('polite'), QUIET);
  await polite.end();
  const rude = await mqttBroker.connect(will('rude'), {
    message: async () => {
      throw new Error('breaks the connection');
    },
    closed: () => {},
  });
  await rude.subscribe(['break']);
  watcher.publish(message('break', ''), () => {});
  await until(() => seen.length > 0, 'the will');
  t.deepEqual(seen, ['rude']);
  await watcher.end();
});
