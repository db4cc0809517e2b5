import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { encodeValue, FrameType } from '../../../firmware/seal/index.js';
import { freshSeed, prng } from '../../support/prng.js';
import { identity, Rig } from './rig.js';

function quarantined(rig: Rig): { reason: string; device?: string; detail?: string; bytes: string }[] {
  const directory = join(rig.directory, 'quarantine');
  return readdirSync(directory).flatMap(name =>
    readFileSync(join(directory, name), 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line)),
  );
}

async function talking(t: Parameters<typeof Rig.start>[0], options = {}) {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()], options);
  const connection = rig.connect(device);
  connection.peer.hello();
  return { device, rig, ...connection };
}

test('any bit of an envelope flipped: not stored, counted with a reason', async t => {
  const { device, rig, peer } = await talking(t);
  const [first, { bytes }] = device.sealMany(0, 2);
  peer.reading(first); // from here on the key of the epoch is at hand
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    peer.reading(flipped);
  }
  const refused = Object.entries(rig.intake.status().counters).filter(([name]) =>
    name.startsWith('refused:'),
  );
  t.is(
    refused.reduce((sum, [, count]) => sum + count, 0),
    bytes.length * 8,
  );
  peer.reading(bytes);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1']);
});

test('a session speaks for its own device alone', async t => {
  const [own, other] = [identity(1), identity(2)];
  const rig = await Rig.start(t, [own.entry(), other.entry()]);
  const { peer } = rig.connect(own);
  peer.hello();
  peer.readings(own.sealMany(0, 1));
  peer.readings(other.sealMany(0, 1)); // authentic, and not this link's to send
  t.is(rig.count('no-session'), 1);
  await rig.synced();
  t.deepEqual(
    rig.durable.map(({ device }) => device),
    [own.idText],
  );
});

test('each gate names its reason, and the bytes are in the quarantine', async t => {
  const stranger = identity(99);
  const { device, rig, peer } = await talking(t, { unauthenticatedPerDayBytes: 24 * 1024 * 1024 });
  const [own] = device.sealMany(0, 1);
  const [foreign] = stranger.sealMany(0, 1);
  const wrongTag = own.bytes.slice();
  wrongTag[wrongTag.length - 1] ^= 1;
  const wrongVersion = own.bytes.slice();
  // 84 4d <13> a0 58 <length> a7 00 01: the version is the value of key 0
  wrongVersion[wrongVersion.indexOf(0x00, 18) + 1] = 2;
  peer.reading(foreign);
  peer.reading(wrongTag);
  peer.reading(wrongVersion);
  peer.reading(own.bytes.subarray(0, own.bytes.length - 1));
  peer.reading(Uint8Array.from([...own.bytes, 0]));
  peer.reading(device.sealMany(4_097, 1)[0]);
  peer.raw(peer.frame(FrameType.challenge, new Uint8Array(18)));
  peer.raw(peer.frame(200, own.bytes));
  peer.raw(peer.frame(FrameType.knock, encodeValue([2, new Uint8Array(8)])));
  peer.raw(peer.frame(FrameType.up, Uint8Array.of(1, 2, 3)));
  await rig.intake.stop();
  t.deepEqual(
    quarantined(rig).map(({ reason, device: of, detail }) => [reason, of === device.idText, detail]),
    [
      ['unknown-device', false, undefined],
      ['mac', true, undefined],
      ['version', false, 'version'],
      ['malformed', false, 'truncated'],
      ['malformed', false, 'trailing-bytes'],
      ['epoch-too-far', true, undefined],
      ['frame-type', false, undefined],
      ['frame-type', false, undefined],
      ['version', false, 'version'],
      ['malformed', false, quarantined(rig)[9].detail],
    ],
  );
  t.is(quarantined(rig)[0].bytes, Buffer.from(foreign.bytes).toString('base64url'));
});

test('an epoch before the base of the keyring cannot be verified, and says so', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry(5)]);
  const { peer } = rig.connect(device);
  peer.hello({ epoch: 5 });
  peer.readings(device.sealMany(4, 2));
  t.is(rig.count('refused:epoch-too-old'), 2);
  t.like(rig.events('epoch-before-keyring'), { length: 1, 0: { device: device.idText, epoch: 4, base: 5 } });
  peer.readings(device.sealMany(5, 1));
  await rig.synced();
  t.deepEqual(rig.story(), ['5/0']);
});

test('a hello from too far ahead is told with its remedy, once a link', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  peer.hello({ epoch: 5_000 });
  peer.hello({ epoch: 5_001 });
  t.is(rig.count('refused:epoch-too-far'), 2);
  const told = { device: device.idText, epoch: 5_000, remedy: 'if it is genuine: sovereign device resync' };
  t.like(rig.events('epoch-too-far'), { length: 1, 0: told });
});

test('10,000 forged epochs a second: derivations stay within the budget, and honest devices go on', async t => {
  const honest = [1, 2, 3].map(identity);
  const victim = identity(50);
  const rig = await Rig.start(
    t,
    [...honest, victim].map(one => one.entry()),
  );
  const talkers = honest.map(one => {
    const { peer } = rig.connect(one);
    peer.hello();
    return { peer, sealed: one.sealMany(0, 30), one };
  });
  const attackers = [1, 2, 3, 4].map(() => rig.connect(victim).peer);
  // One envelope of the victim, with every epoch up to the end of the window put into it.
  const [template] = victim.sealMany(1_000, 1);
  const at = template.bytes.indexOf(0x19, 18); // 01 19 03e8: the epoch
  t.is((template.bytes[at + 1] << 8) | template.bytes[at + 2], 1_000);
  const before = rig.digest.keys;
  const seconds = 3;
  for (let step = 0; step < seconds * 10; step++) {
    for (let i = 0; i < 1_000; i++) {
      const forged = template.bytes.slice();
      const epoch = 256 + (((step * 1_000 + i) * 7919) % 3_800);
      forged[at + 1] = epoch >> 8;
      forged[at + 2] = epoch & 0xff;
      attackers[i % attackers.length].reading(forged);
    }
    for (const { peer, sealed } of talkers) peer.reading(sealed[step]);
    rig.clock.advance(100);
  }
  const derived = rig.digest.keys - before;
  t.log(`${derived} keys set up for ${seconds * 10_000} forged epochs`);
  // Each derivation sets up one key, and each epoch two more. Without a budget: 30,000 × up to 64.
  t.true(derived <= 2 * (32_768 + seconds * 16_384), `${derived}`);
  t.true(rig.count('refused:budget') > 10_000);
  t.is(rig.count('next'), 3 * 30);
  await rig.synced();
  for (const { peer, sealed } of talkers) t.like(peer.receipt, { seq: 29, tag8: sealed[29].tag8 });
  // A device that boots under the flood comes in as well.
  const late = honest[0];
  const again = rig.connect(late);
  again.peer.hello({ epoch: 1 });
  again.peer.readings(late.sealMany(1, 1));
  t.is(rig.count('next') + rig.count('gap'), 91);
});

test('forged hellos cost a comparison when they answer no challenge, and the budget when they do', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(identity(1));
  const before = rig.digest.keys;
  for (let i = 0; i < 2_000; i++)
    peer.raw(peer.helloFrame({ epoch: i + 100 }, new Uint8Array(16), new Uint8Array(16), device.down()));
  t.is(rig.digest.keys - before, 0);
  t.is(rig.count('refused:nonce'), 2_000);
  const own = rig.digest.keys;
  const down = device.down();
  for (let i = 0; i < 2_000; i++)
    peer.raw(
      peer.helloFrame({ epoch: ((i * 7919) % 3_900) + 100 }, peer.challenges[0], new Uint8Array(16), down),
    );
  t.true(rig.digest.keys - own <= 3 * 8_192, `${rig.digest.keys - own}`);
  t.true(rig.count('refused:budget') > 0);
  rig.clock.advance(3_000);
  peer.hello();
  t.is(rig.count('sessions'), 1);
});

test('1 MB of noise between two frames costs nothing but its count', async t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const { device, rig, peer, link } = await talking(t);
  const [a, b] = device.sealMany(0, 2);
  peer.reading(a);
  const noise = Uint8Array.from({ length: 1_000_000 }, () => Math.floor(random() * 256));
  for (let at = 0; at < noise.length; at += 1_460) peer.raw(noise.subarray(at, at + 1_460));
  peer.raw(Uint8Array.of(0));
  peer.reading(b);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1']);
  t.true(link.open);
  const status = rig.intake.status().links.find(({ device: of }) => of === device.idText)!;
  t.true(status.noiseBytes > 990_000);
});

test('a frame that claims more than it has, or is longer than 4,096 bytes, is passed over', async t => {
  const { device, rig, peer } = await talking(t);
  const [a] = device.sealMany(0, 1);
  peer.raw(Uint8Array.of(0xff, 1, 2, 3, 0)); // a COBS block of 254 bytes that has 3
  peer.raw(new Uint8Array(5_000).fill(0x41));
  peer.raw(Uint8Array.of(0));
  const envelope = a.bytes.slice();
  envelope[17] = 0x59; // the payload's length now has two bytes, and says more than there is
  peer.reading(envelope);
  peer.reading(a);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0']);
  t.is(rig.count('refused:malformed'), 1);
  const status = rig.intake.status().links[0];
  t.like(status, { noiseFrames: 1, oversized: 1 });
});

test('frames cut into single bytes are frames still', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 5);
  for (const one of sealed)
    for (const byte of peer.frame(FrameType.reading, one.bytes)) peer.raw(Uint8Array.of(byte));
  await rig.synced();
  t.is(rig.durable.length, 5);
});

test('a downlink recorded in one session says nothing in the next, and numbers never repeat', async t => {
  const { device, rig, peer } = await talking(t);
  peer.readings(device.sealMany(0, 1));
  await rig.synced();
  const first = peer.receipt!;
  rig.clock.advance(500);
  peer.knock();
  peer.hello({ next: 1 });
  const second = peer.receipt!;
  t.not(first.gateway, second.gateway);
  t.not(first.device, second.device);
  const seen = new Set(peer.said.map(({ gateway, device: of, counter }) => `${gateway} ${of} ${counter}`));
  t.is(seen.size, peer.said.length);
});

test('a TCP client that sends one byte a minute is closed after ten seconds; serial links may stay', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const slow = rig.connect(device);
  const cable = rig.connect(device, rig.serial);
  slow.peer.raw(Uint8Array.of(1));
  rig.clock.advance(9_900);
  t.true(slow.link.open);
  rig.clock.advance(200);
  t.false(slow.link.open);
  t.is(rig.count('closed:unauthenticated'), 1);
  rig.clock.advance(600_000);
  t.true(cable.link.open);
});

test('1,000 connections that say nothing crowd each other out, not the device that has something to say', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const honest = rig.connect(device);
  honest.peer.hello();
  const silent = Array.from({ length: 1_000 }, (_, i) => rig.tcp.connect(`tcp:198.51.100.${i % 250}`));
  t.is(silent.filter(({ open }) => open).length, 128);
  t.is(rig.count('closed:crowded-out'), 872);
  t.true(
    silent.slice(-128).every(({ open }) => open),
    'the oldest went',
  );
  honest.peer.readings(device.sealMany(0, 3));
  await rig.synced();
  t.like(honest.peer.receipt, { seq: 2 });
  rig.clock.advance(10_000);
  t.is(silent.filter(({ open }) => open).length, 0);
  t.is(rig.intake.status().links.length, 1);
});

test('the largest sequence there is, from whoever has the key: no gap begins beyond it', async t => {
  const { device, rig, peer } = await talking(t);
  const last = Number.MAX_SAFE_INTEGER;
  peer.hello({ next: last, oldest: { epoch: 0, seq: last } });
  const record = new Map<number, string | number>([
    [0, 'x'],
    [2, 1],
  ]);
  const reading = new Map<number, number | Uint8Array | (typeof record)[]>([
    [0, 1],
    [1, 0],
    [2, last],
    [3, 0],
    [5, new Uint8Array(8)],
    [6, [record]],
  ]);
  const header = encodeValue(
    new Map<number, number | Uint8Array>([
      [1, 5],
      [4, device.id],
    ]),
  );
  const payload = encodeValue(reading);
  const mac = createHmac('sha256', device.sealKey(0));
  mac.update(encodeValue(['MAC0', header, new Uint8Array(0), payload]));
  peer.reading(encodeValue([header, new Map(), payload, new Uint8Array(mac.digest())]));
  await rig.synced();
  device.startEpoch(1);
  peer.reading(device.seal(1));
  await rig.synced();
  t.deepEqual(rig.story(), [`gap 0/0..0/${last}`, `0/${last}`, '1/0']);
});
