import test from 'ava';
import { MqttLink } from '../../firmware/links/mqtt.js';
import { type SerialCallbacks, SerialLink } from '../../firmware/links/serial.js';
import { TcpLink } from '../../firmware/links/tcp.js';
import { toHex } from '../../firmware/seal/index.js';
import { mqttBroker } from '../../host/node/broker.js';
import { systemClock } from '../../host/node/clock.js';
import { nodeDigest } from '../../host/node/digest.js';
import { silentLog } from '../../host/node/log.js';
import { MqttLinkSource } from '../../host/node/mqtt-link.js';
import { systemRandom } from '../../host/node/random.js';
import { SerialSource } from '../../host/node/serial.js';
import { TcpListener } from '../../host/node/tcp.js';
import { Rig, temporary } from '../host/intake/rig.js';
import { Mosquitto } from '../support/brokers.js';
import { Cable, openPort, until } from '../support/cable.js';
import { EmbeddedMqtt } from '../support/embedded-mqtt.js';
import { EmbeddedTcp } from '../support/embedded-tcp.js';
import { LinkedDevice } from '../support/link-driver.js';
import { needs } from '../support/needs.js';

/** What the journal has, as the device reports what was receipted. */
function journalled(rig: Rig): string[] {
  return rig.durable.flatMap(entry => {
    if (entry.kind !== 'reading') return [];
    const sum = new Uint8Array(32);
    nodeDigest.sha256(entry.bytes, 0, entry.bytes.length, sum, 0);
    return [`${entry.epoch}/${entry.seq} ${toHex(sum)}`];
  });
}

/** The rig's clock stands still of its own; here it goes with the world. */
function live(rig: Rig): () => void {
  const timer = setInterval(() => rig.clock.advance(10), 10);
  return () => clearInterval(timer);
}

test('the device over its TCP link: a gateway that closes connections costs time, not readings', async t => {
  const device = new LinkedDevice(300);
  const rig = await Rig.start(t, [device.entry]);
  t.teardown(live(rig));
  const options = { host: '127.0.0.1', port: 0, prefix: 'tcp' as const, setting: 'test', maxConnections: 8 };
  const listener = new TcpListener(options, silentLog);
  await rig.intake.listenTcp(listener, 8);
  const opened: EmbeddedTcp[] = [];
  const link = new TcpLink(
    {
      uptime: device.uptime,
      random: systemRandom,
      resolve: (_host, done) => setTimeout(() => done('127.0.0.1'), 1),
      open: (address, port, on) => {
        const io = new EmbeddedTcp(address, port, on);
        opened.push(io);
        return io;
      },
    },
    { host: 'gateway.local', port: listener.port },
    device.events,
  );
  t.teardown(() => device.stop());
  device.start(link);
  await new Promise(resolve => setTimeout(resolve, 30));
  t.is(opened.length, 0, 'without a network nothing is tried');
  link.network(true);
  await until(() => device.receipted.length >= 50);
  link.network(false);
  await until(() => !link.connected);
  link.network(true);
  await until(() => device.done);
  t.is(device.receipted.length, 300);
  t.deepEqual(device.receipted, journalled(rig));
  t.is(opened.length, 2);
  t.deepEqual(device.story, ['up', 'down', 'up']);
});

test('the device over its MQTT link and a real broker that is killed in between', async t => {
  if (needs(t, 'mosquitto') === undefined) return;
  const mosquitto = await Mosquitto.start();
  t.teardown(() => mosquitto.stop());
  const device = new LinkedDevice(200);
  const rig = await Rig.start(t, [device.entry]);
  t.teardown(live(rig));
  const broker = {
    url: mosquitto.url,
    protocol: '3.1.1' as const,
    clientId: 'gw',
    keepAliveSeconds: 30,
    connectTimeoutMs: 2000,
  };
  const source = new MqttLinkSource(
    { broker, maxLinks: 4 },
    { broker: mqttBroker, clock: systemClock, random: systemRandom, log: silentLog },
  );
  await rig.intake.listenTcp(source, 4);
  const link = new MqttLink(
    {
      uptime: device.uptime,
      random: systemRandom,
      open: on => new EmbeddedMqtt(mosquitto.url, device.id, on),
    },
    device.id,
    device.events,
  );
  t.teardown(() => device.stop());
  device.start(link);
  link.network(true);
  await until(() => device.receipted.length >= 50);
  await mosquitto.kill();
  await until(() => !link.connected);
  await mosquitto.run();
  await until(() => device.done);
  t.is(device.receipted.length, 200);
  t.deepEqual(device.receipted, journalled(rig));
  t.false(device.story.includes('lost'));
});

test('the device over its serial link and a real pty', async t => {
  const socat = needs(t, 'socat');
  if (socat === undefined) return;
  const cable = new Cable(socat, temporary(t));
  await cable.plug();
  t.teardown(() => cable.pull());
  const device = new LinkedDevice(150);
  const rig = await Rig.start(t, [device.entry]);
  t.teardown(live(rig));
  await rig.intake.listen(
    new SerialSource({ port: cable.gatewayEnd, baud: 115_200 }, systemClock, silentLog),
  );
  const port = await openPort(cable.deviceEnd);
  t.teardown(() => port.isOpen && port.close());
  // An ECMA-419 Serial with a FIFO of 128 bytes, over a port of this machine.
  let received = Buffer.alloc(0);
  let room = 128;
  const open = (on: SerialCallbacks) => {
    port.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      on.onReadable(received.length);
    });
    setImmediate(() => on.onWritable(room));
    return {
      read: (target: Uint8Array) => {
        const count = Math.min(target.length, received.length);
        target.set(received.subarray(0, count));
        received = received.subarray(count);
        return count;
      },
      write: (bytes: Uint8Array) => {
        if (bytes.length > room) throw new Error('output full');
        room -= bytes.length;
        port.write(Buffer.from(bytes), () => {
          room += bytes.length;
          on.onWritable(room);
        });
      },
      close: () => {},
    };
  };
  t.teardown(() => device.stop());
  device.start(new SerialLink(open, { uptime: device.uptime }, device.events));
  await until(() => device.done);
  t.is(device.receipted.length, 150);
  t.deepEqual(device.receipted, journalled(rig));
});
