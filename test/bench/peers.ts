/**
 * Others that hold readings until they can be sent on, beside the journal: SQLite (WAL, synchronous FULL) and LMDB, where they
 * are installed (`npm i --no-save libsql lmdb`, or a folder with both named by SOVEREIGN_PEERS), and Mosquitto's bridge with
 * persistence. Each with what it had on disk after SIGKILL of what it had said to be stored: speed without durability is
 * another product.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bridgeRows } from './bridge.js';
import { count, median } from './figures.js';
import { requirePeer } from './peer-child.js';
import type { Row } from './row.js';

const CHILD = fileURLToPath(new URL('./peer-child.js', import.meta.url));
const GROUP = 256;
const PEERS = [
  ['journal', 'the journal', undefined],
  ['sqlite', 'SQLite, WAL, FULL', 'libsql'],
  ['lmdb', 'LMDB', 'lmdb'],
] as const;

/** @param readings of each store and of the bridge */
export async function peerRows(readings = 200_000, runs = 3): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [kind, name, needed] of PEERS) {
    const what = `${name} as a buffer, groups of ${GROUP}, one after another`;
    if (needed !== undefined && !isInstalled(needed)) {
      rows.push({ name: `${what}: not measured, npm i --no-save ${needed}`, value: 0, unit: '' });
      continue;
    }
    const speeds: number[] = [];
    const again: number[] = [];
    for (let run = 0; run < runs; run++) {
      const directory = await mkdtemp(join(tmpdir(), 'sovereign-peer-'));
      const filled = await child('fill', kind, directory, readings);
      const read = await child('read', kind, directory, 0);
      speeds.push((filled.held / filled.ms) * 1000);
      again.push((read.held / read.ms) * 1000);
      await rm(directory, { recursive: true, force: true });
    }
    const { stored, held } = await killed(kind, readings);
    rows.push({
      name: what,
      value: Math.round(median(speeds)),
      unit: 'readings/s',
      reference: `read again in order ${count(median(again))}/s; after SIGKILL ${count(held)} on disk of ${count(stored)} said to be stored`,
    });
  }
  return [...rows, ...(await bridgeRows(readings, runs))];
}

function isInstalled(name: string): boolean {
  try {
    requirePeer(name);
    return true;
  } catch {
    return false;
  }
}

interface Told {
  stored: number;
  held: number;
  ms: number;
}

/** @param killAfter so many are said to be stored; 0: never */
async function child(
  mode: string,
  kind: string,
  directory: string,
  readings: number,
  killAfter = 0,
): Promise<Told> {
  const args = [CHILD, mode, kind, directory, String(readings), String(GROUP)];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: Told = { stored: 0, held: 0, ms: 0 };
  createInterface({ input: process_.stdout }).on('line', line => {
    Object.assign(told, JSON.parse(line));
    if (killAfter > 0 && told.stored >= killAfter) process_.kill('SIGKILL');
  });
  const [code] = await once(process_, 'close');
  if (killAfter === 0 && code !== 0) throw new Error(`${mode} of ${kind} ended with status ${code}`);
  return told;
}

async function killed(kind: string, readings: number): Promise<{ stored: number; held: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'sovereign-peer-'));
  try {
    const { stored } = await child('fill', kind, directory, readings, readings / 2);
    const { held } = await child('read', kind, directory, 0);
    return { stored, held };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
