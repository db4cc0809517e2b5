/**
 * `npm run sim -- [--seed N] [--runs N] [--having KIND]… [--jobs N] [--trace] [--no-shrink] [--json]`
 *
 * Runs seeds from N on (a random one when it is not given) and says what they did. When one fails, its seed, the shortest
 * trace that could be found, and how to see it again; exit status 1. With `--having`, only seeds whose scenario has one of
 * these kinds of faults; the others are passed over and don't count.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { FAULT_KINDS, type FaultKind } from './kernel/fault-kinds.js';
import { runSeeds } from './pool.js';
import { FIRST_OPERATED_SEED, scenarioOf } from './scenario.js';
import { shrink } from './shrink.js';
import { type Outcome, simulate } from './simulation.js';
import { report, type Totals } from './totals.js';

/** Seeds are multiplied for the streams that are derived from them. */
const MAX_SEED = 2 ** 31;
const MAX_TRACE_LINES = 400;
const PROGRESS_MS = 10_000;

const argv = process.argv.slice(2);
if (argv[0] === '--defects') {
  const { defectsCommand } = await import('./defects/command.js');
  process.exitCode = await defectsCommand(argv.slice(1));
} else process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      seed: { type: 'string' },
      runs: { type: 'string', default: '1' },
      having: { type: 'string', multiple: true, default: [] },
      jobs: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      'no-shrink': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const runs = whole('--runs', values.runs);
  const jobs = whole('--jobs', values.jobs);
  const from =
    values.seed === undefined ? randomInt(FIRST_OPERATED_SEED, MAX_SEED) : whole('--seed', values.seed);
  const kinds = values.having.map(kindOf);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  if (values.seed === undefined) say(`seeds from ${from}`);
  if (runs === 1) {
    const outcome = await simulate(from, { trace: values.trace });
    if (values.json) print(JSON.stringify({ ...outcome, trace: undefined }));
    else printOutcome(outcome);
    if (values.trace) print(outcome.trace.join('\n'));
    if (outcome.violation === undefined) return 0;
    if (!values['no-shrink']) await explain(outcome, say);
    return 1;
  }
  const totals = await many([...seedsFrom(from, runs, kinds)], jobs, say);
  print(values.json ? JSON.stringify(totals) : report(totals));
  const [first] = totals.failures;
  if (first === undefined) return 0;
  if (!values['no-shrink'] && !values.json) await explain(await simulate(first.seed), say);
  return 1;
}

function* seedsFrom(from: number, count: number, kinds: readonly FaultKind[]): Iterable<number> {
  const has = (seed: number) => kinds.some(kind => scenarioOf(seed).rates[kind] !== undefined);
  for (let seed = from, left = count; left > 0; seed++) {
    if (kinds.length > 0 && !has(seed)) continue;
    left--;
    yield seed;
  }
}

async function many(seeds: readonly number[], jobs: number, say: (text: string) => void): Promise<Totals> {
  const runs = seeds.length;
  const began = Date.now();
  let saidAt = began;
  return await runSeeds({
    seeds,
    jobs,
    onCrash: (seed, details) => say(`seed ${seed}: crash: ${details}`),
    onOutcome(outcome, totals) {
      const { violation } = outcome;
      if (violation !== undefined)
        say(`seed ${outcome.seed}: ${violation.what}: ${violation.details.split('\n')[0]}`);
      const now = Date.now();
      if (now - saidAt < PROGRESS_MS && totals.seeds < runs) return;
      saidAt = now;
      const rate = totals.seeds / ((now - began) / 1000);
      const leftMinutes = (runs - totals.seeds) / rate / 60;
      say(
        `${totals.seeds} of ${runs} seeds, ${totals.virtualHours.toFixed(0)} virtual hours, ` +
          `${totals.failures.length} failed, ${rate.toFixed(1)} a second, ${leftMinutes.toFixed(0)} min left`,
      );
    },
  });
}

function printOutcome({
  seed,
  virtualMs,
  events,
  boards,
  readings,
  injected,
  violation,
  traceHash,
}: Outcome): void {
  print(
    `seed ${seed}: ${(virtualMs / 60_000).toFixed(1)} virtual minutes, ${boards} boards, ${events} events, trace ${traceHash}`,
  );
  print(
    Object.entries(readings)
      .map(([name, count]) => `${count} ${name}`)
      .join(', '),
  );
  const faults = Object.entries(injected).map(([kind, count]) => `${count} ${kind}`);
  print(faults.length === 0 ? 'no faults' : faults.join(', '));
  if (violation !== undefined) print(`VIOLATION ${violation.what}: ${violation.details}`);
}

/** The shortest trace of a failure. */
async function explain(failed: Outcome, say: (text: string) => void): Promise<void> {
  if (failed.violation === undefined) {
    say(`seed ${failed.seed} does not fail in this process`);
    return;
  }
  say('looking for a shorter trace …');
  const { outcome, reduction, runs } = await shrink(failed, say);
  const lines = outcome.trace.slice(-MAX_TRACE_LINES);
  print(
    `\nshortest trace after ${runs} runs (${outcome.faults.length} faults: ${outcome.faults.join(' ') || 'none'}; ` +
      `${outcome.boards} boards, ${JSON.stringify({ ...reduction, off: undefined, masked: undefined })}):`,
  );
  if (lines.length < outcome.trace.length) print(`… ${outcome.trace.length - lines.length} lines before`);
  print(lines.join('\n'));
  print(`\nVIOLATION ${outcome.violation?.what}: ${outcome.violation?.details}`);
  print(`again: npm run sim -- --seed ${failed.seed} --trace`);
}

function kindOf(text: string): FaultKind {
  if (Object.hasOwn(FAULT_KINDS, text)) return text as FaultKind;
  process.stderr.write(
    `--having: expected a kind of fault, such as gateway-kill, got ${JSON.stringify(text)}\n`,
  );
  process.exit(2);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`${name}: expected a whole number, got ${JSON.stringify(text)}\n`);
  process.exit(2);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
