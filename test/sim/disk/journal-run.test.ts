import test from 'ava';
import { runJournal } from './journal-run.js';

/** Seeds that have shown something, with what they showed. */
const KEPT = [
  37, // a hole in a tail that was never synced: what stood behind it was taken up and receipted
  63,
  84,
  1426, // a segment of one page that could not be read held everything up
  1712, // too many open files on opening made a segment count as destroyed
  1894,
  2333,
  5470, // an error on reading that passed sent the cursor back
];
const FRESH = 40;

test('journal and cursor on a disk with faults: seeds that have shown something', async t => {
  for (const seed of KEPT) t.is((await runJournal(seed)).failure, undefined, `seed ${seed}`);
});

test('a stop at any effect, by SIGKILL or without power, costs nothing that was receipted', async t => {
  for (const seed of [1, 2]) {
    let effect = 0;
    for (let reached = true; reached; effect++) {
      for (const [after, cut] of [
        [false, false],
        [false, true],
        [true, false],
        [true, true],
      ]) {
        const stop = { effect, after, cut };
        const run = await runJournal(seed, { rates: {}, readings: 40, troubleMs: 30_000, stop });
        t.is(run.failure, undefined, `seed ${seed}, ${JSON.stringify(stop)}`);
        reached = run.lives > 1;
      }
    }
    t.true(effect > 30, String(effect));
  }
});

test('journal and cursor on a disk with faults: new seeds', async t => {
  const first = Date.now() % 1e9;
  t.log(`seeds from ${first}`);
  let cuts = 0;
  for (let seed = first; seed < first + FRESH; seed++) {
    const { failure, powerCuts, sealed } = await runJournal(seed);
    t.is(failure, undefined, `seed ${seed}: node build/test/sim/disk/hunt-journal.js ${seed} 1`);
    t.true(sealed >= 300);
    cuts += powerCuts;
  }
  t.true(cuts > 20, String(cuts));
});
