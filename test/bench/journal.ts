/**
 * The journal beside what the disk can do: appends through its public interface against a bare loop of write
 * and fdatasync with the same bytes in the same groups, and the opening of a small and a large journal.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry, ReadingEntry } from '../../host/journal/entry.js';
import { Journal } from '../../host/journal/journal.js';
import { systemClock } from '../../host/node/clock.js';
import { silentLog } from '../../host/node/log.js';
import { NodeStorage } from '../../host/node/storage.js';
import { CountingStorage } from '../support/counting-storage.js';
import { count, median } from './figures.js';
import type { Row } from './row.js';

export interface JournalBenchOptions {
  /** Where to write; a new directory under the system's for temporary files. */
  directory?: string;
  /** Readings of the large journal that is opened; the small one has a hundredth. 2,000,000. */
  backlog?: number;
  /** Groups per measurement. */
  groups?: number;
  groupSizes?: readonly number[];
}

const DEVICES = 50;
const ENVELOPE_BYTES = 130;
const RUNS = 7;
const MIN_SHARE = 60;
const MAX_BYTES = 1.6 * ENVELOPE_BYTES + 100;
const MAX_OPEN_MS = 200;

export async function benchJournal(options: JournalBenchOptions = {}): Promise<Row[]> {
  const { backlog = 2_000_000, groups = 400, groupSizes = [16, 64, 256, 1024] } = options;
  const directory = await mkdtemp(join(options.directory ?? tmpdir(), 'sovereign-bench-'));
  const rows: Row[] = [];
  try {
    for (const size of groupSizes) rows.push(...(await benchAppend(directory, size, groups)));
    for (const wanted of [1000, backlog]) rows.push(...(await benchOpen(directory, wanted)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return rows;
}

async function benchAppend(directory: string, size: number, groups: number): Promise<Row[]> {
  const rates: number[] = [];
  const shares: number[] = [];
  const bare: number[] = [];
  let bytes = 0;
  for (let run = 0; run < RUNS; run++) {
    const counts = new CountingStorage();
    const journal = await openIn(join(directory, `append-${size}-${run}`), counts);
    const entries = readings(size * groups);
    const began = performance.now();
    await inGroups(journal, entries, size);
    rates.push((entries.length / (performance.now() - began)) * 1000);
    await journal.close();
    bytes = counts.writtenBytes / entries.length;
    bare.push(await bareLoop(join(directory, `bare-${size}-${run}`), Math.round(bytes * size), groups, size));
    // One right after the other: what else the disk has to do hits both.
    shares.push((rates[run] / bare[run]) * 100);
  }
  const name = `journal append, groups of ${size}`;
  const of = median(shares);
  return [
    {
      name,
      value: Math.round(median(rates)),
      unit: 'readings/s',
      reference: `bare write + fdatasync of the same groups ${count(median(bare))}/s: ${of.toFixed(1)} %`,
      goal: `≥ ${MIN_SHARE} % of it`,
      met: of >= MIN_SHARE,
    },
    {
      name: `${name}, bytes written for a reading whose envelope has ${ENVELOPE_BYTES}`,
      value: Math.round(bytes * 10) / 10,
      unit: 'bytes',
      goal: `≤ ${MAX_BYTES}`,
      met: bytes <= MAX_BYTES,
    },
  ];
}

/** Keeps one group in flight and one being gathered, as a busy gateway does. */
function inGroups(journal: Journal, entries: readonly Entry[], size: number): Promise<void> {
  let next = 0;
  let durable = 0;
  const fill = (inFlight: number) => {
    while (next < entries.length && next - durable < inFlight) {
      if (!journal.append(entries[next++])) throw new Error('the journal took no more');
    }
  };
  return new Promise(resolve => {
    journal.onDurable(batch => {
      durable += batch.length;
      if (durable === entries.length) resolve();
      else fill(2 * size);
    });
    fill(size);
    // The first group is on its way before the second one is gathered.
    setImmediate(() => fill(2 * size));
  });
}

/** The same groups with nothing around them; what write and fdatasync alone allow, in readings/s. */
async function bareLoop(path: string, groupBytes: number, groups: number, size: number): Promise<number> {
  const file = await new NodeStorage().open(path, 'create');
  const buffer = Buffer.alloc(groupBytes, 0x41);
  const began = performance.now();
  for (let i = 0; i < groups; i++) {
    await file.write(buffer, i * groupBytes);
    await file.sync();
  }
  const seconds = (performance.now() - began) / 1000;
  await file.close();
  return (groups * size) / seconds;
}

async function benchOpen(directory: string, wanted: number): Promise<Row[]> {
  const path = join(directory, `open-${wanted}`);
  const journal = await openIn(path, new CountingStorage());
  const chunk = 20_000;
  for (let done = 0; done < wanted; done += chunk) {
    await inGroups(journal, readings(Math.min(chunk, wanted - done), done), 1000);
  }
  await journal.close();
  const times: number[] = [];
  let counts = new CountingStorage();
  for (let run = 0; run < RUNS; run++) {
    counts = new CountingStorage();
    const began = performance.now();
    const again = await openIn(path, counts);
    times.push(performance.now() - began);
    const found = [...again.positions.values()].reduce((sum, position) => sum + position.readings, 0);
    if (found !== wanted) throw new Error(`${found} of ${wanted} readings after opening`);
    await again.close();
  }
  const ms = median(times);
  return [
    {
      name: `opening a journal of ${count(wanted)} readings, in a process that runs`,
      value: Math.round(ms * 10) / 10,
      unit: 'ms',
      reference: `${counts.opened.size} segment read, ${count(counts.readBytes)} bytes`,
      goal: `≤ ${MAX_OPEN_MS} ms`,
      met: ms <= MAX_OPEN_MS,
    },
  ];
}

function openIn(directory: string, counts: CountingStorage): Promise<Journal> {
  return Journal.open({ storage: counts, clock: systemClock, log: silentLog }, { directory });
}

export function readings(count: number, before = 0): ReadingEntry[] {
  const entries: ReadingEntry[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = Buffer.alloc(ENVELOPE_BYTES, i & 0xff);
    bytes[0] = 0x84;
    bytes[1] = 0x4d;
    bytes.writeUInt32BE(before + i, 40);
    entries.push({
      kind: 'reading',
      at: 1_780_000_000_000 + before + i,
      link: 'tcp:192.0.2.7',
      device: ((before + i) % DEVICES).toString(16).padStart(16, '0'),
      epoch: 12,
      seq: Math.floor((before + i) / DEVICES),
      bytes,
      tag8: '0011223344556677',
      final: false,
      offset: -1,
    });
  }
  return entries;
}
