/** What each device has measured last, by the name of the record: a reading often holds one record of several that there are. */
import type { DecodedReading, StreamHandlers } from '../control/calls.js';
import type { Clock } from '../ports.js';
import type { FleetValue } from './messages.js';

/** Of a device; further names are left out. */
const MAX_VALUES = 4;
const MAX_TEXT_CHARS = 48;
/** Beyond this, a sample: people can't follow more, and decoding costs the gateway. */
const MAX_READINGS_PER_SECOND = 2000;

export class LastValues {
  readonly #clock: Clock;
  readonly #tail: StreamHandlers['tail'];
  readonly #values = new Map<string, Map<string, FleetValue>>();
  #stop: (() => void) | undefined;
  #secondMs = Number.NEGATIVE_INFINITY;
  #readingsOfSecond = 0;

  constructor(clock: Clock, tail: StreamHandlers['tail']) {
    this.#clock = clock;
    this.#tail = tail;
  }

  begin(): void {
    this.#stop = this.#tail({})({
      offer: make => {
        const reading = this.#room() ? make() : undefined;
        if (reading !== undefined) this.take(reading);
      },
    });
  }

  end(): void {
    this.#stop?.();
    this.#values.clear();
  }

  /** What a heartbeat or a start says is of the device, not of what it measures. */
  take({ device, kind, records }: DecodedReading): void {
    if (kind !== undefined) return;
    let values = this.#values.get(device);
    if (values === undefined) {
      values = new Map();
      this.#values.set(device, values);
    }
    for (const { vd, ...record } of records)
      if (vd === undefined && (values.has(record.n) || values.size < MAX_VALUES))
        values.set(record.n, readable(record));
  }

  /** Sorted by name. */
  of(device: string): FleetValue[] {
    const values = this.#values.get(device);
    return values === undefined ? [] : [...values.values()].sort((a, b) => (a.n < b.n ? -1 : 1));
  }

  #room(): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#secondMs >= 1000) {
      this.#secondMs = now;
      this.#readingsOfSecond = 0;
    }
    this.#readingsOfSecond += 1;
    return this.#readingsOfSecond <= MAX_READINGS_PER_SECOND;
  }
}

const readable = (record: FleetValue): FleetValue =>
  record.vs === undefined ? record : { ...record, vs: record.vs.slice(0, MAX_TEXT_CHARS) };
