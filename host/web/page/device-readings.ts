/** The readings of one device: what the journal holds of a span of time, and what comes in from then on. */
import type { DecodedReading } from '../../control/calls.js';
import { CallError, type Connection } from './connection.js';
import { SeriesBuilder } from './series.js';

/** The longest page: a search begins at the start of a segment, so many short ones cost more than few long ones. */
const PAGE = 5000;
/** Each looks at no more than a part of the journal; a device that seldom speaks is not looked for through all of it. */
const MAX_SEARCHES = 12;
/** More than a plot can show; the newest are kept. */
const MAX_READINGS = 20_000;
const MAX_LATEST = 25;

export class DeviceReadings {
  /** Newest first. */
  latest: DecodedReading[] = [];
  series = new SeriesBuilder();
  /** Why there are none, or not all. */
  fault = '';
  loading = true;
  /** There may be more than are shown. */
  cut = false;
  readonly #connection: Connection;
  readonly #device: string;
  readonly #changed: () => void;
  #stop: (() => void) | undefined;
  #round = 0;

  constructor(connection: Connection, device: string, changed: () => void) {
    this.#connection = connection;
    this.#device = device;
    this.#changed = changed;
  }

  /** @param since Unix ms by the gateway's clock; called at the beginning and after each break of the connection */
  watch(since: () => number): void {
    this.#stop?.();
    const early: DecodedReading[] = [];
    let loaded = false;
    this.#stop = this.#connection.stream(
      'tail',
      { device: this.#device },
      {
        // The stream first and the journal then: nothing falls between them, and what both tell is taken once.
        begins: () => {
          loaded = false;
          early.length = 0;
          void this.#load(since()).then(complete => {
            if (!complete) return;
            for (const reading of early.splice(0)) this.#add(reading);
            loaded = true;
            this.#changed();
          });
        },
        item: reading => {
          if (!loaded) {
            if (early.length < PAGE) early.push(reading);
            return;
          }
          this.#add(reading);
          this.#changed();
        },
        failed: error => this.#failed(error),
      },
    );
  }

  destroy(): void {
    this.#round += 1;
    this.#stop?.();
  }

  /** False when something else has begun meanwhile. */
  async #load(since: number): Promise<boolean> {
    this.#round += 1;
    const round = this.#round;
    this.loading = true;
    this.fault = '';
    this.#changed();
    const pages: (readonly DecodedReading[])[] = [];
    let count = 0;
    let searches = 0;
    let before: number | undefined;
    try {
      do {
        const page = await this.#connection.call('readings', {
          device: this.#device,
          since: Math.max(0, Math.floor(since)),
          limit: PAGE,
          ...(before !== undefined && { before }),
        });
        if (round !== this.#round) return false;
        pages.unshift(page.readings);
        count += page.readings.length;
        searches += 1;
        before = page.before;
        this.#rebuild(pages);
      } while (before !== undefined && count < MAX_READINGS && searches < MAX_SEARCHES);
    } catch (error) {
      if (round !== this.#round) return false;
      this.#failed(error);
    }
    this.cut = before !== undefined;
    this.loading = false;
    return true;
  }

  /** The newest come first; what is older goes before them. */
  #rebuild(pages: readonly (readonly DecodedReading[])[]): void {
    this.series = new SeriesBuilder();
    this.latest = [];
    for (const page of pages) for (const reading of page) this.#add(reading);
    this.#changed();
  }

  #add(reading: DecodedReading): void {
    const newest = this.latest[0];
    if (newest !== undefined && reading.offset <= newest.offset) return;
    this.series.add(reading);
    this.latest.unshift(reading);
    if (this.latest.length > MAX_LATEST) this.latest.length = MAX_LATEST;
  }

  #failed(error: unknown): void {
    if (error instanceof CallError && error.code === 'offline') return;
    this.fault = error instanceof Error ? error.message : String(error);
    this.loading = false;
    this.#changed();
  }
}
