/**
 * What a broker keeps for one client id: subscriptions, what was sent and not acknowledged, what waits. As Mosquitto: at most
 * `maxInflight` unacknowledged, or as many as an MQTT 5 client takes; at most `maxQueued` waiting beside them, and what comes
 * then is dropped.
 */
import type { TopicFilter } from './topic-filter.js';

export interface Stored {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** It bears the user property that says so. */
  readonly historical?: boolean;
}

/** A QoS 1 message on its way to one client. */
export interface Delivery {
  readonly message: Stored;
  readonly id: number;
  dup: boolean;
}

/** The connection that a session sends over. */
export interface Outlet {
  /** How many unacknowledged messages the client takes; undefined: it can't say, on MQTT 3.1.1. */
  readonly receiveMaximum: number | undefined;
  deliver(message: Stored, id: number, dup: boolean): void;
  close(reason: string): void;
}

interface Subscription {
  readonly filter: TopicFilter;
  readonly qos: 0 | 1;
}

const MAX_RECENT = 8;

export interface SessionLimits {
  readonly maxInflight: number;
  readonly maxQueued: number;
}

export class BrokerSession {
  subscriptions: Subscription[] = [];
  /** Sent, not acknowledged, in the order of sending. */
  inflight: Delivery[] = [];
  queue: Stored[] = [];
  /** Acknowledged last. */
  readonly recent: Stored[] = [];
  outlet: Outlet | undefined;
  /** Messages that found no room. */
  dropped = 0;
  readonly #limits: SessionLimits;
  readonly #grants = new Map<string, 0 | 1 | undefined>();
  #nextId = 1;

  constructor(
    readonly clientId: string,
    /** Ends with its connection. */
    readonly clean: boolean,
    limits: SessionLimits,
  ) {
    this.#limits = limits;
  }

  subscribe(filter: TopicFilter, qos: 0 | 1): void {
    const others = this.subscriptions.filter(other => other.filter.text !== filter.text);
    this.subscriptions = [...others, { filter, qos }];
    this.#grants.clear();
  }

  unsubscribeAll(): void {
    this.subscriptions = [];
    this.#grants.clear();
  }

  /** The QoS that a topic was subscribed with; undefined: it was not. */
  granted(topic: string): 0 | 1 | undefined {
    if (this.#grants.has(topic)) return this.#grants.get(topic);
    let granted: 0 | 1 | undefined;
    for (const { filter, qos } of this.subscriptions) {
      if (filter.matches(topic) && (granted === undefined || qos > granted)) granted = qos;
    }
    this.#grants.set(topic, granted);
    return granted;
  }

  /** Sends a message, or keeps it for later. */
  offer(message: Stored): void {
    if (message.qos === 0) {
      this.outlet?.deliver(message, 0, false);
      return;
    }
    if (this.outlet !== undefined && this.#room > 0) this.#send(message);
    else if (this.queue.length < this.#limits.maxQueued) this.queue.push(message);
    else this.dropped++;
  }

  /** @returns the message; undefined when none of this id is in flight */
  acknowledged(id: number): Stored | undefined {
    const at = this.inflight.findIndex(delivery => delivery.id === id);
    if (at < 0) return undefined;
    const [{ message }] = this.inflight.splice(at, 1);
    this.recent.push(message);
    if (this.recent.length > MAX_RECENT) this.recent.shift();
    this.#fill();
    return message;
  }

  /** A client is there again: what was in flight comes first, in the order of before. */
  resume(outlet: Outlet): void {
    this.outlet = outlet;
    const before = this.inflight;
    this.inflight = [];
    for (const [i, delivery] of before.entries()) {
      if (this.#room === 0) {
        this.queue.unshift(...before.slice(i).map(({ message }) => message));
        break;
      }
      delivery.dup = true;
      this.inflight.push(delivery);
      outlet.deliver(delivery.message, delivery.id, true);
    }
    this.#fill();
  }

  copy(): BrokerSession {
    const copy = new BrokerSession(this.clientId, this.clean, this.#limits);
    copy.subscriptions = this.subscriptions;
    copy.inflight = this.inflight.map(delivery => ({ ...delivery }));
    copy.queue = [...this.queue];
    copy.#nextId = this.#nextId;
    return copy;
  }

  get #room(): number {
    const most = this.outlet?.receiveMaximum ?? this.#limits.maxInflight;
    return Math.max(0, most - this.inflight.length);
  }

  #fill(): void {
    while (this.queue.length > 0 && this.outlet !== undefined && this.#room > 0)
      this.#send(this.queue.shift()!);
  }

  #send(message: Stored): void {
    const id = this.#nextId;
    this.#nextId = id === 65_535 ? 1 : id + 1;
    this.inflight.push({ message, id, dup: false });
    this.outlet!.deliver(message, id, false);
  }
}
