/**
 * A source on a bench: time passes only when told, each reading is sealed and opened again. Plain code without
 * any platform: it runs on Node and on XS.
 */
import { type Digest, EnvelopeReader, readRecords, Sealer } from '../../../firmware/seal/index.js';
import type { Source } from '../../../firmware/sensors/index.js';

/** Proves nothing and costs nothing. */
const digest: Digest = {
  sha256: (_data, from, to, out, at) => out.fill(to - from, at, at + 32),
  hmac: () => ({ compute: (_data, from, to, out, at) => out.fill(to - from, at, at + 32) }),
};

export type Value = number | boolean | string | undefined;

export interface BenchReading {
  readonly atMs: number;
  readonly fault: boolean;
  /** By name; with `name unit` for those with a unit as well. */
  readonly values: Readonly<Record<string, Value>>;
}

const MAX_POLLS = 100_000;

export class Bench {
  nowMs = 0;
  readings: BenchReading[] = [];
  /** Nobody takes what is ready. */
  quiet = false;
  polls = 0;
  source!: Source;
  readonly uptime = { nowMs: () => this.nowMs };
  readonly #sealer = new Sealer(digest, new Uint8Array(8));
  #wakeMs = 0;

  constructor(make: (bench: Bench) => Source) {
    this.#sealer.startEpoch(1, new Uint8Array(32));
    this.source = make(this);
  }

  readonly wake = (): void => {
    this.#wakeMs = this.nowMs;
  };

  /** Lets time pass and polls when the source wants it. @returns the readings made meanwhile */
  run(ms: number): BenchReading[] {
    const first = this.readings.length;
    const untilMs = this.nowMs + ms;
    for (;;) {
      if (this.nowMs >= this.#wakeMs) this.#poll();
      if (this.#wakeMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, this.#wakeMs);
      if (this.nowMs >= untilMs) break;
    }
    this.nowMs = untilMs;
    return this.readings.slice(first);
  }

  /** Time jumps without anyone being asked: a long flash erase, or a clock set back. */
  jump(ms: number): void {
    this.nowMs += ms;
    this.#wakeMs = this.nowMs;
  }

  #poll(): void {
    if (++this.polls > MAX_POLLS) throw new Error('polled for ever');
    let waitMs = this.source.poll(this.nowMs);
    while (waitMs <= 0 && !this.quiet) {
      this.#seal();
      waitMs = this.source.poll(this.nowMs);
    }
    if (!(waitMs >= 0)) throw new Error(`poll returned ${waitMs}`);
    this.#wakeMs = this.nowMs + Math.max(1, Math.ceil(Math.min(waitMs, 1e9)));
  }

  #seal(): void {
    const sealer = this.#sealer;
    const { kind } = this.source;
    const out = sealer.begin(Math.max(0, this.nowMs), -1, kind);
    this.source.write(out);
    const length = sealer.seal();
    if (length === 0) throw new Error(`not sealed: ${sealer.fault}`);
    const envelope = new EnvelopeReader();
    const fault = envelope.parse(sealer.buffer, sealer.start, sealer.start + length);
    if (fault !== '') throw new Error(`envelope: ${fault}`);
    const values: Record<string, Value> = {};
    for (const record of readRecords(sealer.buffer, envelope.recordsAt, envelope.recordsEnd)) {
      const value = record.v ?? record.vb ?? record.vs;
      values[record.n] = value;
      if (record.u !== undefined) values[`${record.n} ${record.u}`] = value;
    }
    this.readings.push({ atMs: this.nowMs, fault: envelope.kind === 4, values });
  }
}

/** What is not as expected; nothing when all is well. */
export class Findings {
  readonly list: string[] = [];

  same(what: string, actual: unknown, expected: unknown): void {
    const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
    if (got !== wanted) this.list.push(`${what}: expected ${wanted}, got ${got}`);
  }

  near(what: string, actual: Value, expected: number, within: number): void {
    if (typeof actual === 'number' && Math.abs(actual - expected) <= within) return;
    this.list.push(`${what}: expected ${expected} ± ${within}, got ${String(actual)}`);
  }

  true(what: string, holds: boolean): void {
    if (!holds) this.list.push(what);
  }

  throws(what: string, run: () => unknown): void {
    try {
      run();
    } catch {
      return;
    }
    this.list.push(`${what}: did not throw`);
  }
}

export interface Check {
  readonly name: string;
  readonly run: (found: Findings) => void;
}

/** One field of readings, in order: `v`, or the fault's word. */
export function told(readings: readonly BenchReading[], name: string, source = name): Value[] {
  return readings.map(({ fault, values }) => (fault ? values[`${source}/fault`] : values[name]));
}
