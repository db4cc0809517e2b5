import test from 'ava';
import { notRun } from '../support/needs.js';
import { unmetered, withBoard } from './board.js';
import { board32, missingFor } from './engine.js';
import { type Heap, XsWorker } from './worker.js';

/** What an RP2040 leaves an app beyond what is loaded. */
const HEAP_BYTES = 48 * 1024;
/** Sampled, sealed, retained, sent and receipted, but for those while the gateway is away. */
const CYCLES = 10_000;
const WARM_UP = 1000;
const CYCLES_UNLINKED = 1000;
const CYCLES_SILENT = 1000;
/** Cycles in which nothing must be lost any more. */
const CAUGHT_UP = 100;
const CATCH_UP = 1000;
const MAX_GROWTH_SLOTS = 64;

interface Counts {
  readonly sealed: number;
  readonly receipted: number;
  readonly lost: number;
  readonly accepted: number;
}

test.serial('a board with 48 KB for its app lives through a gateway that goes away', async t => {
  const missing = await missingFor(board32);
  if (missing !== undefined) return notRun(t, missing);
  await withBoard(
    'free',
    async xs => {
      const run = async (cycles: number): Promise<Heap> => {
        await unmetered(xs, cycles);
        return xs.heap();
      };
      const counts = async () => (await xs.call<Counts>('counts')).value;
      const before = await run(WARM_UP);
      t.is((await counts()).lost, 0);
      await xs.call('presence', 'unlinked');
      await run(CYCLES_UNLINKED);
      await xs.call('presence', 'there');
      await run(CATCH_UP);
      // It has caught up.
      const back = await counts();
      await run(CAUGHT_UP);
      const caughtUp = await counts();
      t.true(caughtUp.accepted - back.accepted >= CAUGHT_UP);
      t.is(caughtUp.lost, back.lost);
      await xs.call('presence', 'silent');
      await run(CYCLES_SILENT);
      await xs.call('presence', 'there');
      const after = await run(CYCLES - WARM_UP - CYCLES_UNLINKED - CATCH_UP - CAUGHT_UP - CYCLES_SILENT);

      const { sealed, receipted, lost, accepted } = await counts();
      const taken = await xs.limited();
      const growth = after.slots - before.slots;
      t.log(`${taken} of ${HEAP_BYTES} bytes taken, ${growth} slots more at the end; sealed ${sealed}`);
      t.true(sealed >= CYCLES);
      t.is(lost, 0);
      t.is(accepted, sealed);
      // The receipt of the last one has not been taken yet.
      t.is(receipted, sealed - 1);
      t.true(growth < MAX_GROWTH_SLOTS);
      t.true(taken <= HEAP_BYTES);
    },
    { variant: board32, heapBytes: HEAP_BYTES },
  );
});

test.serial('what takes more than that ends the engine, what lets go of it does not', async t => {
  const missing = await missingFor(board32);
  if (missing !== undefined) return notRun(t, missing);
  const script = `let kept; const keep = [];
    exported.garbage = (count, bytes) => { for (let i = 0; i < count; i++) kept = new Uint8Array(bytes); };
    exported.keep = (count, bytes) => { for (let i = 0; i < count; i++) kept = { kept, bytes: new Uint8Array(bytes) }; };`;
  for (const bytes of [0, 200]) {
    const xs = await XsWorker.start(board32);
    try {
      await xs.evaluate(script);
      await xs.limit(HEAP_BYTES);
      await xs.call('garbage', 10_000, bytes);
      t.true((await xs.limited()) < HEAP_BYTES / 4);
      await t.throwsAsync(xs.call('keep', 10_000, bytes), { message: /memory full/ });
    } finally {
      await xs.end();
    }
  }
});
