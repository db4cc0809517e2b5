/**
 * From readings to what can be plotted: one series for each record of numbers, in the order of time. Where readings are
 * missing, or the device has started anew, the line is broken: it never runs over what nobody has measured.
 */
import type { DecodedReading } from '../../control/calls.js';

export interface Series {
  /** The record's name. */
  readonly name: string;
  readonly unit: string | undefined;
  /** True or false rather than a number; 1 and 0 here. */
  readonly switched: boolean;
  /** Unix seconds, rising. */
  readonly times: number[];
  /** `null`: the line ends here. */
  readonly values: (number | null)[];
}

/** More are not drawn: a plot each. */
export const MAX_SERIES = 24;

/** Of a series; the newest are kept. A page stays open for days, and a device may speak a hundred times a second. */
const MAX_POINTS = 50_000;

/** When it was measured, as far as anybody knows: by the device's clock, else when the gateway received it. */
export const measuredAt = (reading: DecodedReading) => reading.time ?? reading.at;

export class SeriesBuilder {
  readonly #series = new Map<string, Series>();
  #last: { epoch: number; seq: number; at: number } | undefined;

  /** @param reading later than those before, or it is put at the same instant as the last */
  add(reading: DecodedReading): void {
    const { epoch, seq } = reading;
    const last = this.#last;
    if (last !== undefined && (epoch < last.epoch || (epoch === last.epoch && seq <= last.seq))) return;
    const at = Math.max(measuredAt(reading) / 1000, last?.at ?? 0);
    if (last !== undefined && (epoch !== last.epoch || seq !== last.seq + 1)) this.#break(last.at, at);
    this.#last = { epoch, seq, at };
    // What a heartbeat or a start says is of the device, not of what it measures.
    if (reading.kind !== undefined) return;
    for (const { n, u, v, vb } of reading.records) {
      const value = v ?? (vb === undefined ? undefined : Number(vb));
      if (value === undefined || !Number.isFinite(value)) continue;
      const series = this.#of(n, u, vb !== undefined);
      series?.times.push(at);
      series?.values.push(value);
    }
  }

  /** Leaves out what was before, and the oldest of what are too many. */
  forget(beforeSeconds: number): void {
    for (const { times, values } of this.#series.values()) {
      let count = Math.max(0, times.length - MAX_POINTS);
      while (count < times.length && times[count]! < beforeSeconds) count += 1;
      times.splice(0, count);
      values.splice(0, count);
    }
  }

  /** Sorted by name; those that hold something. */
  get all(): Series[] {
    return [...this.#series.values()]
      .filter(({ values }) => values.some(value => value !== null))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #of(name: string, unit: string | undefined, switched: boolean): Series | undefined {
    let series = this.#series.get(name);
    if (series === undefined && this.#series.size < MAX_SERIES) {
      series = { name, unit, switched, times: [], values: [] };
      this.#series.set(name, series);
    }
    return series;
  }

  #break(from: number, to: number): void {
    for (const { times, values } of this.#series.values()) {
      if (values.at(-1) === null || values.length === 0) continue;
      times.push((from + to) / 2);
      values.push(null);
    }
  }
}
