import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MAX_SDK_LINE_BYTES } from '../../../host/intake/sdk-frame.js';
import { readSdkPayload } from '../../../host/journal/payload.js';
import { Rig } from './rig.js';
import { Sensor } from './sdk-sensor.js';

async function connected(t: Parameters<typeof Rig.start>[0], allowReset = false) {
  const sensor = new Sensor('noëud-1');
  const rig = await Rig.start(t, [sensor.entry(allowReset)]);
  const link = rig.sdk.connect('sdk:192.0.2.9');
  const send = (...lines: string[]) =>
    link.handler!.data(Buffer.from(lines.map(line => `${line}\n`).join('')));
  return { sensor, rig, link, send };
}

test('frames are journalled as they came, under the id of their node and an epoch of the gateway', async t => {
  const { sensor, rig, send } = await connected(t);
  const frames = [sensor.frame(1, '23.0'), sensor.frame(2, '1e-07'), sensor.frame(3)];
  send(...frames);
  await rig.synced();
  t.deepEqual(
    rig.durable.map(entry => {
      const payload = entry.kind === 'reading' ? readSdkPayload(entry.bytes) : undefined;
      return { device: entry.device, ...payload, frame: Buffer.from(payload!.frame).toString() };
    }),
    frames.map(frame => ({ device: sensor.id, node: sensor.node, epoch: 1, frame })),
  );
  t.deepEqual(rig.story(), ['1/1', '1/2', '1/3']);
  t.like(
    rig.intake.status().devices.find(({ id }) => id === sensor.id),
    { sdk: true, epoch: 1, seq: 3, silent: false },
  );
});

test('a sequence beyond the next is a gap at once', async t => {
  const { sensor, rig, send } = await connected(t);
  send(sensor.frame(1), sensor.frame(5));
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', 'gap 1/2..1/5', '1/5']);
});

test('a replay is counted, a fork is evidence, by the MAC', async t => {
  const { sensor, rig, send } = await connected(t);
  send(sensor.frame(1), sensor.frame(2), sensor.frame(3), sensor.frame(2), sensor.frame(3, 99));
  await rig.quiet(() => rig.count('evidence:stored') > 0);
  t.is(rig.count('sdk:replay'), 1);
  t.is(rig.count('sdk:fork'), 1);
  await rig.synced();
  t.is(rig.durable.length, 3);
  const [name] = readdirSync(join(rig.directory, 'evidence'));
  const record = JSON.parse(readFileSync(join(rig.directory, 'evidence', name), 'utf8'));
  const payload = readSdkPayload(Buffer.from(record.refused.bytes, 'base64url'))!;
  t.is(Buffer.from(payload.frame).toString(), sensor.frame(3, 99));
});

test('a counter that falls back goes to quarantine', async t => {
  const { sensor, rig, send } = await connected(t);
  send(sensor.frame(1), sensor.frame(2), sensor.frame(3));
  send(sensor.frame(1, 7), sensor.frame(2, 7), sensor.frame(3, 7));
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', '1/2', '1/3']);
  t.is(rig.count('refused:sequence-reset'), 3);
  t.is(rig.count('sdk:fork'), 0);
  t.is(rig.events('sequence-reset').length, 1);
  await rig.intake.stop();
  const [name] = readdirSync(join(rig.directory, 'quarantine'));
  const lines = readFileSync(join(rig.directory, 'quarantine', name), 'utf8')
    .trimEnd()
    .split('\n');
  t.like(JSON.parse(lines[0]), { reason: 'sequence-reset', device: sensor.id, authentic: true });
  t.is(Buffer.from(JSON.parse(lines[0]).bytes, 'base64url').toString(), sensor.frame(1, 7));
});

test('… or opens a new epoch, where the operator allows it', async t => {
  const { sensor, rig, send } = await connected(t, true);
  send(sensor.frame(1), sensor.frame(2), sensor.frame(3));
  send(sensor.frame(1, 7), sensor.frame(2, 7), sensor.frame(2, 7));
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', '1/2', '1/3', '2/1', '2/2']);
  t.is(rig.count('sdk:replay'), 1);
});

test('an epoch lives on over a restart of the gateway', async t => {
  const { sensor, rig, send } = await connected(t, true);
  send(sensor.frame(1), sensor.frame(2), sensor.frame(1, 5));
  await rig.synced();
  await rig.stop();
  const again = await Rig.start(t, rig.entries, {}, rig.directory);
  const link = again.sdk.connect('sdk:192.0.2.9');
  link.handler!.data(Buffer.from(`${sensor.frame(1, 5)}\n${sensor.frame(2, 5)}\n`));
  await again.synced();
  t.deepEqual(again.story(), ['2/2']);
  t.is(again.count('sdk:replay'), 1);
});

test('each node has its own key; unknown nodes and wrong MACs are refused', async t => {
  const { sensor, rig, send } = await connected(t);
  const stranger = new Sensor('stranger');
  const liar = new Sensor('stranger');
  Object.assign(liar, { node: sensor.node });
  send(stranger.frame(1), liar.frame(1), 'GET / HTTP/1.1\r', '{}', '');
  t.is(rig.count('refused:unknown-device'), 1);
  t.is(rig.count('refused:mac'), 1);
  t.is(rig.count('refused:malformed'), 2);
  await rig.synced();
  t.is(rig.durable.length, 0);
});

test('lines may be cut anywhere, and one without end is passed over', async t => {
  const { sensor, rig, link, send } = await connected(t);
  for (const byte of Buffer.from(`${sensor.frame(1)}\n`)) link.handler!.data(Uint8Array.of(byte));
  for (let i = 0; i < 3; i++) link.handler!.data(new Uint8Array(MAX_SDK_LINE_BYTES).fill(0x61));
  link.handler!.data(Buffer.from('the end of it\n'));
  send(sensor.frame(2));
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', '1/2']);
  t.is(rig.count('sdk:oversized'), 1);
});

test('while the journal takes nothing the sender is slowed down, and what has come is taken later', async t => {
  const { sensor, rig, link, send } = await connected(t);
  rig.stalled = true;
  send(sensor.frame(1), sensor.frame(2));
  t.true(link.paused);
  const rest = Buffer.from(`${sensor.frame(3)}\n`);
  link.handler!.data(rest.subarray(0, 50)); // was on its way already
  link.end('the sensor has gone');
  rig.clock.advance(1_000);
  rig.stalled = false;
  rig.clock.advance(1_000);
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', '1/2']);
  t.is(rig.intake.status().links.length, 0);
});

test('a frame cut in the middle waits with the rest', async t => {
  const { sensor, rig, link } = await connected(t);
  const text = Buffer.from(`${sensor.frame(1)}\n${sensor.frame(2)}\n`);
  link.handler!.data(text.subarray(0, 60));
  rig.stalled = true;
  link.handler!.data(text.subarray(60, 250));
  link.handler!.data(text.subarray(250));
  rig.stalled = false;
  rig.clock.advance(1_000);
  t.false(link.paused);
  await rig.synced();
  t.deepEqual(rig.story(), ['1/1', '1/2']);
});

test('a seal in the name of a sovereign-sdk node is nobody’s', async t => {
  const { rig, sensor } = await connected(t);
  t.is(rig.keyring.get(sensor.id)?.chain.length, 0);
  const { identity } = await import('./rig.js');
  const forger = identity(1);
  forger.id.set(Buffer.from(sensor.id, 'hex'));
  const { peer } = rig.connect(forger);
  peer.hello();
  t.is(rig.count('refused:unknown-device'), 1);
});
