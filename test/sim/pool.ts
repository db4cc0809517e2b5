/** Many seeds over several processes. A seed that hangs or kills its process is a failure like any other. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './simulation.js';
import { addOutcome, noTotals, type Totals } from './totals.js';

export interface PoolOptions {
  readonly seeds: Iterable<number>;
  readonly jobs: number;
  readonly hangMs?: number;
  readonly onOutcome?: (outcome: Outcome, totals: Totals) => void;
  /** A seed that hung, or ended its process. */
  readonly onCrash?: (seed: number, details: string) => void;
}

/** What a worker says of a seed. */
export interface Said {
  readonly outcome: Outcome;
  readonly cpuSeconds: number;
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
/** Of real time, on a machine that may have much else to do. */
const HANG_MS = 600_000;

export async function runSeeds(options: PoolOptions): Promise<Totals> {
  const totals = noTotals();
  const seeds = options.seeds[Symbol.iterator]();
  const workers: Promise<void>[] = [];
  for (let i = 0; i < options.jobs; i++) workers.push(work(seeds, options, totals));
  await Promise.all(workers);
  return totals;
}

/** One worker's share: whatever seed is next. */
async function work(seeds: Iterator<number>, options: PoolOptions, totals: Totals): Promise<void> {
  let child: ChildProcess | undefined;
  for (let next = seeds.next(); !next.done; next = seeds.next()) {
    child ??= fork(WORKER, { serialization: 'advanced' });
    const said = await ask(child, next.value, options.hangMs ?? HANG_MS);
    if (typeof said === 'string') {
      child.kill('SIGKILL');
      child = undefined;
      totals.seeds++;
      totals.failures.push({ seed: next.value, what: 'crash', details: said, crash: true });
      options.onCrash?.(next.value, said);
      continue;
    }
    addOutcome(totals, said.outcome, said.cpuSeconds);
    options.onOutcome?.(said.outcome, totals);
  }
  child?.disconnect();
}

function ask(child: ChildProcess, seed: number, hangMs: number): Promise<Said | string> {
  return new Promise(resolve => {
    const done = (answer: Said | string) => {
      clearTimeout(timer);
      child.off('message', answered);
      child.off('exit', ended);
      resolve(answer);
    };
    const answered = (message: unknown) => done(message as Said);
    const ended = (code: number | null, signal: string | null) =>
      done(`the process ended with ${signal ?? `status ${code}`}`);
    const timer = setTimeout(() => done(`no end within ${hangMs} ms`), hangMs);
    child.on('message', answered);
    child.on('exit', ended);
    child.send(seed);
  });
}
