import { KeyChain, label, Sealer } from '../../../firmware/seal/index.js';
import type { OffsetRange } from '../../../host/journal/cursor.js';
import type { Entry, ReadingEntry } from '../../../host/journal/entry.js';
import { nodeDigest } from '../../../host/node/digest.js';
import type { Clock, Log, Random } from '../../../host/ports.js';
import type { UplinkCursor } from '../../../host/uplink/cursor-keeper.js';
import type { UplinkJournal } from '../../../host/uplink/types.js';

export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const anyRandom: Random = { fill: target => void crypto.getRandomValues(target) };

/** Keeps what was logged, as `event code`. */
export class TestLog implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(event: string): void {
    this.lines.push(event);
  }
  warn(event: string, fields: Record<string, unknown> = {}): void {
    this.lines.push(`${event} ${fields.code ?? fields.reason ?? ''}`.trim());
  }
  error(event: string): void {
    this.lines.push(event);
  }
}

/** A journal in memory: what is added is durable at once. */
export class FakeJournal implements UplinkJournal {
  readonly entries: Entry[] = [];
  #next = 1;
  readonly #listeners: ((batch: readonly Entry[]) => void)[] = [];

  get durableOffset(): number {
    return this.#next;
  }

  onDurable(listener: (batch: readonly Entry[]) => void): void {
    this.#listeners.push(listener);
  }

  /** Offsets have holes, as those of the journal have. */
  add(...entries: Entry[]): void {
    for (const entry of entries) {
      entry.offset = this.#next;
      this.#next += entry.offset % 5 === 0 ? 2 : 1;
      this.entries.push(entry);
    }
    for (const listener of this.#listeners) listener(entries);
  }

  reader(fromOffset: number) {
    const { entries } = this;
    let at = entries.findIndex(entry => entry.offset >= fromOffset);
    if (at < 0) at = entries.length;
    return {
      offset: fromOffset,
      async next(maxEntries: number) {
        const out = entries.slice(at, at + maxEntries);
        at += out.length;
        if (out.length > 0) this.offset = out[out.length - 1].offset + 1;
        return out;
      },
      close: async () => {},
    };
  }
}

export class FakeCursor implements UplinkCursor {
  offset: number;
  ranges: readonly OffsetRange[];
  readonly saves: number[] = [];
  fails = 0;
  constructor(offset = 0, ranges: readonly OffsetRange[] = []) {
    this.offset = offset;
    this.ranges = ranges;
  }
  async save(offset: number, ranges: readonly OffsetRange[] = []): Promise<void> {
    if (this.fails > 0) {
      this.fails--;
      throw new Error('EIO');
    }
    this.offset = offset;
    this.ranges = ranges;
    this.saves.push(offset);
  }
}

const TEMPERATURE = label('temperature', 'Cel');

/** A device that seals: real envelopes, one after another. */
export class TestDevice {
  readonly id: string;
  readonly chain: Uint8Array;
  readonly #sealer: Sealer;
  readonly #keys = new KeyChain(nodeDigest);
  epoch = 0;
  #chain: Uint8Array;

  constructor(number: number, epoch = 1) {
    const id = new Uint8Array(8).fill(number);
    this.id = Buffer.from(id).toString('hex');
    const root = new Uint8Array(32).fill(number);
    this.chain = this.#keys.first(root, id);
    this.#chain = this.chain;
    this.#sealer = new Sealer(nodeDigest, id);
    this.startEpoch(epoch);
  }

  startEpoch(epoch: number): void {
    for (; this.epoch < epoch; this.epoch++) this.#chain = this.#keys.next(this.#chain);
    this.#sealer.startEpoch(epoch, this.#chain);
  }

  seal(value: number, kind = 0, unixMs = 1_780_000_000_000): Uint8Array {
    this.#sealer.begin(1000, unixMs, kind).number(TEMPERATURE, value);
    const length = this.#sealer.seal();
    const { buffer, start } = this.#sealer;
    return buffer.slice(start, start + length);
  }

  /** The next reading as the journal holds it. */
  entry(value = 20): ReadingEntry {
    const seq = this.#sealer.nextSeq;
    const bytes = this.seal(value);
    const tag8 = Buffer.from(bytes.subarray(-32, -24)).toString('hex');
    const { id: device, epoch } = this;
    return {
      kind: 'reading',
      at: 1_780_000_000_500,
      link: 'test',
      device,
      epoch,
      seq,
      bytes,
      tag8,
      final: false,
      offset: -1,
    };
  }
}

export async function until(condition: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
