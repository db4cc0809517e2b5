/**
 * What code costs on the engine. The meter is exact: the same work gives the same figure on every machine, so
 * a figure that rises is the code's doing. Heap counters are exact after a forced collection.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.js';
import { root } from './engine.js';
import { type Heap, XsWorker } from './worker.js';

export interface Measured {
  /** Of one round: what the engine executed. */
  readonly meter: number;
  /** Of one round: what it takes and a collection gives back. */
  readonly garbageSlots: number;
  readonly garbageChunkBytes: number;
  /** Of all rounds together: what a collection does not give back. */
  readonly growthSlots: number;
  readonly growthChunkBytes: number;
}

/** The meter has 32 bits. */
const MAX_ROUNDS_PER_CALL = 1000;
/** Few enough not to set off a collection of the engine's own. */
const GARBAGE_ROUNDS = 64;

/**
 * Calls a function that does `n` rounds when it is given `n` as its last argument.
 *
 * @param warmUp rounds before the measurement, for what is made once
 */
export async function measure(
  worker: XsWorker,
  name: string,
  args: readonly unknown[],
  rounds: number,
  warmUp: number,
): Promise<Measured> {
  await worker.call(name, ...args, warmUp);
  const nothing = (await worker.call<Heap>('#taken', name, ...args, 0)).value;
  const some = (await worker.call<Heap>('#taken', name, ...args, GARBAGE_ROUNDS)).value;
  const idle = (await worker.call(name, ...args, 0)).cost.meter;
  const before = await worker.heap();
  let meter = 0;
  for (let done = 0; done < rounds; done += MAX_ROUNDS_PER_CALL) {
    const count = Math.min(MAX_ROUNDS_PER_CALL, rounds - done);
    meter += (await worker.call(name, ...args, count)).cost.meter - idle;
  }
  const after = await worker.heap();
  return {
    meter: Math.round(meter / rounds),
    garbageSlots: (some.slots - nothing.slots) / GARBAGE_ROUNDS,
    garbageChunkBytes: (some.chunkBytes - nothing.chunkBytes) / GARBAGE_ROUNDS,
    growthSlots: after.slots - before.slots,
    growthChunkBytes: after.chunkBytes - before.chunkBytes,
  };
}

/** Seals that many readings in an engine of its own; with the virtual board's digest, or one that costs nothing. */
export async function measureSeal(digest: 'noble' | 'free', seals: number): Promise<Measured> {
  const xs = await XsWorker.start();
  try {
    await xs.evaluate(await bundle('test/xs/side/seal.js'));
    return await measure(xs, 'seal', [digest], seals, MAX_ROUNDS_PER_CALL);
  } finally {
    await xs.end();
  }
}

/** What was recorded on purpose, in `test/xs/costs.json`: by name, of one round. */
export type Recorded = Pick<Measured, 'meter' | 'garbageSlots' | 'garbageChunkBytes'>;

const file = join(root, 'test', 'xs', 'costs.json');
/** How far a figure may rise above the recorded one. */
const MAX_RISE = 1.05;
const HOW = 'When that is meant, record it: RECORD_XS_COSTS=1 npx ava build/test/xs/costs.test.js';

export function recordedCosts(): Record<string, Recorded> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Recorded>;
}

/**
 * Holds a measurement against the record; returns what is wrong with it, line by line. With
 * RECORD_XS_COSTS=1 in the environment it becomes the record instead.
 */
export function compareCosts(name: string, measured: Measured): string[] {
  const { meter, garbageSlots, garbageChunkBytes } = measured;
  const present: Recorded = { meter, garbageSlots, garbageChunkBytes };
  if (process.env.RECORD_XS_COSTS === '1') {
    const all = { ...recordedCosts(), [name]: present };
    writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
    return [];
  }
  const recorded = recordedCosts()[name];
  if (recorded === undefined) return [`costs.json has no '${name}'. ${HOW}`];
  return (Object.keys(present) as (keyof Recorded)[])
    .filter(key => present[key] > recorded[key] * MAX_RISE)
    .map(key => `${name}: ${key} was ${recorded[key]} and is ${present[key]}, more than 5 % above. ${HOW}`);
}
