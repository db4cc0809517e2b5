import { KINDS } from './scenario.js';
import type { Failure, Outcome, Readings } from './simulation.js';

export interface FailedSeed extends Failure {
  readonly seed: number;
}

/** What many runs come to. */
export interface Totals {
  seeds: number;
  virtualHours: number;
  events: number;
  cpuSeconds: number;
  readings: { -readonly [K in keyof Readings]: number };
  faults: Record<string, number>;
  /** Runs in which a kind of fault occurred. */
  runsWith: Record<string, number>;
  failures: FailedSeed[];
}

export function noTotals(): Totals {
  return {
    seeds: 0,
    virtualHours: 0,
    events: 0,
    cpuSeconds: 0,
    readings: { sealed: 0, receipted: 0, journalled: 0, printed: 0, lost: 0, destroyed: 0 },
    faults: {},
    runsWith: {},
    failures: [],
  };
}

export function addOutcome(totals: Totals, outcome: Outcome, cpuSeconds: number): void {
  totals.seeds++;
  totals.virtualHours += outcome.virtualMs / 3_600_000;
  totals.events += outcome.events;
  totals.cpuSeconds += cpuSeconds;
  for (const [name, count] of Object.entries(outcome.readings))
    totals.readings[name as keyof Readings] += count;
  for (const [kind, count] of Object.entries(outcome.injected)) {
    totals.faults[kind] = (totals.faults[kind] ?? 0) + count;
    totals.runsWith[kind] = (totals.runsWith[kind] ?? 0) + 1;
  }
  if (outcome.violation !== undefined) totals.failures.push({ seed: outcome.seed, ...outcome.violation });
}

/** For people. */
export function report(totals: Totals): string {
  const { readings, faults, runsWith, failures } = totals;
  const lines = [
    `${totals.seeds} seeds, ${totals.virtualHours.toFixed(0)} virtual hours, ${totals.events} events, ` +
      `${((1000 * totals.cpuSeconds) / Math.max(1, totals.seeds)).toFixed(0)} ms of CPU a seed`,
    `readings: ${readings.sealed} sealed, ${readings.receipted} receipted, ${readings.journalled} journalled, ` +
      `${readings.printed} printed by subscribers`,
    `given up by devices, counted and named: ${readings.lost}; destroyed by the medium and reported: ${readings.destroyed}`,
    'faults injected (runs with them):',
  ];
  for (const kind of KINDS) lines.push(`  ${kind}: ${faults[kind] ?? 0} (${runsWith[kind] ?? 0})`);
  if (failures.length === 0)
    lines.push(
      'violations 0: lost 0, duplicated 0, altered 0, forged and accepted 0, out of order 0, unreported 0',
    );
  else {
    lines.push(`violations ${failures.length}:`);
    const byWhat = new Map<string, number[]>();
    for (const { what, seed } of failures) {
      const seeds = byWhat.get(what);
      if (seeds === undefined) byWhat.set(what, [seed]);
      else seeds.push(seed);
    }
    for (const [what, seeds] of byWhat)
      lines.push(`  ${what}: ${seeds.length}: ${seeds.slice(0, 20).join(' ')}`);
  }
  return lines.join('\n');
}
