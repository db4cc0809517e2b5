/**
 * What waits to be published for Home Assistant: at most one message a topic, the newest, made when its turn comes. So it holds
 * no more than there are topics, however long the broker is away, and a topic that changes faster than messages go out skips
 * what is between. Paced, so that the announcement of a large fleet does not come in one burst.
 */
import type { BrokerMessage, Clock, Log, Timer } from '../../ports.js';
import type { Outgoing } from '../fetch/outbox.js';
import { Pace } from '../pace.js';

export interface Waiting {
  /** The payload as it is when it goes out. */
  readonly payload: () => Uint8Array;
  readonly acknowledged?: () => void;
}

const CONTENT_TYPE = 'application/json';
/** What goes around a payload in a packet. */
const PACKET_OVERHEAD_BYTES = 512;

export class TopicOutbox {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pace: Pace;
  readonly #waiting = new Map<string, Waiting>();
  #maxPayloadBytes = 0;
  #look: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, log: Log, perSecond: number) {
    this.#clock = clock;
    this.#log = log;
    this.#pace = new Pace(clock, perSecond);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A connection is there; what waited for another has gone with it. */
  open(maxPacketBytes: number | undefined, look: () => void): void {
    this.close();
    this.#maxPayloadBytes = (maxPacketBytes ?? Number.POSITIVE_INFINITY) - PACKET_OVERHEAD_BYTES;
    this.#look = look;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#look = undefined;
    this.#waiting.clear();
  }

  /** In place of what waits on the same topic; nothing without a connection. */
  put(topic: string, waiting: Waiting): void {
    if (this.#look === undefined) return;
    this.#waiting.set(topic, waiting);
    this.#look();
  }

  next(): Outgoing | undefined {
    const [first] = this.#waiting;
    if (first === undefined || this.#timer !== undefined) return undefined;
    const pauseMs = this.#pace.take();
    if (pauseMs > 0) {
      this.#timer = this.#clock.after(pauseMs, () => {
        this.#timer = undefined;
        this.#look?.();
      });
      return undefined;
    }
    const [topic, { payload, acknowledged }] = first;
    this.#waiting.delete(topic);
    const bytes = payload();
    if (bytes.length > this.#maxPayloadBytes) {
      this.#log.warn('homeassistant-too-long', { topic, bytes: bytes.length, most: this.#maxPayloadBytes });
      return this.next();
    }
    const message: BrokerMessage = { topic, payload: bytes, retain: true, contentType: CONTENT_TYPE };
    return { message, optional: true, acknowledged: acknowledged ?? (() => {}) };
  }
}
