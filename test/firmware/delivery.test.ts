import test from 'ava';
import { difference, names, World } from './world.js';

test('everything sealed arrives once, in order, over a healthy link', t => {
  const world = new World({ ratePerSecond: 20 });
  world.run(30_000);
  world.settle();
  t.true(world.sealed.length > 590);
  t.is(difference(world.gateway.accepted, world.sealed), '');
  t.is(difference(world.receipted, world.sealed), '');
  t.is(world.device.sender.resent, 0);
  t.is(world.gateway.hellos.length, 1);
  t.is(world.gateway.verdicts.next, world.sealed.length);
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`everything sealed arrives once, in order, over a bad link (seed ${seed})`, t => {
    const trouble = { drop: 0.1, duplicate: 0.1, corrupt: 0.1, reorder: 0.1 };
    const world = new World({ seed, trouble, ratePerSecond: 20, syncMs: 1 + 7 * seed });
    world.run(60_000);
    world.settle();
    t.log('seed', seed, world.gateway.verdicts, 'resent', world.device.sender.resent);
    t.is(difference(world.gateway.accepted, world.sealed), '');
    t.is(difference(world.receipted, world.sealed), '');
    t.is(world.gateway.verdicts.fork + world.gateway.verdicts.stale + world.gateway.verdicts.gap, 0);
    t.is(world.gateway.forged, 0);
  });
}

test('a gateway that stores slowly is not flooded with readings sent again', t => {
  const world = new World({ ratePerSecond: 50, syncMs: 5_000 });
  world.run(60_000);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
  t.true(world.device.sender.resent < 20 * 64 * 12, `${world.device.sender.resent}`);
});

test('nothing is freed while the gateway receipts nothing, and all of it when it does', t => {
  const world = new World({ syncMs: 100_000 });
  world.run(20_000);
  t.is(world.receipted.length, 0);
  t.is(world.device.retained.count, world.sealed.length);
  world.gateway.sync();
  world.settle();
  t.is(difference(world.receipted, world.sealed), '');
});

test('a receipt with another tag frees nothing', t => {
  const world = new World({ syncMs: 100_000 });
  world.run(3_000);
  const { gateway } = world;
  gateway.receipt({ ...gateway.position!, tag8: new Uint8Array(8) });
  world.run(10);
  t.is(world.receipted.length, 0);
  t.is(world.device.retained.mismatched, 1);
  gateway.sync();
  world.run(10);
  t.true(world.receipted.length > 0);
});

test('the window bounds what is in flight, in entries and in bytes', t => {
  const entries = new World({ ratePerSecond: 50, syncMs: 1e9, limits: { windowEntries: 7 } });
  entries.run(5_000);
  t.is(entries.device.sender.inFlight, 7);
  t.is(entries.gateway.accepted.length, 7);
  const bytes = new World({ ratePerSecond: 50, syncMs: 1e9, limits: { windowBytes: 1_000 } });
  bytes.run(5_000);
  const sent = bytes.gateway.accepted.reduce((sum, { bytes: { length } }) => sum + length, 0);
  t.true(sent > 800 && sent <= 1_000, `${sent}`);
});

test('a killed gateway comes back and takes up where it was durable', t => {
  const world = new World({ ratePerSecond: 20, syncMs: 300 });
  for (let i = 0; i < 20; i++) {
    world.run(700 + 137 * i);
    // What it had accepted and not made durable is gone.
    world.gateway.restart();
    const { durable } = world.gateway;
    const kept = world.gateway.accepted.filter(
      ({ epoch, seq }) =>
        durable && (epoch < durable.epoch || (epoch === durable.epoch && seq <= durable.seq)),
    );
    world.gateway.accepted.splice(0, world.gateway.accepted.length, ...kept);
    world.gateway.challenge();
  }
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
});

test('a full backlog loses the oldest, says which in a sealed reading, and goes on', t => {
  const world = new World({ ratePerSecond: 20, backlogBytes: 8_192 });
  world.run(5_000);
  world.linked = false;
  world.device.linkDown();
  world.run(30_000);
  world.linked = true;
  world.device.linkUp();
  world.run(5_000);
  world.settle();
  t.true(world.lost.length > 400);
  const { accepted, verdicts } = world.gateway;
  const lost = new Set(world.lost.map(([epoch, seq]) => `${epoch}:${seq}`));
  const kept = names(world.sealed.filter(({ epoch, seq }) => !lost.has(`${epoch}:${seq}`)));
  t.deepEqual(names(world.receipted), kept);
  // A reading may be lost to the device and yet have arrived: its receipt was on the way.
  const arrived = new Set(names(accepted));
  t.true(kept.every(name => arrived.has(name)));
  t.true(accepted.length < kept.length + 5);
  t.is(verdicts.gap, 1);
  const [first, last] = [world.lost[0], world.lost[world.lost.length - 1]];
  t.is(last[1] - first[1] + 1, world.lost.length);
  const losses = accepted.filter(({ kind }) => kind === 5);
  t.true(losses.length > 0);
  const named = Buffer.from(losses[losses.length - 1].bytes).toString('latin1');
  t.true(named.includes(`0:${first[1]}-${last[1]}`), named);
  t.is(world.device.retained.losses.total, world.lost.length);
  t.is(world.gateway.hellos[world.gateway.hellos.length - 1].losses > 0, true);
});

test('with a full backlog and a poll for each reading, what a hello names goes out before it makes room', t => {
  const world = new World({ ratePerSecond: 10, backlogBytes: 8_192, tickMs: 100 });
  world.run(5_000);
  world.linked = false;
  world.device.linkDown();
  world.run(30_000);
  const lost = world.lost.length;
  t.true(lost > 100);
  world.linked = true;
  world.device.linkUp();
  world.run(20_000);
  t.true(world.lost.length - lost < 15, `${world.lost.length - lost} lost since the gateway is back`);
  world.settle();
  t.is(world.gateway.verdicts.gap, 1);
});

test('readings lost while a session is open make the device say so in a new hello', t => {
  const world = new World({ ratePerSecond: 20, backlogBytes: 8_192, syncMs: 10_000 });
  world.run(60_000);
  world.settle();
  t.true(world.lost.length > 0);
  t.true(world.gateway.hellos.length > 1);
  const arrived = new Set(names(world.gateway.accepted));
  t.true(names(world.receipted).every(name => arrived.has(name)));
  t.is(world.receipted.length + world.lost.length, world.sealed.length);
});

test('a wire without room is tried again', t => {
  const world = new World({ ratePerSecond: 20 });
  world.trouble = { drop: 1 };
  world.run(2_000);
  world.trouble = {};
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
});
