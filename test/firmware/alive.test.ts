import test from 'ava';
import { VirtualFlash } from '../../boards/virtual/flash.js';
import { Alive } from '../../firmware/alive.js';
import type { RestartMemory } from '../../firmware/ports.js';
import { RESTART_RECORD_BYTES, Restarts } from '../../firmware/restarts.js';
import { EnvelopeReader, Kind, readRecords } from '../../firmware/seal/index.js';
import { FlashRestartMemory } from '../../firmware/store/restart-memory.js';
import { World } from './world.js';

/** A watchdog that bites when it is not fed for 8 s, and the loop of a board around a device. */
function watched(world: World): { feeds: () => number; hungryMs: () => number } {
  let feeds = 0;
  let fedMs = 0;
  const alive = new Alive(
    world.device,
    {
      feed: () => {
        feeds++;
        fedMs = world.nowMs;
      },
    },
    { nowMs: () => world.nowMs },
  );
  const poll = world.device.poll.bind(world.device);
  world.device.poll = () => {
    const waitMs = Math.min(poll(), 2_000);
    alive.polled();
    return waitMs;
  };
  return { feeds: () => feeds, hungryMs: () => world.nowMs - fedMs };
}

test('a device at work is fed all the time, with the gateway there and away', t => {
  const world = new World({ ratePerSecond: 1 / 120, backlogSectors: 16 });
  const dog = watched(world);
  for (let i = 0; i < 100; i++) {
    world.run(5_000);
    t.true(dog.hungryMs() <= 2_000);
    if (i === 40) {
      world.linked = false;
      world.device.linkDown();
    }
    if (i === 80) {
      world.linked = true;
      world.device.linkUp();
    }
  }
  t.true(dog.feeds() > 200);
});

test('a loop that turns and seals nothing is not fed', t => {
  const world = new World();
  const dog = watched(world);
  world.run(10_000);
  // As when a driver has the loop's state in a knot: polls return, nothing comes of them.
  const { sealed } = world.device;
  Object.defineProperty(world.device, 'sealed', { get: () => sealed, set: () => {} });
  world.run(70_000);
  t.true(dog.hungryMs() <= 2_000);
  world.run(20_000);
  t.true(dog.hungryMs() > 8_000);
});

test('a wire that takes nothing while a session is open is no progress; a gateway that stalls is', t => {
  const world = new World({ backlogSectors: 16 });
  const dog = watched(world);
  world.run(5_000);
  world.gateway.sync = () => {};
  world.run(300_000);
  t.true(dog.hungryMs() <= 2_000);
  const { sent } = world.device.sender;
  Object.defineProperty(world.device.sender, 'sent', { get: () => sent, set: () => {} });
  world.run(110_000);
  t.true(dog.hungryMs() <= 2_000);
  world.run(30_000);
  t.true(dog.hungryMs() > 8_000);
});

/** Memory that the reset leaves alone. */
class Kept implements RestartMemory {
  bytes: Uint8Array | undefined;
  works = true;

  read(target: Uint8Array): boolean {
    if (this.bytes === undefined || !this.works) return false;
    target.set(this.bytes);
    return true;
  }

  write(source: Uint8Array): boolean {
    if (this.works) this.bytes = source.slice();
    return this.works;
  }
}

function boot(memory: RestartMemory, cause: string): Restarts {
  const restarts = new Restarts(memory);
  restarts.boot(cause);
  return restarts;
}

for (const [name, make] of [
  ['retained memory', () => new Kept()],
  ['flash', () => new FlashRestartMemory(new VirtualFlash({ sectors: 1, sectorBytes: 1024 }), 0)],
] as const) {
  test(`the reason of a restart outlives it, once, in ${name}`, t => {
    const memory = make();
    t.is(boot(memory, 'power-on').reason, 'power-on');
    t.is(boot(memory, 'watchdog').reason, 'watchdog');
    boot(memory, 'reset').fault('TypeError: x is undefined 💧');
    t.is(boot(memory, 'reset').reason, 'fault: TypeError: x is undefined 💧');
    t.is(boot(memory, 'watchdog').reason, 'watchdog');
    boot(memory, 'reset').fault('ä'.repeat(200));
    const { reason } = boot(memory, 'reset');
    t.is(reason, `fault: ${'ä'.repeat(60)}`);
  });

  test(`after three fast restarts the next ones wait, longer and longer, until one runs for a minute: ${name}`, t => {
    const memory = make();
    const waits = [];
    for (let i = 0; i < 12; i++) waits.push(boot(memory, 'watchdog').waitMs);
    t.deepEqual(waits, [0, 0, 0, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 256_000]);
    const slow = boot(memory, 'reset');
    slow.running(59_000);
    t.is(boot(memory, 'reset').waitMs, 256_000);
    const steady = boot(memory, 'reset');
    steady.running(256_000 + 60_000);
    t.is(boot(memory, 'reset').waitMs, 0);
    for (let i = 0; i < 300; i++) boot(memory, 'reset');
    t.is(boot(memory, 'reset').waitMs, 256_000);
  });
}

test('a record with any bit changed, or a memory that fails, says nothing and stops nothing', t => {
  for (let bit = 0; bit < RESTART_RECORD_BYTES * 8; bit++) {
    const memory = new Kept();
    boot(memory, 'reset').fault('x');
    memory.bytes![bit >> 3] ^= 1 << (bit & 7);
    const restarts = boot(memory, 'power-on');
    t.is(restarts.reason, 'power-on');
    t.is(restarts.fast, 0);
  }
  const memory = new Kept();
  memory.works = false;
  t.is(boot(memory, 'power-on').waitMs, 0);
});

test('a power cut anywhere in a restart record costs the record, never more', t => {
  const counting = new VirtualFlash({ sectors: 1, sectorBytes: 512 });
  for (let i = 0; i < 3; i++) boot(new FlashRestartMemory(counting, 0), 'reset');
  for (let at = 0; at < counting.steps; at++) {
    const flash = new VirtualFlash({ sectors: 1, sectorBytes: 512 });
    flash.cutAfter(at, at);
    t.throws(() => {
      for (let i = 0; i < 3; i++) boot(new FlashRestartMemory(flash, 0), 'reset');
    });
    const restarts = boot(new FlashRestartMemory(flash, 0), 'power-on');
    t.is(restarts.reason, 'power-on');
    t.true(restarts.fast <= 3);
    boot(new FlashRestartMemory(flash, 0), 'reset').fault('again');
    t.is(boot(new FlashRestartMemory(flash, 0), 'reset').reason, 'fault: again');
  }
});

test('the start reading says why', t => {
  const memory = new Kept();
  boot(memory, 'power-on').fault('out of memory');
  const { reason } = boot(memory, 'reset');
  const world = new World({ settings: { restart: reason } });
  world.run(1_000);
  const [start] = world.sealed;
  const reader = new EnvelopeReader();
  t.is(reader.parse(start.bytes, 0, start.bytes.length), '');
  t.is(reader.kind, Kind.start);
  t.is(readRecords(start.bytes, reader.recordsAt, reader.recordsEnd)[0].vs, 'fault: out of memory');
});
