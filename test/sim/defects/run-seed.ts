import { Violation } from '../kernel/violation.js';
import type { Failure } from '../simulation.js';
import type { Defect } from './defect.js';

/** One seed, in the simulation that the defect is for. The product is loaded by this, with or without a defect. */
export async function runSeed({ within }: Defect, seed: number): Promise<Failure | undefined> {
  if (within !== 'journal') {
    const { simulate } = await import('../simulation.js');
    return (await simulate(seed)).violation;
  }
  const { runJournal } = await import('../disk/journal-run.js');
  const { failure } = await runJournal(seed);
  if (failure === undefined) return undefined;
  const crash = !(failure instanceof Violation);
  return { what: crash ? 'crash' : failure.what, details: String(failure), crash };
}
