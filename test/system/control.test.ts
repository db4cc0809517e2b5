/** The commands that look after a running gateway, all of them as programs, over the real socket. */
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import mqtt from 'mqtt';
import { FrameType } from '../../firmware/seal/index.js';
import { MAX_ANSWER_BYTES, MessageDecoder, readStreamMessage } from '../../host/control/protocol.js';
import { editKeyring } from '../../host/keyring/edit.js';
import { Keyring } from '../../host/keyring/file.js';
import { nodeDigest } from '../../host/node/digest.js';
import { privateFiles } from '../../host/node/private-files.js';
import { freePort, Mosquitto } from '../support/brokers.js';
import { LiveGateway, pause } from '../support/live-site.js';
import { needs } from '../support/needs.js';
import { Site } from '../support/site.js';
import { VirtualIdentity, VirtualPeer } from '../support/virtual-peer.js';

const PASSWORD = 'not-for-the-log-7391';

async function setUp(t: ExecutionContext, extra = '') {
  if (needs(t, 'mosquitto') === undefined) return undefined;
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const linkPort = await freePort();
  const site = await Site.create({
    broker: broker.url,
    linkPort,
    uplink: `, username: gw, password: "${PASSWORD}"`,
    journal: ', enduranceBytes: 32000000000000',
    extra,
  });
  t.teardown(() => site.remove());
  const gateway = new LiveGateway(site);
  gateway.start();
  t.teardown(() => gateway.end('SIGKILL'));
  await gateway.serving();
  const simulate = (readings: number, ...args: string[]) =>
    site.run([
      'simulate',
      '--devices',
      '2',
      '--readings',
      String(readings),
      '--rate',
      '100',
      '--json',
      ...args,
    ]);
  const ask = async (...args: string[]) => {
    const { code, lines, errors } = await site.run([...args, '--json']);
    t.is(code, 0, errors);
    return lines.map(line => JSON.parse(line));
  };
  return { broker, site, gateway, simulate, ask, linkPort };
}

/** What stands at the broker for whoever comes; it is made anew every ten seconds. */
async function retained(t: ExecutionContext, url: string): Promise<void> {
  const client = await mqtt.connectAsync(url);
  const complete = new Promise<Record<string, unknown>>(resolve =>
    client.on('message', (_topic, payload) => {
      const status = JSON.parse(payload.toString());
      if (status.node.devices.length === 2) resolve(status);
    }),
  );
  await client.subscribeAsync('sovereign/1/test/gateway/+/status');
  const status = await complete;
  await client.endAsync(true);
  t.like(status, {
    site: 'test',
    state: 'online',
    node: { site: 'test', gateway: status.gateway, deviceCount: 2 },
  });
}

test('readings are looked at, publishing is paused, resumed and hurried', async t => {
  const rig = await setUp(t);
  if (rig === undefined) return;
  const { broker, site, gateway, simulate, ask } = rig;

  const tail = site.program(['tail', '--json']);
  const followed = site.program(['log', 'follow', '--json', '--recent', '500']);
  t.teardown(() => Promise.all([tail.end(), followed.end()]));
  await followed.until(
    () => followed.lines.some(line => line.includes('gateway-started')),
    'what was logged before',
  );

  t.like((await ask('pause'))[0], { paused: true });
  // It may still be on its way.
  while (tail.lines.length === 0) t.is((await simulate(1)).code, 0);
  const before = tail.lines.length;
  t.is((await simulate(20)).code, 0);
  await tail.until(() => tail.lines.length >= before + 40, 'forty readings');
  const [first] = tail.lines.map(line => JSON.parse(line));
  t.is(typeof first.offset, 'number');
  t.regex(first.name, /^sim/);

  const devices = await ask('devices');
  t.is(devices.length, 2);
  for (const device of devices) {
    t.true(device.readings >= 20);
    // A busy machine may answer a device too late for its last reading to know the time.
    t.regex(device.clock, /^(un)?synchronised$/);
    t.is(device.last.epoch, device.epoch);
    t.is(device.last.seq, device.seq);
    t.true(device.last.records.length > 0);
  }
  const { lines } = await site.run(['devices', devices[0].name]);
  t.true(
    lines.some(line => line.includes(devices[0].id)),
    lines.join('\n'),
  );
  t.is((await site.run(['devices', 'nobody'])).code, 1);

  const [paused] = await ask('status');
  t.true(paused.uplink.paused);
  t.true(paused.uplink.backlog >= 40);
  t.is(paused.uplink.published, 0);
  t.true(paused.journal.bytes > 1000);
  t.true(Math.abs(paused.journal.oldestAt - Date.now()) < 120_000);
  t.is(paused.deviceCount, 2);
  const refused = await site.run(['drain', 'now']);
  t.is(refused.code, 1);
  t.regex(refused.errors, /paused\s+sovereign resume/);
  t.like((await ask('resume'))[0], { paused: false });
  t.like((await ask('drain', 'now', '--wait', '60'))[0], { drained: true, backlog: 0 });
  t.true((await ask('status'))[0].uplink.published >= 40);
  await retained(t, broker.url);

  // A broker that is away makes the pauses between attempts long; drain does not wait for them.
  await broker.kill();
  await gateway.until(/uplink-waiting/);
  t.is((await simulate(5)).code, 0);
  await pause(3000);
  await broker.run();
  t.like((await ask('drain', 'now', '--wait', '60'))[0], { drained: true });

  t.is((await tail.end('SIGINT')).code, 0);
  t.is((await followed.end('SIGINT')).code, 0);
  const events = new Set(followed.lines.map(line => JSON.parse(line).event));
  for (const event of ['uplink-online', 'session', 'uplink-waiting', 'control'])
    t.true(events.has(event), event);
});

test('what was refused for want of a key is taken once there is one', async t => {
  const rig = await setUp(t);
  if (rig === undefined) return;
  const { site, ask, gateway, linkPort } = rig;
  const identity = new VirtualIdentity(nodeDigest, 77);
  const sealed = identity.sealMany(1, 3);
  const peer = new VirtualPeer(identity, bytes => void socket.write(bytes));
  const socket = connect(linkPort, '127.0.0.1');
  t.teardown(() => socket.destroy());
  peer.readings(sealed);
  peer.raw(peer.frame(FrameType.reading, Uint8Array.of(1, 2, 3)));
  let kept: { id: string; reason: string }[] = [];
  for (let tries = 0; kept.length < 4 && tries < 100; tries++) {
    await pause(50);
    kept = await ask('quarantine', 'list');
  }
  t.deepEqual(kept.map(({ reason }) => reason).sort(), [
    'malformed',
    'unknown-device',
    'unknown-device',
    'unknown-device',
  ]);
  const unknown = kept.filter(({ reason }) => reason === 'unknown-device').reverse();
  const [shown] = await ask('quarantine', 'show', unknown[0].id);
  t.is(shown.hex, Buffer.from(sealed[0].bytes).toString('hex'));
  t.like(shown, { claims: { device: identity.idText, epoch: 1, seq: 0 }, now: 'unknown-device' });
  const still = await site.run(['quarantine', 'release', unknown[0].id, '--json']);
  t.is(still.code, 1);
  t.like(JSON.parse(still.lines[0]), { outcome: 'refused', reason: 'unknown-device' });

  await editKeyring(privateFiles, join(site.directory, 'keyring.yaml'), draft =>
    draft.add(identity.entry(1)),
  );
  for (let tries = 0; tries < 100; tries++) {
    const [{ now }] = await ask('quarantine', 'show', unknown[0].id);
    if (now === '') break;
    await pause(50);
  }
  const released = await ask('quarantine', 'release', '--reason', 'unknown-device');
  t.deepEqual(
    released.map(({ id, outcome, device, epoch, seq }) => [id, outcome, device, epoch, seq]),
    unknown.map(({ id }, seq) => [id, 'journalled', identity.idText, 1, seq]),
  );
  const again = await ask('quarantine', 'release', unknown[2].id);
  t.is(again[0].outcome, 'known');
  const [device] = await ask('devices', identity.idText);
  t.like(device, { epoch: 1, seq: 2, readings: 3, gaps: 0 });
  t.regex(device.last.link, /^quarantine:tcp:127\.0\.0\.1/);
  t.is((await site.run(['quarantine', 'show', '99-1'])).code, 1);
  t.is((await site.run(['quarantine', 'show', 'x'])).code, 1);
  t.is((await site.run(['quarantine', 'release'])).code, 2);
  t.true(gateway.running);
});

test('whatever is done to the socket, the gateway goes on at its speed', async t => {
  const rig = await setUp(t);
  if (rig === undefined) return;
  const { site, gateway, simulate, ask } = rig;
  const path = join(site.directory, 'data', 'control.sock');
  const tail = Buffer.from('\0\0\0\x0f{"call":"tail"}');
  const open = (bytes: Uint8Array) => {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.write(bytes);
    t.teardown(() => socket.destroy());
    return socket;
  };
  let lost = 0;
  let items = 0;
  const decoder = new MessageDecoder(MAX_ANSWER_BYTES, text => {
    const message = readStreamMessage(text);
    if (message === undefined) return; // the answer that the stream has begun
    if ('lost' in message) lost += message.lost;
    else items += 1;
  });
  const slow = Array.from({ length: 6 }, () => open(tail).pause());
  slow[0].on('data', bytes => decoder.push(bytes)).pause();
  open(Buffer.from([0x7f, 0xff, 0xff, 0xff]));
  open(Buffer.from('\0\0\x10\0{"call":"st'));
  open(Buffer.alloc(100_000, 0xa5));
  open(Buffer.from('\0\0\0\x02[]\0\0\0\x02{}'));
  open(Buffer.concat(Array.from({ length: 60 }, () => Buffer.from('\0\0\0\x11{"call":"status"}')))).pause();
  const endless = open(Buffer.from('\0\0\x10\0'));
  const dripping = setInterval(() => endless.write(' '), 100);
  t.teardown(() => clearInterval(dripping));
  const { code, lines } = await simulate(3000, '--rate', '1000');
  t.is(code, 0);
  t.true(lines.length >= 6000);
  const [status] = await ask('status');
  t.is(status.journal.state, 'ok');
  const readings = status.devices.reduce(
    (sum: number, device: { readings: number }) => sum + device.readings,
    0,
  );
  t.true(readings >= 6000);
  // Who begins to read again is told what he has missed.
  slow[0].resume();
  for (let tries = 0; items + lost < readings && tries < 200; tries++) await pause(50);
  t.is(items + lost, readings);
  t.true(lost > 0, `${items} items of ${readings}`);
  t.true(gateway.running);
});

test('the level of the log is changed while it runs; no key and no password is ever in it', async t => {
  const rig = await setUp(t, 'log: { format: json }');
  if (rig === undefined) return;
  const { broker, site, gateway, simulate, ask } = rig;
  t.deepEqual(await ask('log', 'level'), [{ level: 'info' }]);
  t.deepEqual(await ask('log', 'level', 'debug'), [{ level: 'debug', before: 'info' }]);
  t.is((await ask('status'))[0].log.level, 'debug');
  t.is((await site.run(['log', 'level', 'loud'])).code, 2);
  t.is((await simulate(10)).code, 0);
  // Everything that may go wrong with a secret in hand.
  await broker.configure(['allow_anonymous false']);
  await broker.kill();
  await broker.run();
  await gateway.until(/uplink-waiting.*(refused|authori)/i);
  const port = connect(rig.linkPort, '127.0.0.1');
  port.write(new Uint8Array(10_000).fill(0x84));
  port.end();
  await ask('quarantine', 'list');
  await ask('log', 'level', 'info');
  const text = gateway.lines.join('\n');
  for (const line of gateway.lines) t.is(typeof JSON.parse(line).event, 'string');
  t.regex(text, /"event":"session"/);
  const keyring = await Keyring.load(join(site.directory, 'keyring.yaml'), privateFiles);
  let secrets = 0;
  for (const { chain, down } of keyring.entries())
    for (const secret of [chain, down!])
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        secrets += 1;
        t.false(text.toLowerCase().includes(Buffer.from(secret).toString(form).toLowerCase()));
      }
  t.true(secrets >= 12);
  t.false(text.includes(PASSWORD));
});
