/**
 * Keeps a subscriber connected: a session that the broker keeps while we are away, and growing pauses between attempts.
 */
import { Fault } from '../fault.js';
import type { Broker, BrokerOptions, BrokerSession, Clock, Random, Timer } from '../ports.js';
import { Backoff } from '../uplink/backoff.js';
import { brokerName } from '../uplink/broker-name.js';
import { BATCH_FILTER, FETCHED_FILTER, SEALED_FILTER, STATUS_FILTER } from '../uplink/topics.js';

export interface FeedPorts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly random: Random;
}

export interface FeedEvents {
  /** Acknowledged when the promise resolves; when it rejects, the connection ends and the message comes again. */
  message(topic: string, payload: Uint8Array): Promise<void>;
  online(broker: string): void;
  /** The connection is lost, or there is none; `news`: for another reason than before. */
  offline(fault: Fault, news: boolean): void;
}

/** A connection that has lasted so long was no failure. */
const LASTED_MS = 10_000;

export class Feed {
  readonly #ports: FeedPorts;
  readonly #options: BrokerOptions;
  readonly #events: FeedEvents;
  readonly #backoff: Backoff;
  #session: BrokerSession | undefined;
  #connecting: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #closed = false;
  /** Connected and subscribed. */
  #online = false;
  #connectedAt = 0;
  #said = '';

  constructor(
    ports: FeedPorts,
    options: Omit<BrokerOptions, 'cleanStart' | 'will'>,
    events: FeedEvents,
    limits: { minMs: number; maxMs: number },
  ) {
    this.#ports = ports;
    this.#options = { ...options, cleanStart: false };
    this.#events = events;
    this.#backoff = new Backoff(ports.random, limits);
  }

  start(): void {
    let over = false;
    const handler = {
      message: (topic: string, payload: Uint8Array) => this.#events.message(topic, payload),
      closed: (reason: string) => {
        over = true;
        this.#failed(new Fault('broker-lost', `${brokerName(this.#options.url)} is gone: ${reason}`));
      },
    };
    this.#connecting = this.#connect(handler, () => over).catch(error => {
      // The connection may have gone while we subscribed: that was told already.
      if (over) return;
      this.#failed(
        error instanceof Fault ? error : new Fault('broker-unreachable', String(error), '', error),
      );
    });
  }

  /** Publishes while there is a connection; `refused` when the broker says no. Returns false when there is none. */
  publish(topic: string, payload: Uint8Array, refused: (reason: string) => void): boolean {
    if (this.#session === undefined || !this.#online) return false;
    this.#session.publish({ topic, payload, retain: false }, error => error && refused(error.message));
    return true;
  }

  /** Takes leave of the broker, which keeps the session. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    const session = this.#session;
    this.#session = undefined;
    await session?.end();
    await this.#connecting;
  }

  async #connect(handler: Parameters<Broker['connect']>[1], over: () => boolean): Promise<void> {
    const session = await this.#ports.broker.connect(this.#options, handler);
    if (this.#closed || over()) {
      await session.end();
      return;
    }
    this.#session = session;
    this.#connectedAt = this.#ports.clock.monotonic();
    // Readings come without this one too: a broker may keep it from us.
    const fetched = session.subscribe([FETCHED_FILTER]).catch(() => undefined);
    await session.subscribe([SEALED_FILTER, BATCH_FILTER, STATUS_FILTER]);
    await fetched;
    if (this.#closed || over()) return;
    this.#said = '';
    this.#online = true;
    this.#events.online(brokerName(this.#options.url));
  }

  #failed(fault: Fault): void {
    if (this.#closed) return;
    const session = this.#session;
    this.#session = undefined;
    this.#online = false;
    if (session !== undefined && this.#ports.clock.monotonic() - this.#connectedAt > LASTED_MS) {
      this.#backoff.reset();
    }
    session?.end().catch(() => undefined);
    this.#events.offline(fault, this.#said !== fault.message);
    this.#said = fault.message;
    this.#timer = this.#ports.clock.after(this.#backoff.next(fault.code), () => this.start());
  }
}
