/** Some seeds that never change, and many that nobody has run before: their base is printed, and a failure names its seed. */
import { randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import test from 'ava';
import { runSeeds } from './pool.js';
import { FIRST_OPERATED_SEED, KINDS } from './scenario.js';
import { simulate } from './simulation.js';
import { report, type Totals } from './totals.js';

const FIXED_SEEDS = 100;
const NEW_SEEDS = 500;
const jobs = Math.min(4, availableParallelism());

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

function summary({ failures }: Totals): string {
  return failures.map(({ seed, what, details }) => `seed ${seed}: ${what}: ${details}`).join('\n');
}

test('a seed is the same run every time', async t => {
  for (const seed of [1, 2, 3, 17]) {
    const [first, second] = [await simulate(seed, { trace: true }), await simulate(seed, { trace: true })];
    t.is(second.traceHash, first.traceHash, `seed ${seed}`);
    t.true(first.trace.length > 0);
  }
});

test.serial('nothing is lost, altered, counted twice or passed over', async t => {
  const base = FIRST_OPERATED_SEED + randomInt(2 ** 30);
  t.log(`new seeds from ${base}: npm run sim -- --seed ${base} --runs ${NEW_SEEDS}`);
  const totals = await runSeeds({ seeds: [...range(1, FIXED_SEEDS), ...range(base, NEW_SEEDS)], jobs });
  t.log(report(totals));
  t.is(totals.failures.length, 0, summary(totals));
  t.is(totals.seeds, FIXED_SEEDS + NEW_SEEDS);
  t.deepEqual(
    KINDS.filter(kind => (totals.faults[kind] ?? 0) === 0),
    [],
    'each kind of fault was injected',
  );
});
