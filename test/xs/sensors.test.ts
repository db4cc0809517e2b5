import test from 'ava';
import { CHECKS } from '../firmware/sensors/checks.js';
import { bundle } from './bundle.js';
import { type Heap, XsWorker } from './worker.js';

const PERIODS = 2_000;
/** Per period: temperature, voltage, thermistor, state with two times, count and rate. */
const RECORDS = 8;
/** `typeof value !== 'number'`: a literal, which is copied here and used in place on a board. */
const LITERAL_BYTES = 48;

async function withSensors(run: (xs: XsWorker) => Promise<void>): Promise<void> {
  const xs = await XsWorker.start();
  try {
    await xs.evaluate(await bundle('test/xs/side/sensors.js'));
    await run(xs);
  } finally {
    await xs.end();
  }
}

test('every check of the sensors holds on the engine', t =>
  withSensors(async xs => {
    const names = (await xs.call<string[]>('names')).value;
    t.is(names.length, CHECKS.length);
    for (let i = 0; i < names.length; i++) {
      t.deepEqual((await xs.call<string[]>('check', i)).value, [], names[i]);
    }
  }));

test(`${PERIODS} samples of each kind of source leave nothing on the engine's heap`, t =>
  withSensors(async xs => {
    await xs.call('run', 200);
    const before = await xs.heap();
    const { value, cost } = await xs.call<number>('run', PERIODS);
    const after = await xs.heap();
    t.true(value >= PERIODS * (RECORDS - 1), `only ${value} records`);
    t.is(after.slots - before.slots, 0);
    t.is(after.chunkBytes - before.chunkBytes, 0);
    const nothing = (await xs.call<Heap>('#taken', 'idle', 1)).value;
    const garbage = (await xs.call<Heap>('#taken', 'run', 1)).value;
    t.log(`meter per record: ${Math.round(cost.meter / value)}; garbage per period of five sources:`, {
      slots: garbage.slots - nothing.slots,
      chunkBytes: garbage.chunkBytes - nothing.chunkBytes,
    });
    t.true(garbage.slots - nothing.slots <= 0);
    t.true(garbage.chunkBytes - nothing.chunkBytes <= LITERAL_BYTES);
  }));
