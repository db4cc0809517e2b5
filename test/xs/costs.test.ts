import test from 'ava';
import { bundle } from './bundle.js';
import { compareCosts, measure } from './measure.js';
import { XsWorker } from './worker.js';

const SEALS = 10_000;
/** Growth over all of them. One slot a thousand seals would fill a board's heap in a month. */
const MAX_GROWTH_SLOTS = 0;
const MAX_GROWTH_CHUNK_BYTES = 0;

let xs: XsWorker;
test.before(async () => {
  xs = await XsWorker.start();
  await xs.evaluate(await bundle('test/xs/side/seal.js'));
});
test.after.always(() => xs?.end());

const digests = {
  free: 'seal, without the digest',
  noble: 'seal, with the digest of the virtual board',
};

for (const [digest, name] of Object.entries(digests)) {
  test.serial(`${name}: ${SEALS} do not grow the heap, and the meter has not risen`, async t => {
    const measured = await measure(xs, 'seal', [digest], SEALS, 1000);
    t.log(name, JSON.stringify(measured));
    t.true(measured.growthSlots <= MAX_GROWTH_SLOTS, `the heap grew by ${measured.growthSlots} slots`);
    t.true(measured.growthChunkBytes <= MAX_GROWTH_CHUNK_BYTES, `by ${measured.growthChunkBytes} bytes`);
    t.deepEqual(compareCosts(name, measured), []);
  });
}
