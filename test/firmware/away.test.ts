import test from 'ava';
import { PowerCut } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { Kind } from '../../firmware/seal/index.js';
import type { FlashBacklog } from '../../firmware/store/flash-backlog.js';
import { freshSeed } from '../support/prng.js';
import { difference, names, type Sealed, World } from './world.js';

const kept = (world: World) => (world.backlog as FlashBacklog).kept;

function away(world: World): void {
  world.linked = false;
  world.device.linkDown();
}

function back(world: World): void {
  world.linked = true;
  world.device.linkUp();
}

const without = (sealed: readonly Sealed[], gone: readonly Sealed[]) => {
  const names = new Set(gone.map(({ epoch, seq }) => `${epoch}:${seq}`));
  return sealed.filter(({ epoch, seq }) => !names.has(`${epoch}:${seq}`));
};

test('a healthy link writes nothing to flash but the key of the next epoch', t => {
  const world = new World({ ratePerSecond: 20, backlogSectors: 16 });
  world.run(1_000);
  const { erases, programs } = world.flash;
  world.run(120_000);
  world.settle();
  t.is(world.flash.erases, erases);
  t.is(world.flash.programs, programs);
  t.is(difference(world.gateway.accepted, world.sealed), '');
});

test('a slow sensor on a healthy link writes nothing either', t => {
  const world = new World({ ratePerSecond: 1 / 30, backlogSectors: 16 });
  world.run(1_000);
  const { programs } = world.flash;
  world.run(600_000);
  t.is(world.flash.programs, programs);
});

test('what was sealed while the gateway was away goes out first after reboots, in order', t => {
  const world = new World({ ratePerSecond: 5, backlogSectors: 40 });
  world.run(3_000);
  away(world);
  const died: Sealed[] = [];
  for (let i = 0; i < 4; i++) {
    world.run(40_000 + 777 * i);
    died.push(...world.sealed.slice(world.sealed.length - (world.backlog.count - kept(world))));
    world.boot();
    away(world);
    t.true(world.device.retained.count > 100 * i);
  }
  t.true(died.length <= 4 * 5 * 11, `${died.length}`);
  world.run(30_000);
  back(world);
  world.run(3_000);
  world.settle();
  t.is(difference(world.gateway.accepted, without(world.sealed, died)), '');
  t.is(difference(world.receipted, without(world.sealed, died)), '');
  t.is(world.device.retained.losses.total, 0);
  t.is(kept(world), 0);
  // And after the next reboot nothing of it comes again.
  const accepted = world.gateway.accepted.length;
  const { replay } = world.gateway.verdicts;
  world.boot();
  world.run(3_000);
  world.settle();
  t.is(world.gateway.verdicts.replay, replay);
  t.true(world.gateway.accepted.length > accepted);
});

test('a gateway that takes readings and never receipts them counts as away', t => {
  const world = new World({ ratePerSecond: 5, backlogSectors: 40, syncMs: 1e9 });
  world.run(60_000);
  t.true(kept(world) > 200);
  world.boot();
  world.gateway.sync();
  world.run(5_000);
  world.gateway.sync();
  world.settle();
  t.is(world.gateway.verdicts.fork, 0);
});

test('a full flash loses the oldest, names them, and goes on', t => {
  const world = new World({ ratePerSecond: 20, backlogSectors: 5 });
  world.run(2_000);
  away(world);
  world.run(120_000);
  t.true(world.lost.length > 1_000);
  const [first] = world.lost;
  back(world);
  world.run(3_000);
  world.settle();
  const { accepted } = world.gateway;
  const losses = accepted.filter(({ kind }) => kind === Kind.loss);
  const named = losses.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join(' ');
  const last = world.lost[world.lost.length - 1];
  t.true(named.includes(`0:${first[1]}-${last[1]}`), named.slice(-200));
  t.is(world.receipted.length + world.lost.length, world.sealed.length);
  t.is(world.gateway.verdicts.gap, 1);
});

test('readings that rot in flash are named, a new hello says so, and what follows arrives', t => {
  const world = new World({ ratePerSecond: 5, backlogSectors: 40 });
  world.run(3_000);
  away(world);
  world.run(60_000);
  world.device.quiet = true;
  world.run(20_000);
  const held = world.sealed.slice(world.sealed.length - world.backlog.count);
  t.is(kept(world), held.length);
  // One loses a bit of its bytes, two others, side by side, of their heads.
  const rot = (reading: Sealed, offset: number) => {
    const at = Buffer.from(world.flash.image).indexOf(reading.bytes);
    world.flash.image[at + offset] ^= 4;
  };
  const broken = [held[10], held[50], held[51], held[held.length - 1]];
  rot(broken[0], 60);
  rot(broken[1], -1);
  rot(broken[2], -9);
  rot(broken[3], 80);
  world.linked = true;
  world.boot();
  const hellos = world.gateway.hellos.length;
  world.run(20_000);
  world.settle();
  t.deepEqual(
    world.lost,
    broken.map(({ epoch, seq }) => [epoch, seq]),
  );
  t.is(difference(world.gateway.accepted, without(world.sealed, broken)), '');
  t.true(world.gateway.hellos.length >= hellos + 3);
  t.is(world.device.retained.losses.total, 4);
  const loss = world.gateway.accepted.filter(({ kind }) => kind === Kind.loss);
  const named = loss.map(({ bytes }) => Buffer.from(bytes).toString('latin1')).join(' ');
  t.true(named.includes(`0:${broken[1].seq}-${broken[2].seq}`), named);
});

test('a receipt for a reading that has rotted frees what lies before it: the next one proves the chain', t => {
  const world = new World({ ratePerSecond: 5, backlogSectors: 40, syncMs: 1e9 });
  world.run(5_000);
  world.gateway.sync();
  // It takes these, and says so to nobody.
  world.run(3_000);
  world.gateway.answering = false;
  world.run(40_000);
  const held = world.sealed.slice(world.sealed.length - world.backlog.count).slice(0, kept(world));
  const { position } = world.gateway;
  const rotten = held.find(({ seq }) => seq === position!.seq)!;
  t.true(held.indexOf(rotten) > 0);
  const at = Buffer.from(world.flash.image).indexOf(rotten.bytes);
  world.flash.image[at + 40] ^= 1;
  world.gateway.durable = position;
  world.gateway.answering = true;
  world.boot();
  world.run(50);
  t.true(world.backlog.select(0));
  t.is(world.backlog.seq, position!.seq + 1);
  for (let i = 0; i < 60; i++) {
    world.run(500);
    world.gateway.sync();
  }
  t.is(world.lost.length, 0);
  t.false(world.receipted.some(({ seq, epoch }) => epoch === rotten.epoch && seq === rotten.seq));
  const found = new Set(names(world.gateway.accepted));
  t.true(names(held).every(name => found.has(name)));
});

test('what memory holds waits until flash is empty: a cut while the backlog drains makes no loss of what arrived', t => {
  for (const [ratePerSecond, syncMs] of [
    [4, 1e9],
    [20, 400],
    [20, 50],
  ]) {
    const world = new World({ ratePerSecond, backlogSectors: 40, syncMs });
    world.run(3_000);
    away(world);
    world.run(10_000);
    back(world);
    world.run(1_500);
    const { gateway } = world;
    // It has made all durable that it took; the receipts are lost, and so is the power.
    gateway.durable = gateway.position;
    const arrived = gateway.accepted.length;
    world.boot();
    world.run(2_000);
    gateway.sync();
    world.run(20_000);
    t.deepEqual(world.lost, []);
    t.true(gateway.accepted.length > arrived);
    t.is(gateway.verdicts.fork + gateway.verdicts.stale, 0);
  }
});

for (const n of [1, 2, 3, 4]) {
  test(`power cuts at any time, over a bad link: what flash held arrives, once, in order (${n})`, t => {
    const seed = freshSeed();
    t.log('seed', seed);
    const random = new SeededRandom(seed);
    const trouble = { drop: 0.05, duplicate: 0.05, corrupt: 0.05, reorder: 0.05 };
    const world = new World({ seed, trouble, ratePerSecond: 10, backlogSectors: 12, syncMs: 40 });
    const durable = new Set<string>();
    let givenUp = 0;
    const note = () => {
      const { backlog } = world;
      for (let i = 0; i < kept(world) && backlog.select(i); i++) {
        if (backlog.to > backlog.from) durable.add(`${backlog.epoch}:${backlog.seq}`);
      }
    };
    for (let i = 0; i < 25; i++) {
      if (random.below(2) === 0) away(world);
      else back(world);
      world.flash.cutAfter(random.below(30_000), i);
      try {
        for (let left = random.below(50); left > 0; left--) world.run(1_000);
        note();
        continue;
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        // The oldest was being given up, for want of room: it is marked, and nobody is there any more to tell.
        if (error.stack?.includes('#lose')) givenUp++;
      }
      for (;;) {
        try {
          world.boot();
          break;
        } catch (error) {
          if (!(error instanceof PowerCut)) throw error;
        }
      }
    }
    world.flash.cutAfter(1e12, 0);
    back(world);
    world.run(5_000);
    world.settle();
    const { accepted, verdicts } = world.gateway;
    t.is(verdicts.fork, 0);
    t.is(world.gateway.forged, 0);
    const order = accepted.map(({ epoch, seq }) => epoch * 1e6 + seq);
    t.true(order.every((at, i) => i === 0 || at > order[i - 1]));
    const sealed = new Set(names(world.sealed));
    t.true(names(accepted).every(name => sealed.has(name)));
    const arrived = new Set(accepted.map(({ epoch, seq }) => `${epoch}:${seq}`));
    const lost = new Set(world.lost.map(([epoch, seq]) => `${epoch}:${seq}`));
    const missing = [...durable].filter(name => !arrived.has(name) && !lost.has(name));
    t.true(missing.length <= givenUp, `${missing.join(' ')}; ${givenUp} were being given up`);
    t.is(world.device.retained.count, 0);
    t.log(
      `${world.sealed.length} sealed, ${accepted.length} arrived, ${durable.size} were in flash, ${lost.size} lost`,
    );
  });
}
