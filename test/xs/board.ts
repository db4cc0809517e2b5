/**
 * The virtual board on the engine, driven from here: `side/device.ts` is its other half.
 */
import { bundle } from './bundle.js';
import type { Variant } from './engine.js';
import type { Measured } from './measure.js';
import { type Heap, XsWorker } from './worker.js';

export const ROOT = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
export const ID = 'a0a1a2a3a4a5a6a7';

export interface BoardOptions {
  readonly variant?: Variant;
  /** What the device may take beyond what is loaded and what stands around it: gateway, flash, link. */
  readonly heapBytes?: number;
}

/** Starts an engine with a board that has just booted; ends it after `run`. */
export async function withBoard<T>(
  digest: 'noble' | 'free',
  run: (xs: XsWorker) => Promise<T>,
  { variant, heapBytes }: BoardOptions = {},
): Promise<T> {
  const xs = await XsWorker.start(variant);
  try {
    await xs.evaluate(await bundle('test/xs/side/device.js'));
    await xs.call('build', digest, ROOT, ID);
    if (heapBytes !== undefined) await xs.limit(heapBytes);
    await xs.call('boot', 'power-on');
    return await run(xs);
  } finally {
    await xs.end();
  }
}

/**
 * Device and gateway take turns, so often.
 * @returns the meter of the device's part, and the envelopes that the gateway accepted, in hex
 */
export async function cycles(xs: XsWorker, count: number): Promise<{ meter: number; envelopes: string[] }> {
  const idle = (await xs.call('idle')).cost.meter;
  const envelopes: string[] = [];
  let meter = 0;
  for (let i = 0; i < count; i++) {
    meter += (await xs.call('device')).cost.meter - idle;
    envelopes.push(...(await xs.call<string[]>('gateway')).value);
  }
  return { meter, envelopes };
}

/** The meter has 32 bits, so not all in one call. */
export async function unmetered(xs: XsWorker, count: number): Promise<void> {
  for (let left = count; left > 0; left -= METERED) await xs.call('run', Math.min(left, METERED));
}

/** As many cycles as this are metered one by one; the others count for the growth of the heap. */
const METERED = 1000;

/** What a reading costs the device alone, from sample to receipt, on a board whose digest is free. */
export function measureDevice(count: number, warmUp: number): Promise<Measured> {
  return withBoard('free', async xs => {
    await cycles(xs, warmUp);
    const before = await xs.heap();
    const { meter, envelopes } = await cycles(xs, Math.min(count, METERED));
    await unmetered(xs, count - METERED);
    const after = await xs.heap();
    const nothing = (await xs.call<Heap>('#taken', 'idle')).value;
    const garbage = (await xs.call<Heap>('#taken', 'device')).value;
    return {
      meter: Math.round(meter / envelopes.length),
      garbageSlots: garbage.slots - nothing.slots,
      garbageChunkBytes: garbage.chunkBytes - nothing.chunkBytes,
      growthSlots: after.slots - before.slots,
      growthChunkBytes: after.chunkBytes - before.chunkBytes,
    };
  });
}
