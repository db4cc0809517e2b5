/**
 * What waits to be published for Home Assistant: at most one message a topic, the newest, made when its turn comes. So it holds
 * no more than there are topics, however long the broker is away, and a topic that changes faster than messages go out skips
 * what is between. Paced, so that the announcement of a large fleet does not come in one burst.
 *
 * A broker that answers such a message by closing the connection (Mosquitto 2.0 does where its access list forbids the topic
 * and `max_queued_messages` is 0) would have no readings any more. So after two connections that ended with such messages on
 * their way and none acknowledged, nothing is sent for a while.
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
const MAX_BLAMED = 2;
const WITHHELD_MS = 600_000;

export class TopicOutbox {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pace: Pace;
  readonly #waiting = new Map<string, Waiting>();
  #maxPayloadBytes = 0;
  #look: (() => void) | undefined;
  #timer: Timer | undefined;
  #sent = 0;
  #acknowledged = 0;
  /** Connections in a row that ended as if by us. */
  #blamed = 0;
  #withheldUntilMs = 0;

  constructor(clock: Clock, log: Log, perSecond: number) {
    this.#clock = clock;
    this.#log = log;
    this.#pace = new Pace(clock, perSecond);
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A connection is there; what waited for another has gone with it. Nothing goes over one that comes while withheld. */
  open(maxPacketBytes: number | undefined, look: () => void): void {
    this.close();
    this.#sent = 0;
    this.#acknowledged = 0;
    if (this.#clock.monotonic() < this.#withheldUntilMs) return;
    this.#maxPayloadBytes = (maxPacketBytes ?? Number.POSITIVE_INFINITY) - PACKET_OVERHEAD_BYTES;
    this.#look = look;
  }

  close(): void {
    if (this.#look !== undefined) this.#judge();
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
    this.#sent++;
    const answered = () => {
      this.#acknowledged++;
      this.#blamed = 0;
      acknowledged?.();
    };
    return { message, optional: true, acknowledged: answered };
  }

  #judge(): void {
    if (this.#sent === 0 || this.#acknowledged > 0 || ++this.#blamed < MAX_BLAMED) return;
    this.#blamed = 0;
    this.#withheldUntilMs = this.#clock.monotonic() + WITHHELD_MS;
    this.#log.warn('homeassistant-withheld', {
      seconds: WITHHELD_MS / 1000,
      remedy:
        'the broker closes the connection instead of taking these messages: look at its access list and its log',
    });
  }
}
