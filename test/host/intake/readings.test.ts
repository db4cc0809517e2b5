import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { toHex } from '../../../firmware/seal/index.js';
import { Fault } from '../../../host/fault.js';
import type { Sealed } from '../../support/virtual-peer.js';
import { identity, Rig, temporary } from './rig.js';

/** A device with a session, having sent `sealed`. */
async function talking(t: Parameters<typeof Rig.start>[0], epochs = 0) {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const connection = rig.connect(device);
  connection.peer.hello({ epoch: epochs });
  return { device, rig, ...connection };
}

function evidence(rig: Rig): { verdict: string; refused: { bytes: string }; held?: { bytes?: string } }[] {
  const directory = join(rig.directory, 'evidence');
  return readdirSync(directory).map(name => JSON.parse(readFileSync(join(directory, name), 'utf8')));
}

const base64 = (sealed: Sealed) => Buffer.from(sealed.bytes).toString('base64url');

test('what comes in order is journalled as it is, byte for byte', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 50);
  peer.readings(sealed);
  await rig.synced();
  t.deepEqual(
    rig.durable.map(entry => entry.kind === 'reading' && toHex(entry.bytes)),
    sealed.map(({ bytes }) => toHex(bytes)),
  );
  t.like(peer.receipt, { epoch: 0, seq: 49, tag8: sealed[49].tag8 });
  t.true(peer.of(1).length < 10, 'one receipt a batch');
});

test('early: not stored, and the receipt says again how far it is', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 4);
  peer.reading(sealed[0]);
  await rig.synced();
  rig.clock.advance(50);
  peer.reading(sealed[2]);
  t.like(peer.receipt, { counter: 3, seq: 0 });
  peer.reading(sealed[3]);
  t.is(peer.receipt!.counter, 3, 'not faster than the limit');
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0']);
  peer.readings(sealed.slice(1));
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1', '0/2', '0/3']);
});

test('gap: when an authentic hello says that the rest is gone, a gap record comes before the reading', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 10);
  peer.readings(sealed.slice(0, 2));
  peer.reading(sealed[6]);
  t.is(rig.count('early'), 1);
  rig.clock.advance(500);
  peer.knock();
  peer.hello({ next: 10, oldest: { epoch: 0, seq: 6 }, losses: 4 });
  peer.readings(sealed.slice(6));
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1', 'gap 0/2..0/6', '0/6', '0/7', '0/8', '0/9']);
  t.is(rig.device(device).losses, 4);
});

test('an epoch that did not end with a final reading leaves a gap record for its tail, one that did leaves none', async t => {
  const { device, rig, peer } = await talking(t);
  device.startEpoch(0);
  peer.reading(device.seal(1));
  peer.reading(device.seal(2, 3)); // final
  device.startEpoch(1);
  peer.reading(device.seal(3));
  device.startEpoch(4);
  peer.reading(device.seal(4));
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1', '1/0', 'gap 1/1..4/0', '4/0']);
});

test('a later epoch is early while the hello says that something before it is still held', async t => {
  const { device, rig, peer } = await talking(t);
  const old = device.sealMany(0, 3);
  peer.reading(old[0]);
  rig.clock.advance(500);
  peer.knock();
  peer.hello({ epoch: 1, next: 1, oldest: { epoch: 0, seq: 1 } });
  device.startEpoch(1);
  const fresh = device.seal(9);
  peer.reading(fresh);
  t.is(rig.count('early'), 1);
  peer.readings([old[1], old[2], fresh]);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1', '0/2', 'gap 0/3..1/0', '1/0']);
});

test('replay: answered by the receipt, not stored twice', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 3);
  peer.readings(sealed);
  await rig.synced();
  rig.clock.advance(50);
  peer.reading(sealed[1]);
  t.like(peer.receipt, { seq: 2, tag8: sealed[2].tag8 });
  t.is(rig.count('replay'), 1);
  t.is(rig.durable.length, 3);
});

test('stale: past what is remembered, answered by the receipt and counted', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 600);
  peer.readings(sealed);
  await rig.synced();
  rig.clock.advance(50);
  peer.reading(sealed[0]);
  t.is(rig.count('stale'), 1);
  t.like(peer.receipt, { seq: 599 });
  t.is(rig.durable.length, 600);
});

test('fork: both envelopes are durable evidence before the device is told to drop its own', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 3);
  peer.readings(sealed);
  await rig.synced();
  const other = device.sealMany(0, 3, 77); // a clone, in the same epoch
  peer.reading(other[1]);
  t.is(peer.of(3).length, 0, 'not before the disk has it');
  await rig.quiet(() => peer.of(3).length > 0);
  t.like(peer.of(3)[0], { authentic: true, epoch: 0, seq: 1, tag8: other[1].tag8 });
  const [pair] = evidence(rig);
  t.like(pair, { verdict: 'fork', refused: { bytes: base64(other[1]) }, held: { bytes: base64(sealed[1]) } });
  t.like(peer.of(4)[0], { authentic: true, epoch: 1 }, 'and to go on in a later epoch');
  t.is(rig.durable.length, 3);
});

test('fork: a successor that does not follow from the last reading', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 2);
  peer.readings(sealed);
  await rig.synced();
  const other = device.sealMany(0, 3, 77);
  peer.reading(other[2]);
  await rig.quiet(() => peer.of(3).length > 0);
  t.like(peer.of(3)[0], { epoch: 0, seq: 2, tag8: other[2].tag8 });
  t.like(evidence(rig)[0], { refused: { bytes: base64(other[2]) }, held: { bytes: base64(sealed[1]) } });
  peer.reading(other[2]); // the refusal was lost
  await rig.quiet(() => peer.of(3).length > 1);
  t.is(evidence(rig).length, 1, 'the same pair is kept once');
});

test('the same pair after a restart is refused at once', async t => {
  const device = identity();
  const before = await Rig.start(t, [device.entry()]);
  const one = before.connect(device);
  one.peer.hello();
  one.peer.readings(device.sealMany(0, 2));
  await before.synced();
  const forked = device.sealMany(0, 2, 77)[1];
  one.peer.reading(forked);
  await before.quiet(() => one.peer.of(3).length > 0);
  await before.stop();
  const rig = await Rig.start(t, [device.entry()], {}, before.directory);
  const two = rig.connect(device);
  two.peer.hello({ next: 2 });
  two.peer.reading(forked);
  await rig.quiet(() => two.peer.of(3).length > 0);
  t.is(evidence(rig).length, 1);
  t.is(rig.intake.status().evidence.stored, 1);
});

test('a fork whose evidence the disk refuses is not refused to the device, until the disk takes it', async t => {
  const { device, rig, peer } = await talking(t);
  peer.readings(device.sealMany(0, 2));
  await rig.synced();
  const forked = device.sealMany(0, 2, 77)[1];
  const directory = join(rig.directory, 'evidence');
  rmSync(directory, { recursive: true });
  peer.reading(forked);
  await rig.quiet(() => rig.count('evidence:failed') > 0);
  t.is(peer.of(3).length, 0);
  t.is(rig.events('evidence-unwritable').length, 1);
  mkdirSync(directory);
  peer.reading(forked);
  await rig.quiet(() => peer.of(3).length > 0);
  t.is(evidence(rig).length, 1);
});

test('evidence has a share for each device, beyond which it is counted', async t => {
  const { device, rig, peer } = await talking(t);
  peer.readings(device.sealMany(0, 80));
  await rig.synced();
  const forked = device.sealMany(0, 80, 500);
  for (const one of forked) {
    peer.reading(one);
    if (one.seq % 20 === 19) await rig.quiet(() => peer.of(3).length > one.seq - 1);
  }
  await rig.quiet(() => peer.of(3).length >= 80);
  t.is(evidence(rig).length, 64);
  t.like(rig.intake.status().evidence, { stored: 64, beyond: 16 });
});

test('however many forks come, the journal is looked into by one at a time, and not for pairs beyond the share', async t => {
  const { device, rig, peer } = await talking(t);
  peer.readings(device.sealMany(0, 100));
  await rig.synced();
  let looks = 0;
  let now = 0;
  let most = 0;
  const { journal } = rig;
  const open = journal.reader.bind(journal);
  journal.reader = from => {
    looks++;
    most = Math.max(most, ++now);
    const reader = open(from);
    const close = reader.close.bind(reader);
    reader.close = () => {
      now--;
      return close();
    };
    return reader;
  };
  const forked = device.sealMany(0, 100, 500);
  for (let round = 0; round < 5; round++) peer.readings(forked);
  await rig.quiet(() => rig.intake.status().evidence.stored === 64 && now === 0);
  peer.readings(forked);
  await rig.quiet();
  t.is(most, 1);
  t.is(looks, 64);
});

test('a device whose memory was set back to an earlier epoch is told to go past what was accepted', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const one = rig.connect(device);
  one.peer.hello();
  one.peer.readings(device.sealMany(0, 2));
  one.peer.readings(device.sealMany(3, 2));
  await rig.synced();
  const two = rig.connect(device);
  two.peer.hello({ epoch: 2 });
  t.like(two.peer.of(4)[0], { authentic: true, epoch: 4 });
  two.peer.readings(device.sealMany(4, 1));
  await rig.synced();
  t.is(rig.story().at(-1), '4/0');
  rig.clock.advance(5_000);
  two.peer.readings(device.sealMany(4, 1));
  t.is(two.peer.of(4).length, 1, 'not again, when it has come there');
});

test('a device that holds old readings but not the one receipted is let go of them one by one', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 3);
  peer.readings(sealed);
  await rig.synced();
  for (let i = 0; i < 5; i++) {
    rig.clock.advance(1_000);
    peer.reading(sealed[0]);
  }
  t.like(peer.receipt, { seq: 0, tag8: sealed[0].tag8 }, 'durable too, and the one that it knows');
  rig.clock.advance(100);
  peer.reading(sealed[1]);
  t.like(peer.receipt, { seq: 1, tag8: sealed[1].tag8 }, 'at once: it has heard');
});

test('a device that sends all its old readings each time is let go of them at the pace of receipts (simulation, seed 31000418)', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 5);
  peer.readings(sealed);
  await rig.synced();
  let held = sealed.slice(0, 4); // not the one that the receipt names
  for (let times = 0; times < 8 && held.length > 0; times++) {
    rig.clock.advance(1_000);
    for (const one of held) {
      peer.reading(one);
      if (peer.receipt?.tag8 === held[0].tag8) held = held.slice(1);
    }
  }
  t.deepEqual(held, []);
});

test('recordings contradict nothing beside a device that hears no receipt (simulation, seed 6084289)', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 600);
  peer.readings(sealed);
  await rig.synced();
  for (let i = 0; i < 10; i++) {
    rig.clock.advance(8_000);
    peer.reading(sealed[599]);
    if (i === 5) peer.readings(sealed.slice(0, 5)); // no longer remembered
  }
  await rig.quiet();
  t.is(rig.count('stale'), 5);
  t.deepEqual(peer.of(3), []);
  t.deepEqual(evidence(rig), []);
});

test('a stale reading that the device cannot let go becomes evidence, and is refused', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 600);
  peer.readings(sealed);
  await rig.synced();
  for (let i = 0; i < 5; i++) {
    rig.clock.advance(1_000);
    peer.reading(sealed[0]);
  }
  await rig.quiet(() => peer.of(3).length > 0);
  t.like(peer.of(3)[0], { seq: 0, tag8: sealed[0].tag8 });
  t.is(evidence(rig)[0].verdict, 'stale');
});

test('recordings of old readings contradict nothing while the device waits for the disk, or has gone on', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 603);
  peer.readings(sealed.slice(0, 600));
  await rig.synced();
  for (let i = 0; i < 5; i++) {
    peer.reading(sealed[600]); // not durable before the next await
    rig.clock.advance(1_000);
  }
  peer.reading(sealed[0]);
  await rig.synced();
  peer.reading(sealed[601]);
  for (let i = 0; i < 5; i++) {
    peer.reading(sealed[599]); // lets go of it one by one
    rig.clock.advance(1_000);
  }
  peer.reading(sealed[602]);
  peer.readings([sealed[1], sealed[2]]);
  let turns = 0;
  await rig.quiet(() => ++turns > 50); // as long as evidence would take
  t.is(rig.count('stale'), 3);
  t.deepEqual([peer.of(3), peer.of(4), evidence(rig)], [[], [], []]);
});

test('while the journal takes nothing, readings are dropped without a receipt, and nothing is lost', async t => {
  const { device, rig, peer } = await talking(t);
  const sealed = device.sealMany(0, 4);
  peer.reading(sealed[0]);
  await rig.synced();
  rig.stalled = true;
  const said = peer.said.length;
  peer.readings(sealed.slice(1));
  t.is(rig.count('busy') + rig.count('early'), 3);
  t.is(rig.count('busy'), 1);
  rig.stalled = false;
  t.true(peer.said.slice(said).every(({ seq }) => seq === 0));
  peer.readings(sealed.slice(1));
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', '0/1', '0/2', '0/3']);
});

test('a gap is journalled once, although the reading behind it had to come twice', async t => {
  const { device, rig, peer } = await talking(t);
  peer.readings(device.sealMany(0, 1));
  const [late] = device.sealMany(2, 1);
  const append = rig.journal.append.bind(rig.journal);
  let calls = 0;
  rig.journal.append = entry => ++calls !== 2 && append(entry); // takes the gap, not the reading
  peer.reading(late);
  t.is(rig.count('busy'), 1);
  peer.reading(late);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0', 'gap 0/1..2/0', '2/0']);
});

test('an evidence directory that cannot be used is a Fault with a remedy, before anything is taken in', async t => {
  const directory = temporary(t);
  writeFileSync(join(directory, 'evidence'), 'not a directory');
  const fault = await t.throwsAsync<Fault>(Rig.start(t, [identity().entry()], {}, directory), {
    instanceOf: Fault,
  });
  t.is(fault?.code, 'evidence-unusable');
  t.true(fault?.message.includes(directory));
});
