/**
 * `npm run bench`: every figure of the README, each beside its reference from the same run.
 *
 *   npm run bench -- [SUITE…] [--json] [--quick] [--readings N]
 *
 * `--quick` takes fewer runs and smaller backlogs; `--readings` is the size of the backlog (10,000,000 takes some ten minutes
 * and 3 GB of disk). With `--json` one object a row; else a table.
 */
import { parseArgs } from 'node:util';
import { backlogRows } from './backlog.js';
import { count } from './figures.js';
import { flatRows } from './flat.js';
import { intakeRows } from './intake.js';
import { benchJournal } from './journal.js';
import { latencyRows } from './latency.js';
import { machine, nodeRows } from './node.js';
import { peerRows } from './peers.js';
import { pressureRows } from './pressure.js';
import type { Row } from './row.js';
import { subscriberRows } from './subscriber.js';
import { benchUplink } from './uplink.js';
import { xsRows } from './xs.js';

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    readings: { type: 'string' },
  },
  allowPositionals: true,
});
const { quick } = values;
const backlog = values.readings === undefined ? (quick ? 400_000 : 2_000_000) : Number(values.readings);
if (!(Number.isSafeInteger(backlog) && backlog >= 10_000))
  throw new Error(`--readings: expected a whole number from 10000 up, got ${values.readings}`);

const SUITES: Record<string, () => Promise<Row[]> | Row[]> = {
  seal: nodeRows,
  xs: xsRows,
  intake: () => (quick ? intakeRows(4_000, 3) : intakeRows()),
  flat: () => (quick ? flatRows(100_000, 1) : flatRows()),
  latency: () => latencyRows(quick ? 5 : 15),
  journal: () => benchJournal(quick ? { groups: 200, backlog: 400_000 } : {}),
  uplink: () => (quick ? benchUplink(40_000, 3) : benchUplink()),
  subscriber: () => subscriberRows(quick ? { runs: 1, readings: 100_000 } : {}),
  backlog: () => backlogRows({ readings: backlog }),
  peers: () => (quick ? peerRows(100_000, 1) : peerRows(400_000, 3)),
  pressure: () => pressureRows(quick ? 3 : 8),
};

const chosen = positionals.length > 0 ? positionals : Object.keys(SUITES);
const unknown = chosen.filter(name => !(name in SUITES));
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: expected ${Object.keys(SUITES).join(', ')}`);

const print = (text: string) => process.stdout.write(`${text}\n`);
if (!values.json) {
  print(`${machine()}, ${new Date().toISOString().slice(0, 10)}\n`);
  print('| what | measured | goal | beside |\n|---|---|---|---|');
}
let missed = 0;
for (const name of chosen) {
  for (const row of await SUITES[name]()) {
    if (row.met === false) missed++;
    print(values.json ? JSON.stringify({ suite: name, ...row }) : line(row));
  }
}
if (!values.json)
  print(`\n${missed === 0 ? 'Every goal is reached.' : `${missed} of the goals are missed.`}`);
process.exit(0); // a broker's client may still hold its socket

function line({ name, value, unit, goal, met, reference }: Row): string {
  const reached = goal === undefined ? '' : `${goal}${met ? '' : ' **missed**'}`;
  const beside = typeof reference === 'number' ? `${figure(reference)} ${unit}` : (reference ?? '');
  return `| ${name} | ${unit === '' ? '' : `${figure(value)} ${unit}`} | ${reached} | ${beside} |`;
}

function figure(value: number): string {
  if (Math.abs(value) >= 100 || Number.isInteger(value)) return count(value);
  return String(Number(value.toPrecision(3)));
}
