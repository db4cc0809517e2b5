/** What a publisher is given and what it tells: the words between it, the uplink that starts one a connection, and what goes beside. */
import type { Fault } from '../fault.js';
import type { BrokerSession, Clock } from '../ports.js';
import type { Outgoing } from './fetch/outbox.js';
import type { Order } from './lanes.js';
import type { Place } from './place.js';
import type { UplinkReader } from './read-ahead.js';
import type { GatewayStatus } from './status.js';
import type { TimeMap } from './time-map.js';

export interface PublisherOptions {
  readonly site: string;
  readonly gateway: string;
  /** Messages in flight at most; the broker may allow fewer. */
  readonly window: number;
  readonly replayPerSecond: number;
  readonly readingTopic: boolean;
  readonly order: Order;
  /** Readings of a backlog go many at a time. */
  readonly batch: boolean;
  readonly protocol: '3.1.1' | '5';
  readonly statusEveryMs: number;
  /** A broker that acknowledges nothing for so long is left. */
  readonly acknowledgeTimeoutMs: number;
  readonly said?: ((maxPacketBytes?: number) => Partial<GatewayStatus>) | undefined;
}

/** What people have told the uplink; outlives connections. */
export interface Flow {
  /** Nothing but the status is published. */
  paused: boolean;
  /** The backlog goes without a limit until nothing is left of it. */
  hurried: boolean;
}

/** Readings that subscribers have asked for, and what else goes beside. */
export interface FetchSource {
  /** Whether anybody may ask. */
  readonly answers: boolean;
  /** The next message, when its time has come. */
  next(): Outgoing | undefined;
  stop(): void;
}

export interface PublisherPorts {
  readonly clock: Clock;
  readonly session: BrokerSession;
  /** Where to begin. */
  readonly place: Place;
  reader(from: number): UplinkReader;
  /** One more than the last durable offset. */
  readonly head: () => number;
  /** Entries of the journal that can't be read yet: the disk refuses to secure them. */
  readonly recovering: () => number;
  /** Outlives connections. */
  readonly times: TimeMap;
  readonly flow: Flow;
  /** Absent: nobody may ask. */
  readonly fetch?: FetchSource | undefined;
}

export interface PublisherEvents {
  /** Readings were passed, or the cursor moved for another reason. */
  moved(): void;
  published(count: number): void;
  /** This connection is of no use any more. */
  failed(fault: Fault): void;
  /** Something about the gateway may not be published; readings go on. */
  statusRefused(reason: string): void;
}
