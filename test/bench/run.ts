/** `npm run bench`: every figure of the README, with what it stands beside. `-- --json` prints one object a row. */
import { parseArgs } from 'node:util';
import { backlogRows } from './backlog.js';
import { intakeRows } from './intake.js';
import { benchJournal } from './journal.js';
import { latencyRows } from './latency.js';
import { machine, nodeRows } from './node.js';
import type { Row } from './row.js';
import { benchUplink } from './uplink.js';
import { xsRows } from './xs.js';

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, readings: { type: 'string' } },
  allowPositionals: true,
});
const SUITES: Record<string, () => Promise<Row[]> | Row[]> = {
  seal: nodeRows,
  xs: xsRows,
  intake: () => intakeRows(),
  latency: () => latencyRows(),
  journal: () => benchJournal(),
  uplink: () => benchUplink(),
  backlog: () => backlogRows(values.readings === undefined ? {} : { readings: Number(values.readings) }),
};

const chosen = positionals.length > 0 ? positionals : Object.keys(SUITES);
const unknown = chosen.filter(name => !(name in SUITES));
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: expected ${Object.keys(SUITES).join(', ')}`);

const print = (text: string) => process.stdout.write(`${text}\n`);
if (!values.json) {
  print(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`);
  print('| what | measured | beside |\n|---|---|---|');
}
for (const name of chosen) {
  for (const row of await SUITES[name]()) {
    if (values.json) print(JSON.stringify({ suite: name, ...row }));
    else print(`| ${row.name} | ${figure(row.value)} ${row.unit} | ${beside(row)} |`);
  }
}
process.exit(0); // a broker's client may still hold its socket

function beside({ reference, unit }: Row): string {
  if (reference === undefined) return '';
  return typeof reference === 'number' ? `${figure(reference)} ${unit}` : reference;
}

function figure(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
