/** Counted costs of the gateway, held against what was recorded on purpose in `costs.json`: exact numbers, no times. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Costs = Readonly<Record<string, number>>;

const file = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'test', 'host', 'costs.json');
const HOW = 'When that is meant, record it: RECORD_COSTS=1 npx ava';

export function recordedCosts(): Record<string, Costs> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, Costs>;
}

/**
 * Returns what has risen, line by line; with RECORD_COSTS=1 in the environment, what was measured becomes the record.
 * @param maxRise how far a figure may lie above the recorded one
 * @param test the file that measures
 */
export function compareCosts(name: string, measured: Costs, maxRise: number, test: string): string[] {
  if (process.env.RECORD_COSTS === '1') {
    const rounded = Object.entries(measured).map(([key, value]) => [key, Math.round(value * 1000) / 1000]);
    const all = { ...recordedCosts(), [name]: Object.fromEntries(rounded) };
    writeFileSync(file, `${JSON.stringify(all, null, 2)}\n`);
    return [];
  }
  const recorded = recordedCosts()[name] ?? {};
  return Object.entries(measured)
    .filter(([key, value]) => !(value <= (recorded[key] ?? -1) * maxRise))
    .map(([key, value]) => `${name}: ${key} was ${recorded[key]} and is ${value}. ${HOW} ${test}`);
}
