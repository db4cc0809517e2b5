import type { DurablePlace } from '../../../host/journal/cursor.js';
import type { Damage, Entry, GapEntry, HandoverEntry, ReadingEntry } from '../../../host/journal/entry.js';
import { Journal, type JournalOptions } from '../../../host/journal/journal.js';
import type { Clock, Log, Storage, Timer } from '../../../host/ports.js';

export const DIRECTORY = '/journal';
export const DEVICES = ['00000000000000aa', '00000000000000bb', '00000000000000cc'];

export class TestClock implements Clock {
  time = 1_700_000_000_000;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  after(ms: number, run: () => void): Timer {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter(other => other !== timer);
      },
    };
  }

  async pass(ms: number): Promise<void> {
    this.time += ms;
    const due = this.#timers.filter(timer => timer.at <= this.time);
    this.#timers = this.#timers.filter(timer => timer.at > this.time);
    for (const timer of due) timer.run();
    await settle();
  }
}

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Lets everything that can happen without time passing happen. */
export async function settle(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(resolve => setImmediate(resolve));
}

export function reading(
  device: string,
  epoch: number,
  seq: number,
  more: Partial<ReadingEntry> = {},
): ReadingEntry {
  const bytes = Buffer.alloc(60 + (seq % 7), seq & 0xff);
  bytes[0] = 0x84;
  bytes[1] = 0x4d;
  bytes.write(device, bytes.length - 32, 'hex');
  bytes.writeUInt32BE(epoch % 2 ** 32, bytes.length - 32);
  bytes.writeUInt32BE(seq % 2 ** 32, bytes.length - 28);
  const tag8 = bytes.toString('hex', bytes.length - 32, bytes.length - 24);
  const at = 1_700_000_000_000 + seq;
  return {
    kind: 'reading',
    at,
    link: 'tcp:192.0.2.7',
    device,
    epoch,
    seq,
    bytes,
    tag8,
    final: false,
    offset: -1,
    ...more,
  };
}

export function gap(device: string, from: [number, number], to: [number, number]): GapEntry {
  return { kind: 'gap', at: 1_700_000_000_000, link: 'serial:/dev/ttyACM0', device, from, to, offset: -1 };
}

export function open(
  storage: Storage,
  options: Partial<JournalOptions> = {},
  cursors: Iterable<DurablePlace> = [],
  clock: Clock = new TestClock(),
): Promise<Journal> {
  return Journal.open({ storage, clock, log: silent }, { directory: DIRECTORY, ...options }, cursors);
}

export function handover(from: string, to: string, more: Partial<HandoverEntry> = {}): HandoverEntry {
  const at = 1_700_000_100_000;
  return { kind: 'handover', at, from, to, backupAt: at - 100_000, next: 7, offset: -1, ...more };
}

export async function readAll(
  journal: Journal,
  from = 0,
  damages: Damage[] = [],
  step = 7,
): Promise<Entry[]> {
  const reader = journal.reader(from, { damaged: damage => damages.push(damage) });
  const all: Entry[] = [];
  for (;;) {
    const some = await reader.next(step);
    if (some.length === 0) break;
    all.push(...some);
  }
  await reader.close();
  return all;
}

export function key(entry: Entry): string {
  if (entry.kind === 'handover') return `${entry.from} > ${entry.to}`;
  return entry.kind === 'reading'
    ? `${entry.device.slice(-2)} ${entry.epoch}.${entry.seq}`
    : `${entry.device.slice(-2)} gap ${entry.from.join('.')}-${entry.to.join('.')}`;
}

/** Appends and waits until it is durable. */
export async function store(journal: Journal, ...entries: Entry[]): Promise<void> {
  const last = entries[entries.length - 1];
  const durable = new Promise<void>(resolve => {
    journal.onDurable(batch => {
      if (batch.includes(last)) resolve();
    });
  });
  for (const entry of entries) if (!journal.append(entry)) throw new Error('not taken');
  await durable;
}
