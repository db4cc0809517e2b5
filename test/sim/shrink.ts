/**
 * Makes a failing run smaller: whole kinds of faults are switched off, then single faults masked, then boards and time
 * taken away, as long as the same guarantee breaks. What is left is the shortest trace that could be found.
 */

import type { FaultKind } from './kernel/fault-kinds.js';
import { KINDS, type Reduction, scenarioOf } from './scenario.js';
import { type Outcome, simulate } from './simulation.js';

export interface Shrunk {
  readonly reduction: Reduction;
  /** The smallest run, with its trace. */
  readonly outcome: Outcome;
  readonly runs: number;
}

const MAX_RUNS = 400;

export async function shrink(first: Outcome, progress: (text: string) => void = () => {}): Promise<Shrunk> {
  const { seed } = first;
  const what = first.violation?.what;
  let best = first;
  let reduction: Reduction = {};
  let runs = 0;
  const fails = async (smaller: Reduction): Promise<boolean> => {
    if (runs >= MAX_RUNS) return false;
    runs++;
    const outcome = await simulate(seed, { reduction: smaller });
    if (outcome.violation?.what !== what) return false;
    best = outcome;
    reduction = smaller;
    return true;
  };

  // Whole kinds: first all at once, halves, then each alone.
  const scenario = scenarioOf(seed);
  const on = KINDS.filter(kind => scenario.rates[kind] !== undefined);
  await without(on, kinds => fails({ ...reduction, off: new Set([...(reduction.off ?? []), ...kinds]) }));
  progress(`${best.faults.length} faults left of ${first.faults.length}`);
  await fails({ ...reduction, durationMs: Math.ceil(Math.min(best.virtualMs, scenario.durationMs)) });
  await without([...best.faults], ids =>
    fails({ ...reduction, masked: new Set([...(reduction.masked ?? []), ...ids]) }),
  );
  progress(`${best.faults.length} faults left`);
  for (const part of ['subscribers', 'sdk', 'boards'] as const) {
    for (let count = scenario[part].length - 1; count >= (part === 'boards' ? 1 : 0); count--)
      if (!(await fails({ ...reduction, [part]: count }))) break;
  }
  for (let share = 0.5; share < 1; share = (share + 1) / 2) {
    const durationMs = Math.floor((reduction.durationMs ?? scenario.durationMs) * share);
    while (share <= 0.75 && (await fails({ ...reduction, durationMs: durationMs }))) break;
    if (share > 0.9) break;
  }
  const off = new Set<FaultKind>(KINDS.filter(kind => best.injected[kind] === undefined));
  await fails({ ...reduction, off });
  const outcome = await simulate(seed, { reduction, trace: true });
  return { reduction, outcome, runs };
}

/** Takes away as many as possible: delta debugging by halves (Zeller, Hildebrandt: Simplifying failure-inducing input). */
async function without<T>(all: readonly T[], fails: (less: readonly T[]) => Promise<boolean>): Promise<void> {
  let left = [...all];
  for (let size = left.length; size >= 1 && left.length > 0; size = Math.floor(size / 2)) {
    for (let from = 0; from < left.length; ) {
      const part = left.slice(from, from + size);
      if (await fails(part)) left = [...left.slice(0, from), ...left.slice(from + size)];
      else from += size;
    }
  }
}
