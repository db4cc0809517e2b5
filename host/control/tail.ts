/** Readings as they become durable, to whoever looks on. Costs nothing while nobody does. */
import type { Entry, ReadingEntry } from '../journal/entry.js';
import type { BeginStream, DecodedReading, StreamSink } from './calls.js';

interface Watcher {
  /** '' for all. */
  readonly device: string;
  readonly sink: StreamSink<DecodedReading>;
}

export class Tail {
  readonly #decode: (entry: ReadingEntry) => DecodedReading | undefined;
  readonly #watchers = new Set<Watcher>();

  constructor(decode: (entry: ReadingEntry) => DecodedReading | undefined) {
    this.#decode = decode;
  }

  /** Of one device, or of all: ''. */
  of(device: string): BeginStream<DecodedReading> {
    return sink => {
      const watcher: Watcher = { device, sink };
      this.#watchers.add(watcher);
      return () => void this.#watchers.delete(watcher);
    };
  }

  durable(batch: readonly Entry[]): void {
    if (this.#watchers.size === 0) return;
    for (const entry of batch) if (entry.kind === 'reading') this.#tell(entry);
  }

  #tell(entry: ReadingEntry): void {
    let reading: DecodedReading | undefined;
    for (const { device, sink } of this.#watchers)
      if (device === '' || device === entry.device)
        sink.offer(() => {
          reading ??= this.#decode(entry);
          return reading;
        });
  }
}
