import test from 'ava';
import { VirtualFlash } from '../../boards/virtual/flash.js';
import { EnvelopeReader, fromUtf8, Kind, readRecords } from '../../firmware/seal/index.js';
import { KeyStore } from '../../firmware/store/key-store.js';
import { difference, names, type Sealed, World } from './world.js';

function records({ bytes }: { bytes: Uint8Array }): Record<string, unknown> {
  const reader = new EnvelopeReader();
  if (reader.parse(bytes, 0, bytes.length) !== '') throw new Error('unreadable');
  const list = readRecords(bytes, reader.recordsAt, reader.recordsEnd);
  return Object.fromEntries(list.map(({ n, v, vs, vb, vd }) => [n, v ?? vs ?? vb ?? (vd && fromUtf8(vd))]));
}

test('the first reading of an epoch says why it began; heartbeats say what lies behind', t => {
  const world = new World({ ratePerSecond: 1, settings: { restart: 'watchdog' } });
  world.run(200_000);
  const [start] = world.sealed;
  t.is(start.kind, Kind.start);
  t.like(records(start), { reason: 'watchdog', firmware: 'test 1' });
  t.deepEqual(Object.keys(records(start)), ['reason', 'firmware', 'nonce']);
  const beats = world.sealed.filter(({ kind }) => kind === Kind.heartbeat);
  t.is(beats.length, 3);
  for (const beat of beats) {
    const said = records(beat);
    t.is(said['next-sequence'], beat.seq + 1);
    t.is(said['free-memory'], 40_000);
    t.is(said.losses, 0);
    t.true(typeof said.backlog === 'number');
  }
});

test('a quiet device names its losses also when its epoch is full', t => {
  const world = new World({ ratePerSecond: 5, limits: { maxEpochReadings: 6 }, backlogBytes: 2_100 });
  world.linked = false;
  const { device } = world;
  const { losses } = device.retained;
  for (let ms = 0; ms < 60_000 && !(device.rotation.full && losses.unnamed); ms += 10) world.run(10);
  t.true(device.rotation.full && losses.unnamed);
  device.quiet = true;
  world.linked = true;
  world.settle();
  t.is(device.retained.count, 0);
  t.false(losses.unnamed);
});

test('two boards that began with one memory never seal alike', t => {
  const one = new World({ seed: 1 });
  one.run(1_000);
  const { image } = one.flash;
  const flash = () => new VirtualFlash({ sectors: one.flash.sectors, image: image.slice() });
  const copies = [new World({ seed: 2, flash: flash() }), new World({ seed: 3, flash: flash() })];
  for (const copy of copies) copy.run(1_000);
  const [first, second] = copies.map(({ sealed }) => sealed);
  t.is(first[0].epoch, second[0].epoch);
  t.notDeepEqual(names(first.slice(0, 1)), names(second.slice(0, 1)));
});

test('an epoch ends at its limit with a final reading, and the next one begins', t => {
  const world = new World({ ratePerSecond: 20, limits: { maxEpochReadings: 50 } });
  world.run(12_000);
  world.settle();
  const epochs = new Map<number, Sealed[]>();
  for (const reading of world.sealed) {
    epochs.set(reading.epoch, [...(epochs.get(reading.epoch) ?? []), reading]);
  }
  t.true(epochs.size >= 5);
  for (const [epoch, readings] of epochs) {
    t.deepEqual(
      readings.map(({ seq }) => seq),
      readings.map((_, i) => i),
    );
    t.is(readings[0].kind, Kind.start);
    t.is(records(readings[0]).reason, epoch === 0 ? 'power-on' : 'rotation');
    if (epoch === epochs.size - 1) continue;
    t.is(readings.length, 50);
    t.is(readings[49].kind, Kind.final);
  }
  t.is(difference(world.gateway.accepted, world.sealed), '');
  t.is(world.gateway.verdicts.gap, 0);
});

test('an epoch ends after its time too', t => {
  const world = new World({ ratePerSecond: 1, limits: { maxEpochMs: 20_000 } });
  world.run(65_000);
  t.is(world.device.epoch, 3);
  t.is(world.sealed.filter(({ kind }) => kind === Kind.final).length, 3);
});

test('nothing of an epoch goes out before everything held of the one before is receipted', t => {
  const world = new World({ ratePerSecond: 50, limits: { maxEpochReadings: 20 }, syncMs: 1e9 });
  world.run(3_000);
  t.is(world.gateway.accepted.length, 20);
  t.true(world.gateway.accepted.every(({ epoch }) => epoch === 0));
  world.gateway.sync();
  world.run(1_000);
  t.is(world.gateway.accepted.length, 40);
  t.is(world.gateway.verdicts.early, 0);
});

for (const seed of [11, 12, 13]) {
  test(`rotations over a bad link lose nothing (seed ${seed})`, t => {
    const trouble = { drop: 0.1, duplicate: 0.1, corrupt: 0.05, reorder: 0.1 };
    const world = new World({ seed, trouble, ratePerSecond: 20, limits: { maxEpochReadings: 37 } });
    world.run(30_000);
    world.settle();
    t.is(difference(world.gateway.accepted, world.sealed), '');
  });
}

test('a reboot begins an epoch of its own, whose first reading is the next one', t => {
  const world = new World({ ratePerSecond: 20 });
  for (let i = 0; i < 5; i++) {
    world.run(2_000);
    world.boot();
  }
  world.run(1_000);
  world.settle();
  t.is(world.device.epoch, 5);
  const arrived = new Set(names(world.gateway.accepted));
  t.true(names(world.receipted).every(name => arrived.has(name)));
  t.is(world.gateway.verdicts.fork, 0);
});

test('a flash that fails at rotation keeps the epoch going and is tried again', t => {
  const limits = { maxEpochReadings: 30, flashRetryMs: 5_000 };
  const world = new World({ ratePerSecond: 10, limits });
  world.flash.failAfter(0);
  world.run(4_500);
  t.is(world.device.rotation.fault, 'flash erase failed');
  t.true(world.device.nextSeq > 30);
  t.is(world.device.epoch, 0);
  world.run(5_000);
  t.is(world.device.rotation.fault, '');
  t.is(world.device.epoch, 1);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
});

test('advance: the device ratchets, makes the key durable, and goes on in that epoch', t => {
  const world = new World({ ratePerSecond: 10 });
  world.run(2_000);
  world.gateway.advance(300);
  world.run(2_000);
  t.is(world.device.epoch, 300);
  const start = world.sealed.find(({ epoch }) => epoch === 300);
  t.is(start?.seq, 0);
  t.is(records(start!).reason, 'advance');
  const store = new KeyStore(world.flash);
  t.is(store.load(), 'ready');
  t.is(store.slots.epoch, 301);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
  // Backwards, or further than any honest gateway would say: not obeyed.
  world.gateway.advance(12);
  world.gateway.advance(300 + 5_000);
  world.run(2_000);
  t.is(world.device.epoch, 300);
  t.is(world.device.rotation.refused, 1);
});

test('advance right after a hello that said that nothing is held', t => {
  const world = new World({ ratePerSecond: 1 });
  world.run(2_500);
  t.is(world.device.retained.count, 0);
  world.gateway.challenge();
  world.run(200);
  const said = world.gateway.hellos.at(-1)!;
  t.is(said.backlog, 0);
  world.gateway.advance(300);
  world.run(20_000);
  // It had to say hello again: what lies between that word and its new epoch nobody had told of.
  t.is(world.gateway.hellos.at(-1)!.epoch, 300);
  t.is(world.gateway.accepted.at(-1)!.epoch, 300);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
});

test('a restored image is sent forward, its forks are refused, and what follows arrives', t => {
  const world = new World({ ratePerSecond: 10 });
  world.run(500);
  const image = world.flash.image.slice();
  world.boot();
  world.run(5_000);
  const sealedBefore = world.sealed.length;
  const epochBefore = world.device.epoch;
  world.flash.image.set(image);
  world.boot('brown-out'); // seals under an epoch that was used
  t.is(world.device.epoch, epochBefore);
  world.run(20_000);
  world.settle();
  t.true(world.device.epoch > epochBefore);
  t.true(world.gateway.verdicts.fork > 0);
  t.is(world.device.retained.count, 0);
  const { accepted } = world.gateway;
  t.is(accepted[accepted.length - 1].epoch, world.device.epoch);
  const forked = world.sealed.slice(sealedBefore).filter(({ epoch }) => epoch === epochBefore);
  t.is(world.lost.length, forked.length);
  t.true(accepted.some(({ kind }) => kind === Kind.loss));
});

test('readings that the gateway neither takes nor refuses are given up, named, and do not block', t => {
  const world = new World({ ratePerSecond: 10 });
  world.gateway.refuses = false;
  world.run(500);
  const image = world.flash.image.slice();
  world.boot();
  world.run(5_000);
  world.gateway.restart();
  world.flash.image.set(image);
  world.boot();
  // The gateway no longer remembers tags: it calls what comes stale and only repeats its receipt.
  const { gateway } = world;
  gateway.forgetTags();
  world.run(30_000);
  world.settle();
  t.true(gateway.verdicts.stale > 0);
  t.is(world.device.retained.count, 0);
  t.true(world.lost.length > 0);
  t.is(gateway.accepted[gateway.accepted.length - 1].epoch, world.device.epoch);
});

test('refuse drops the reading whose tag it names, and no other', t => {
  const world = new World({ ratePerSecond: 10, syncMs: 1e9 });
  world.run(2_000);
  const { gateway, device } = world;
  device.quiet = true;
  const held = device.retained.count;
  gateway.refuse(0, 3, new Uint8Array(8));
  world.run(10);
  t.is(device.retained.count, held);
  const { bytes } = world.sealed[3];
  gateway.refuse(0, 3, bytes.slice(bytes.length - 32, bytes.length - 24));
  world.run(10);
  t.deepEqual(world.lost, [[0, 3]]);
  t.is(device.retained.count, held); // one less, and the loss that names it
  device.quiet = false;
  world.run(3_000);
  const loss = world.sealed.find(({ kind }) => kind === Kind.loss);
  t.deepEqual(records(loss!), { lost: 1, 'lost-range': '0:3-3' });
  gateway.sync();
  world.settle();
  t.is(device.retained.count, 0);
  t.is(world.receipted.length, world.sealed.length - 1);
});
