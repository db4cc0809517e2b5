/**
 * `npm run sim -- --defects [--update] [part of a name]…`: looks for the first seed that catches each defect, from 1 up to
 * its budget. With `--update`, writes what it finds into `hints.ts` and into the table of `README.md`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Defect } from './defect.js';
import { DEFECTS } from './defects.js';
import { HINTS } from './hints.js';
import { type Catch, hunt, Pool } from './hunt.js';

const SOURCES = new URL('../../../../test/sim/defects/', import.meta.url);
const TABLE = /(<!-- table -->\n)[\s\S]*(<!-- end of table -->)/;

/** @returns the exit status: 0 when every defect that was looked at is caught */
export async function defectsCommand(args: readonly string[]): Promise<number> {
  const { values, positionals: parts } = parseArgs({
    args: [...args],
    options: { update: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const chosen = DEFECTS.filter(({ name }) => parts.length === 0 || parts.some(part => name.includes(part)));
  const pool = new Pool(2);
  const found = new Map<string, Catch>();
  await Promise.all(
    chosen.map(defect =>
      pool.run(async () => {
        const caught = await hunt(defect, [], defect.budget);
        found.set(defect.name, caught);
        say(describe(defect, caught));
      }),
    ),
  );
  const missed = [...found.values()].filter(({ seed }) => seed === undefined).length;
  say(`${chosen.length} defects, ${chosen.length - missed} caught`);
  if (values.update) record(found);
  return missed === 0 ? 0 : 1;
}

function describe({ name }: Defect, { seed, tried, what, details, crashed, cpuMs }: Catch): string {
  const cost = `${tried} seeds, ${(cpuMs / 1000).toFixed(1)} s`;
  const crash = crashed === '' ? '' : ` [crash: ${crashed.slice(0, 300)}]`;
  return seed === undefined
    ? `MISSED ${name} (${cost})${crash}`
    : `${name}: seed ${seed} (${cost}): ${what}: ${details}`;
}

function record(found: ReadonlyMap<string, Catch>): void {
  const seeds = DEFECTS.flatMap(({ name }) => {
    const caught = found.get(name);
    const seed = caught === undefined ? HINTS[name] : caught.seed;
    return seed === undefined ? [] : [[name, seed] as const];
  });
  const hints = fileURLToPath(new URL('hints.ts', SOURCES));
  const text = readFileSync(hints, 'utf8');
  const lines = seeds.map(([name, seed]) => `  ${key(name)}: ${seed},\n`);
  writeFileSync(hints, `${text.slice(0, text.indexOf('= {') + 3)}\n${lines.join('')}};\n`);
  const readme = fileURLToPath(new URL('README.md', SOURCES));
  const known = new Map(seeds);
  writeFileSync(readme, readFileSync(readme, 'utf8').replace(TABLE, `$1${tableOf(known)}$2`));
}

/** As the formatter wants it. */
function key(name: string): string {
  return /^[a-z]+$/.test(name) ? name : `'${name}'`;
}

function tableOf(seeds: ReadonlyMap<string, number>): string {
  const rows = DEFECTS.map(
    ({ name, guarantee, budget }) =>
      `| ${name} | ${guarantee} | ${seeds.get(name) ?? 'not caught'} | ${budget} |\n`,
  );
  return `| defect | breaks | first seed | budget |\n|---|---|---|---|\n${rows.join('')}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
