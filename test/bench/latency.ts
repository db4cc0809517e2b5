/** From a frame going in to its receipt coming out, at a steady rate, beside one `fdatasync` on the same disk. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeStorage } from '../../host/node/storage.js';
import { Driver } from './driver.js';
import { percentile } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import type { Row } from './row.js';

const DEVICES = 50;
const PER_SECOND = 1000;
const SYNCS = 2000;
const LINE_BYTES = 284;
/** What a receipt may take, in syncs. */
const MAX_SYNCS = 3;

/** @param seconds how long readings come in */
export async function latencyRows(seconds = 10): Promise<Row[]> {
  const syncs = await bareSyncs();
  const drivers = Array.from({ length: DEVICES }, (_, i) => new Driver(i + 1, 64));
  const gateway = await GatewayRig.start(drivers.map(({ identity }) => identity.entry()));
  const latencies: number[] = [];
  try {
    await Promise.all(drivers.map(driver => driver.open(gateway.port)));
    await Promise.all(drivers.map(driver => driver.send(100)));
    for (const driver of drivers) driver.onLatency = ms => latencies.push(ms);
    await atRate(PER_SECOND, seconds, i => drivers[i % DEVICES].sendOne());
    await new Promise(resolve => setTimeout(resolve, 200));
  } finally {
    for (const driver of drivers) driver.close();
    await gateway.stop();
  }
  const sync = percentile(syncs, 50);
  const reference = `one write + fdatasync: median ${sync.toFixed(2)} ms, p99 ${percentile(syncs, 99).toFixed(2)} ms`;
  const row = (p: number): Row => ({
    name: `frame in to receipt out at ${PER_SECOND} readings/s, p${p}`,
    value: Math.round(percentile(latencies, p) * 100) / 100,
    unit: 'ms',
    reference,
  });
  const worst = percentile(syncs, 99);
  const met = percentile(latencies, 99) <= MAX_SYNCS * worst;
  return [row(50), { ...row(99), goal: `≤ ${MAX_SYNCS} × the p99 of one fdatasync`, met }];
}

/** Calls `step` so often a second, in the small bursts that a timer allows. */
export async function atRate(perSecond: number, seconds: number, step: (i: number) => void): Promise<void> {
  const began = performance.now();
  const total = perSecond * seconds;
  for (let done = 0; done < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - began) * perSecond) / 1000));
    for (; done < due; done++) step(done);
    await new Promise(resolve => setTimeout(resolve, 1));
  }
}

/** As long a line as a reading takes, written and synced, in ms. */
async function bareSyncs(): Promise<number[]> {
  const directory = await mkdtemp(join(tmpdir(), 'sovereign-bench-'));
  try {
    const file = await new NodeStorage().open(join(directory, 'bare'), 'create');
    const line = Buffer.alloc(LINE_BYTES, 0x41);
    const times: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      // At the same rate: a disk and a processor that were idle for a moment are slower.
      await new Promise(resolve => setTimeout(resolve, 1000 / PER_SECOND));
      const began = performance.now();
      await file.write(line, i * LINE_BYTES);
      await file.sync();
      times.push(performance.now() - began);
    }
    await file.close();
    return times;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
