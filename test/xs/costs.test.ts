import test, { type ExecutionContext } from 'ava';
import { measureDevice } from './board.js';
import { compareCosts, type Measured, measureSeal } from './measure.js';

const SEALS = 10_000;
const CYCLES = 10_000;
const WARM_UP = 1000;
/** Of all rounds together: one slot in a thousand readings would fill a board's heap within weeks. */
const MAX_GROWTH_SLOTS = 0;
const MAX_GROWTH_CHUNK_BYTES = 0;

function judge(t: ExecutionContext, name: string, measured: Measured): void {
  t.log(name, JSON.stringify(measured));
  t.true(measured.growthSlots <= MAX_GROWTH_SLOTS, `the heap grew by ${measured.growthSlots} slots`);
  t.true(measured.growthChunkBytes <= MAX_GROWTH_CHUNK_BYTES, `by ${measured.growthChunkBytes} bytes`);
  t.deepEqual(compareCosts(name, measured), []);
}

test.serial(`${SEALS} seals with a digest that costs nothing`, async t => {
  judge(t, 'seal, without the digest', await measureSeal('free', SEALS));
});

test.serial(`${SEALS} seals with the digest of the virtual board`, async t => {
  judge(t, 'seal, with the digest of the virtual board', await measureSeal('noble', SEALS));
});

test.serial(
  `${CYCLES} readings on a device, from sample to receipt, with a digest that costs nothing`,
  async t => {
    judge(t, 'device, sample to receipt, without the digest', await measureDevice(CYCLES, WARM_UP));
  },
);
