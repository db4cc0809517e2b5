/** Makes of the journal's entries what goes to the broker: a reading alone, or many of a backlog together. */
import type { ReadingEntry } from '../journal/entry.js';
import type { BrokerMessage } from '../ports.js';
import type { Lane } from './lane.js';
import type { Lanes } from './lanes.js';
import { batchMessage, type Mark, readingMessage, sealedMessage } from './messages.js';
import type { Pace } from './pace.js';
import type { SenmlEncoder } from './senml.js';
import type { Slot } from './window.js';

/** What goes out together; passed when all of its messages are acknowledged. */
export interface Parcel {
  readonly lane: Lane;
  readonly slot: Slot;
  readonly messages: BrokerMessage[];
}

export interface ParcelsOptions {
  readonly site: string;
  readonly gateway: string;
  readonly readingTopic: boolean;
  /** Bytes of a batch at most; 0: every reading goes alone. */
  readonly batchBytes: number;
  /** How historical readings are marked. */
  readonly mark: Mark;
  /** The newest entries, as many as that, are no backlog. */
  readonly newest: number;
  /** One more than the last durable offset. */
  readonly head: () => number;
}

export class Parcels {
  /** Why `next` gave nothing: so many ms until the pace allows one; 0: there is nothing. */
  pauseMs = 0;
  readonly #options: ParcelsOptions;
  readonly #lanes: Lanes;
  readonly #pace: Pace;
  readonly #senml: SenmlEncoder;

  constructor(options: ParcelsOptions, lanes: Lanes, pace: Pace, senml: SenmlEncoder) {
    this.#options = options;
    this.#lanes = lanes;
    this.#pace = pace;
    this.#senml = senml;
  }

  /** @param past whether what newer readings have overtaken may go now */
  next(past: boolean): Parcel | undefined {
    this.pauseMs = 0;
    const lanes = this.#lanes;
    return this.#from(lanes.live) ?? (past && lanes.past !== undefined ? this.#from(lanes.past) : undefined);
  }

  #from(lane: Lane): Parcel | undefined {
    const entry = reading(lane);
    if (entry === undefined) return undefined;
    const backlog = this.#backlog(lane, entry);
    if (backlog && !this.#may()) return undefined;
    lane.take();
    return backlog && this.#options.batchBytes > 0 ? this.#batch(lane, entry) : this.#single(lane, entry);
  }

  #single(lane: Lane, entry: ReadingEntry): Parcel {
    const { site, mark } = this.#options;
    const messages = [sealedMessage(site, entry, lane.historical ? mark : 'none')];
    this.#addReading(messages, lane, entry);
    return { lane, slot: lane.sent(entry.offset, 1, messages.length), messages };
  }

  #batch(lane: Lane, first: ReadingEntry): Parcel {
    const { site, gateway, batchBytes } = this.#options;
    const entries = [first];
    let bytes = first.bytes.length;
    for (;;) {
      const entry = reading(lane);
      if (entry === undefined || bytes + entry.bytes.length > batchBytes) break;
      if (!this.#backlog(lane, entry) || !this.#may()) break;
      lane.take();
      entries.push(entry);
      bytes += entry.bytes.length;
    }
    const messages = [batchMessage(site, gateway, entries)];
    for (const entry of entries) this.#addReading(messages, lane, entry);
    const last = entries[entries.length - 1];
    return { lane, slot: lane.sent(last.offset, entries.length, messages.length), messages };
  }

  #addReading(messages: BrokerMessage[], lane: Lane, entry: ReadingEntry): void {
    const { site, readingTopic, mark } = this.#options;
    if (!readingTopic) return;
    const message = readingMessage(site, entry, this.#senml, lane.historical ? mark : 'none');
    if (message !== undefined) messages.push(message);
  }

  /** What came in just now is not held up, and goes by itself. */
  #backlog(lane: Lane, { offset }: ReadingEntry): boolean {
    return lane.historical || offset < this.#options.head() - this.#options.newest;
  }

  #may(): boolean {
    this.pauseMs = this.#pace.take();
    return this.pauseMs === 0;
  }
}

/**
 * The lane's next reading. A gap shows itself to subscribers by the sequence; it may have the offset of the reading after it,
 * so the cursor passes it with what follows, or at the end of the journal.
 */
function reading(lane: Lane): ReadingEntry | undefined {
  for (;;) {
    const entry = lane.peek();
    if (entry === undefined || entry.kind === 'reading') return entry;
    lane.take();
  }
}
