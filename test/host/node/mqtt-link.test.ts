import test, { type ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import { parseConfig } from '../../../host/config.js';
import { mqttBroker } from '../../../host/node/broker.js';
import { systemClock } from '../../../host/node/clock.js';
import { silentLog } from '../../../host/node/log.js';
import { MqttLinkSource } from '../../../host/node/mqtt-link.js';
import { systemRandom } from '../../../host/node/random.js';
import type { Clock, Link } from '../../../host/ports.js';
import { freePort, Mosquitto } from '../../support/brokers.js';
import { until } from '../../support/cable.js';
import { needs } from '../../support/needs.js';
import { Site } from '../../support/site.js';
import { type VirtualIdentity, VirtualPeer } from '../../support/virtual-peer.js';
import { identity, Rig } from '../intake/rig.js';

async function broker(t: ExecutionContext): Promise<Mosquitto | undefined> {
  if (needs(t, 'mosquitto') === undefined) return undefined;
  const started = await Mosquitto.start();
  t.teardown(() => started.stop());
  return started;
}

function end(
  url: string,
  more: { device?: string; maxLinks?: number; clock?: Clock; clientId?: string } = {},
) {
  const { device, maxLinks = 16, clock = systemClock, clientId = `test-${device ?? 'gateway'}` } = more;
  return new MqttLinkSource(
    {
      broker: { url, protocol: '3.1.1', clientId, keepAliveSeconds: 30, connectTimeoutMs: 2000 },
      maxLinks,
      ...(device !== undefined && { device }),
    },
    { broker: mqttBroker, clock, random: systemRandom, log: silentLog },
  );
}

/** A device over the broker: a peer whose present link is the last that came. */
async function deviceEnd(t: ExecutionContext, url: string, device: VirtualIdentity) {
  const state: { link: Link | undefined; links: number } = { link: undefined, links: 0 };
  const peer = new VirtualPeer(device, bytes => state.link?.send(bytes));
  const source = end(url, { device: device.idText });
  t.teardown(() => source.stop());
  await source.start(link => {
    state.link = link;
    state.links++;
    return {
      data: bytes => peer.receive(bytes),
      closed: () => {
        state.link = undefined;
      },
    };
  });
  return { peer, source, state };
}

test('devices over a broker: a link each, sessions, receipts; a broker that was killed costs time', async t => {
  const mosquitto = await broker(t);
  if (mosquitto === undefined) return;
  const [a, b] = [identity(1), identity(2)];
  const rig = await Rig.start(t, [a.entry(), b.entry()]);
  const gateway = end(mosquitto.url);
  await rig.intake.listenTcp(gateway, 8);
  const ends = [await deviceEnd(t, mosquitto.url, a), await deviceEnd(t, mosquitto.url, b)];
  const sealed = [a.sealMany(0, 50), b.sealMany(0, 50)];
  for (const [i, { peer }] of ends.entries()) {
    peer.knock();
    await until(() => peer.challenges.length > 0);
    peer.hello();
    peer.readings(sealed[i].slice(0, 30));
    await until(() => peer.receipt?.seq === 29);
  }
  t.deepEqual(
    rig.intake
      .status()
      .links.map(({ name, device }) => `${name} ${device}`)
      .sort(),
    [a, b].map(({ idText }) => `mqtt:${idText} ${idText}`),
  );
  await mosquitto.kill();
  await until(() => gateway.size === 0 && ends.every(({ state }) => state.link === undefined));
  t.is(rig.intake.status().links.length, 0);
  await mosquitto.run();
  await until(() => gateway.connected && ends.every(({ state }) => state.link !== undefined));
  for (const [i, { peer }] of ends.entries()) {
    const before = peer.challenges.length;
    peer.knock();
    await until(() => peer.challenges.length > before);
    peer.hello({ next: 50, oldest: { epoch: 0, seq: 30 } });
    peer.readings(sealed[i].slice(30));
    await until(() => peer.receipt?.seq === 49);
  }
  t.is(rig.durable.length, 100);
});

test('the number of links is bounded, idle ones close, and what is no frame of a device is dropped', async t => {
  const mosquitto = await broker(t);
  if (mosquitto === undefined) return;
  const [a, b] = [identity(1), identity(2)];
  const rig = await Rig.start(t, [a.entry(), b.entry()]);
  const gateway = end(mosquitto.url, { maxLinks: 1, clock: rig.clock });
  await rig.intake.listen(gateway);
  t.teardown(() => gateway.stop());
  const client = await mqtt.connectAsync(mosquitto.url);
  t.teardown(() => client.endAsync(true));
  const publish = (topic: string, payload: Uint8Array) =>
    client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
  await publish(`sovereign/link/${a.idText.toUpperCase()}x/up`, Uint8Array.of(0));
  await publish('sovereign/link/../up', Uint8Array.of(0));
  await publish(`sovereign/link/${a.idText}/up`, new Uint8Array(65_537));
  await until(() => gateway.dropped === 3);
  t.is(gateway.size, 0);
  await publish(`sovereign/link/${a.idText}/up`, Uint8Array.of(0));
  await until(() => gateway.size === 1);
  await publish(`sovereign/link/${b.idText}/up`, Uint8Array.of(0));
  await until(() => gateway.dropped === 4);
  await rig.clock.pass(200_000, 5_000);
  t.is(gateway.size, 0);
  t.true(rig.events('link-closed').some(({ reason }) => reason === 'idle'));
  await publish(`sovereign/link/${b.idText}/up`, Uint8Array.of(0));
  await until(() => gateway.size === 1);
});

test('a broker that is away is waited for, and a stop in the middle of it is clean', async t => {
  if (needs(t, 'mosquitto') === undefined) return;
  const port = await freePort();
  const source = end(`mqtt://127.0.0.1:${port}`);
  await source.start(() => ({ data: () => {}, closed: () => {} }));
  t.false(source.connected);
  await source.stop();
});

test('the configuration: the uplink’s broker unless another is named', t => {
  const parse = (text: string) => parseConfig(`site: s\ngateway: g\n${text}`, '/c/config.yaml').links.mqtt;
  t.like(parse('uplink: { broker: "mqtt://a", username: u, passwordFile: p }\nlinks: { mqtt: {} }'), {
    broker: 'mqtt://a',
    username: 'u',
    passwordFile: '/c/p',
    maxDevices: 1024,
    maxUnauthenticated: 128,
  });
  t.like(
    parse(
      'uplink: { broker: "mqtt://a", username: u }\nlinks: { mqtt: { broker: "mqtts://b", ca: ca.pem, maxDevices: 9 } }',
    ),
    {
      broker: 'mqtts://b',
      username: undefined,
      ca: '/c/ca.pem',
      maxUnauthenticated: 9,
    },
  );
  for (const [text, expected] of [
    ['links: { mqtt: {} }', /links.mqtt: needs a broker here/],
    [
      'uplink: { broker: "mqtt://a" }\nlinks: { mqtt: { username: u } }',
      /links.mqtt.username: goes with links.mqtt.broker/,
    ],
    ['links: { mqtt: { broker: "mqtt://u:p@b" } }', /use links.mqtt.username/],
    [
      'links: { mqtt: { broker: "mqtt://b", maxDevices: 5, maxUnauthenticated: 6 } }',
      /must not be above maxDevices/,
    ],
  ] as const)
    t.throws(() => parse(text), { message: expected });
});

test('the device code over a broker into a gateway, both as programs', async t => {
  const mosquitto = await broker(t);
  if (mosquitto === undefined) return;
  const port = await freePort();
  const links = `mqtt: {}, tcp: { listen: "127.0.0.1:${port}" }`;
  const site = await Site.create({ broker: mosquitto.url, linkPort: port, links });
  t.teardown(() => site.remove());
  const gateway = site.program(['gateway']);
  t.teardown(() => gateway.end());
  await gateway.until(() => gateway.errors.includes('gateway-started'), 'a start');
  const simulated = await site.run([
    ...['simulate', '--devices', '3', '--readings', '20', '--rate', '50', '--json'],
    ...['--link', mosquitto.url],
  ]);
  t.is(simulated.code, 0, simulated.errors);
  t.is(simulated.lines.length, 60);
  t.is((await gateway.end('SIGTERM')).code, 0);
});
