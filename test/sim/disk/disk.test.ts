import test from 'ava';
import { SeededRandom } from '../../../boards/virtual/random.js';
import type { FaultKind } from '../kernel/fault-kinds.js';
import { Life } from '../kernel/life.js';
import { World } from '../kernel/world.js';
import { Disk } from './disk.js';
import type { DiskStorage } from './disk-storage.js';
import { type Inode, PAGE_BYTES } from './inode.js';

type Rates = Partial<Record<FaultKind, number>>;

function machine(seed: number, rates: Rates = {}, capacityBytes?: number) {
  const world = new World({ seed, faults: { rates } });
  const disk = new Disk(world, capacityBytes === undefined ? {} : { capacityBytes });
  const life = new Life(world, 'process');
  return { world, disk, life, storage: disk.storage(life) };
}

/** Runs until it is settled, and gives what it resolved to. */
async function settled<T>(world: World, promise: Promise<T>): Promise<T> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {
      done = true;
    },
  );
  await world.run(world.nowMs + 1e9, () => done);
  return promise;
}

function file(disk: Disk, path: string): Inode | undefined {
  const node = disk.find(path);
  return node?.kind === 'file' ? node : undefined;
}

/** A directory, a file with synced content, and whatever else is done to it. */
async function prepared(
  world: World,
  storage: DiskStorage,
  synced: Uint8Array,
  then: (path: string) => Promise<void>,
): Promise<void> {
  const work = async () => {
    await storage.ensureDirectory('/a/b');
    const handle = await storage.open('/a/b/file', 'create');
    if (synced.length > 0) await handle.write(synced, 0);
    await handle.sync();
    await storage.syncDirectory('/a/b');
    await handle.close();
    await then('/a/b/file');
  };
  await settled(world, work());
}

test('after a power cut every byte is what was synced, or what was written since, or nothing where nothing was', async t => {
  const shapes = new Set<string>();
  for (let seed = 1; seed <= 400; seed++) {
    const { world, disk, life, storage } = machine(seed);
    const chance = new SeededRandom(seed);
    const old = Buffer.alloc(chance.below(3 * PAGE_BYTES), 1);
    const fresh = Buffer.alloc(1 + chance.below(4 * PAGE_BYTES), 2);
    const at = chance.below(old.length + 1);
    await prepared(world, storage, old, async path => {
      const handle = await storage.open(path, 'update');
      await handle.write(fresh, at);
    });
    life.end();
    disk.powerCut();
    const { visible, durable } = file(disk, '/a/b/file')!;
    t.true(visible.equals(durable));
    t.true(visible.length >= old.length && visible.length <= Math.max(old.length, at + fresh.length));
    let kinds = '';
    visible.forEach((byte, i) => {
      const written = i >= at && i < at + fresh.length;
      const legal = i < old.length ? (written ? [1, 2] : [1]) : [0, 2];
      if (!legal.includes(byte)) t.fail(`seed ${seed}: byte ${i} is ${byte}`);
      if (kinds.at(-1) !== String(byte)) kinds += byte;
    });
    shapes.add(kinds.slice(0, 6));
  }
  // Kept, lost, torn, zeros at the end and in the middle: all of it happens.
  for (const shape of ['1', '12', '120', '102', '10', '121']) t.true(shapes.has(shape), shape);
});

test('a page behind a lost one may be kept: a hole in the tail', async t => {
  let holes = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const { world, disk, life, storage } = machine(seed);
    await prepared(world, storage, Buffer.alloc(100, 1), async path => {
      const handle = await storage.open(path, 'update');
      await handle.write(Buffer.alloc(2 * PAGE_BYTES, 2), 100);
    });
    life.end();
    disk.powerCut();
    const { visible } = file(disk, '/a/b/file')!;
    const zero = visible.indexOf(0);
    if (zero >= 0 && visible.indexOf(2, zero) > 0) holes++;
  }
  t.true(holes > 20, String(holes));
});

test('a SIGKILL leaves the page cache as it is; what was on its way happens or not', async t => {
  const outcomes = new Set<number>();
  for (let seed = 1; seed <= 60; seed++) {
    const { world, disk, life, storage } = machine(seed);
    await prepared(world, storage, Buffer.alloc(0), async path => {
      const handle = await storage.open(path, 'update');
      await handle.write(Buffer.alloc(1000, 7), 0);
      void handle.write(Buffer.alloc(5000, 8), 1000);
    });
    life.end();
    const { visible, durableSize } = file(disk, '/a/b/file')!;
    t.is(durableSize, 0);
    t.true(visible.subarray(0, 1000).every(byte => byte === 7));
    t.true(visible.subarray(1000).every(byte => byte === 8));
    outcomes.add(visible.length);
    // The next process finds it so.
    const next = disk.storage(new Life(world, 'next'));
    const size = await settled(
      world,
      next.open('/a/b/file', 'read').then(handle => handle.size()),
    );
    t.is(size, visible.length);
  }
  t.true(outcomes.has(1000) && outcomes.has(6000) && outcomes.size > 5, [...outcomes].join());
});

test('an entry is durable once its directory has been synced; before that it is there, or not', async t => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 200; seed++) {
    const { world, disk, life, storage } = machine(seed);
    await prepared(world, storage, Buffer.alloc(10, 1), async () => {
      for (const name of ['draft', 'gone']) {
        const handle = await storage.open(`/a/b/${name}`, 'create');
        await handle.write(Buffer.from(name), 0);
        await handle.sync();
        await handle.close();
        if (name === 'gone') await storage.syncDirectory('/a/b');
      }
      await storage.rename('/a/b/draft', '/a/b/final');
      await storage.remove('/a/b/gone');
      const handle = await storage.open('/a/b/new', 'create');
      await handle.write(Buffer.from('new'), 0);
    });
    life.end();
    disk.powerCut();
    t.truthy(file(disk, '/a/b/file'));
    const there = ['draft', 'final', 'gone', 'new'].filter(name => file(disk, `/a/b/${name}`));
    // A rename is done or not: the draft was durable, so one of the two names is.
    t.true(there.includes('draft') !== there.includes('final'), there.join());
    const named = file(disk, '/a/b/draft') ?? file(disk, '/a/b/final')!;
    t.is(named.visible.toString(), 'draft');
    seen.add(there.join());
  }
  t.is(seen.size, 8, [...seen].join(' '));
});

test('directories that were made are durable with their parents', async t => {
  for (let seed = 1; seed <= 30; seed++) {
    const { world, disk, life, storage } = machine(seed);
    await settled(world, storage.ensureDirectory('/x/y/z'));
    life.end();
    disk.powerCut();
    t.is(disk.find('/x/y/z')?.kind, 'directory');
  }
});

test('a failed sync: the cache shows it, no later sync writes it, a power cut may take it', async t => {
  let lost = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const rates: Rates = { 'disk-eio-sync': 0 };
    const { world, disk, life, storage } = machine(seed, rates);
    const pages = 3;
    await prepared(world, storage, Buffer.alloc(0), async path => {
      const handle = await storage.open(path, 'update');
      await handle.write(Buffer.alloc(pages * PAGE_BYTES, 5), 0);
      rates['disk-eio-sync'] = 1;
      await t.throwsAsync(handle.sync(), { code: 'EIO' });
      rates['disk-eio-sync'] = 0;
      await handle.sync();
      const back = new Uint8Array(pages * PAGE_BYTES);
      t.is(await handle.read(back, 0), back.length);
      t.true(back.every(byte => byte === 5));
    });
    t.is(file(disk, '/a/b/file')!.durableSize, pages * PAGE_BYTES);
    life.end();
    disk.powerCut();
    if (file(disk, '/a/b/file')!.visible.includes(0)) lost++;
  }
  t.true(lost > 20 && lost < 60, String(lost));
});

test('a page that is written again after a failed sync is written by the next one', async t => {
  const rates: Rates = { 'disk-eio-sync': 0 };
  const { world, disk, life, storage } = machine(1, rates);
  await prepared(world, storage, Buffer.alloc(512, 1), async path => {
    const handle = await storage.open(path, 'update');
    await handle.write(Buffer.alloc(512, 2), 0);
    rates['disk-eio-sync'] = 1;
    await t.throwsAsync(handle.sync(), { code: 'EIO' });
    rates['disk-eio-sync'] = 0;
    await handle.write(Buffer.alloc(512, 3), 0);
    await handle.sync();
  });
  life.end();
  disk.powerCut();
  t.deepEqual(file(disk, '/a/b/file')!.visible, Buffer.alloc(512, 3));
});

test('a disk has as much room as it has: short writes, ENOSPC, and room again when a file goes', async t => {
  const { world, disk, storage } = machine(1, {}, 4 * PAGE_BYTES);
  await prepared(world, storage, Buffer.alloc(10, 1), async path => {
    const handle = await storage.open(path, 'update');
    t.is(await handle.write(Buffer.alloc(5 * PAGE_BYTES), 10), 4 * PAGE_BYTES - 10);
    await t.throwsAsync(handle.write(Buffer.alloc(10), 4 * PAGE_BYTES), { code: 'ENOSPC' });
    t.is(await handle.write(Buffer.alloc(10), 0), 10, 'what it has it may write over');
    t.is((await storage.space(path)).availableBytes, 0);
    await storage.remove(path);
    t.is((await storage.space(path)).availableBytes, 0, 'it is still open');
    await handle.close();
    t.is((await storage.space(path)).availableBytes, 4 * PAGE_BYTES);
    disk.fill(PAGE_BYTES);
    t.is((await storage.space(path)).availableBytes, 3 * PAGE_BYTES);
  });
});

test('what rots is said to be destroyed, and nothing else changes', async t => {
  const rates: Rates = { 'disk-rot': 60, 'disk-bad-page': 20 };
  for (let seed = 1; seed <= 20; seed++) {
    const { world, disk, life, storage } = machine(seed, rates);
    await prepared(world, storage, Buffer.alloc(5 * PAGE_BYTES, 1), async () => {});
    await world.run(world.nowMs + 3_600_000);
    life.end();
    disk.powerCut();
    const inode = file(disk, '/a/b/file')!;
    t.true(inode.destroyed.length > 0);
    t.is(inode.size, 5 * PAGE_BYTES);
    const bytes = inode.visible;
    bytes.forEach((byte, i) => {
      if (byte !== 1 && !inode.isDestroyed(i, i + 1)) t.fail(`seed ${seed}: byte ${i}`);
    });
  }
});

test('two runs of one seed do the same', async t => {
  const run = async () => {
    const { world, disk, life, storage } = machine(77, { 'disk-eio-write': 0.2, 'disk-short-write': 0.3 });
    const outcomes: unknown[] = [];
    await prepared(world, storage, Buffer.alloc(10, 1), async path => {
      const handle = await storage.open(path, 'update');
      for (let i = 0; i < 50; i++) {
        const written = await handle.write(Buffer.alloc(300, i), 200 * i).catch(error => String(error));
        outcomes.push(written, world.nowMs);
      }
    }).catch(error => outcomes.push(String(error)));
    life.end();
    disk.powerCut();
    return [outcomes, file(disk, '/a/b/file')?.visible.toString('latin1')];
  };
  t.deepEqual(await run(), await run());
});
