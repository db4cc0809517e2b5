/**
 * A process with one defect in it: runs seeds until one of them catches it.
 *
 *     node run-defect.js <name> <seeds to begin with, by comma> <how many others>
 */

import { scenarioOf } from '../scenario.js';
import { applyDefect } from './apply.js';
import { DEFECTS } from './defects.js';
import type { Catch } from './hunt.js';

const MAX_SEEDS = 100_000;

const [name, first, count] = process.argv.slice(2);
const defect = DEFECTS.find(other => other.name === name);
if (defect === undefined) throw new Error(`there is no defect ${name}`);
applyDefect(defect);

let found: Pick<Catch, 'seed' | 'what' | 'details'> = { seed: undefined, what: '', details: '' };
let tried = 0;
let crashed = '';
for (const seed of seeds()) {
  tried++;
  // Loaded only now, with the defect.
  const { runSeed } = await import('./run-seed.js');
  const failure = await runSeed(defect, seed);
  if (failure === undefined) continue;
  const { what, details } = failure;
  if (failure.crash) crashed ||= `seed ${seed}: ${details}`;
  else {
    found = { seed, what, details };
    break;
  }
}
const { user, system } = process.cpuUsage();
const caught: Catch = { ...found, tried, crashed, cpuMs: Math.round((user + system) / 1000) };
process.stdout.write(JSON.stringify(caught));

/** Those first that were asked for, then as many as fit the defect. */
function* seeds(): Iterable<number> {
  const before = first.split(',').filter(Boolean).map(Number);
  yield* before;
  let left = Number(count);
  const { from = 1 } = defect!;
  for (let seed = from; left > 0 && seed < from + MAX_SEEDS; seed++) {
    if (defect!.where !== undefined && !defect!.where(scenarioOf(seed))) continue;
    left--;
    if (!before.includes(seed)) yield seed;
  }
}
