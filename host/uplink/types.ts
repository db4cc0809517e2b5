/** What an uplink is made of, and what it says of itself. */
import type { FetchStatus } from '../control/status.js';
import type { Fault } from '../fault.js';
import type { DamageListener, Entry } from '../journal/entry.js';
import type { Broker, BrokerOptions, Clock, Log, Random } from '../ports.js';
import type { Companion } from './companion.js';
import type { UplinkCursor } from './cursor-keeper.js';
import type { Archive } from './fetch/fetcher.js';
import type { Order } from './lanes.js';
import type { UplinkReader } from './read-ahead.js';
import type { GatewayStatus } from './status.js';

/** What an uplink wants of the journal. */
export interface UplinkJournal {
  /** One more than the last offset that is durable. */
  readonly durableOffset: number;
  /** Found at open and not durable yet, because the disk refuses: published once it is; absent: none. */
  readonly recovering?: readonly Entry[];
  /** How many entries at most lie from one offset up to another; absent: as many as there are numbers. */
  distance?(from: number, to: number): number;
  onDurable(listener: (batch: readonly Entry[]) => void): void;
  /** Reads durable entries from an offset on; `next` gives none at the end. */
  reader(fromOffset: number, options?: { damaged?: DamageListener }): UplinkReader;
}

export interface UplinkPorts {
  readonly broker: Broker;
  readonly journal: UplinkJournal;
  readonly cursor: UplinkCursor;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where readings are looked for that subscribers ask for; absent: they can't. */
  readonly archive?: Archive;
  /** What else goes over the connection. */
  readonly companion?: Companion | undefined;
}

export interface UplinkOptions {
  /** Without the client id, which is made of the gateway's name. */
  readonly broker: Omit<BrokerOptions, 'clientId' | 'will' | 'cleanStart'>;
  /** A level of the topics. */
  readonly site: string;
  /** A level of the topics. */
  readonly gateway: string;
  /** Messages in flight at most. */
  readonly window: number;
  /** Readings a second while there is a backlog; 0: no limit. Below the rate at which readings come in, the backlog grows. */
  readonly replayPerSecond: number;
  /** Readings a second for subscribers that miss some; 0: none. */
  readonly fetchPerSecond?: number;
  /** Publish SenML JSON as well. */
  readonly readingTopic: boolean;
  /** What goes first while there is a backlog; the oldest when absent. */
  readonly order?: Order;
  /** Readings of a backlog go many at a time, on a topic of their own. */
  readonly batch?: boolean;
  /** What else the retained status says, given what the broker takes. */
  readonly said?: ((maxPacketBytes?: number) => Pick<GatewayStatus, 'replaces' | 'node'>) | undefined;
  /** Damage that the journal's reader finds. */
  readonly damaged?: DamageListener;
  readonly statusEveryMs?: number;
  readonly cursorEveryMs?: number;
  readonly minBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** A broker that acknowledges nothing for so long is left; looked at when a status is due. */
  readonly acknowledgeTimeoutMs?: number;
  /** How long `close` waits for what is in flight. */
  readonly closeTimeoutMs?: number;
}

export interface UplinkState {
  /** `waiting`: a pause before the next attempt, for the reason that `fault` tells. */
  readonly name: 'idle' | 'connecting' | 'online' | 'waiting' | 'closed';
  /** Without credentials. */
  readonly broker: string;
  /** What went wrong last; stays until readings are acknowledged again or the connection has lasted. */
  readonly fault?: Fault;
  readonly cursor: number;
  readonly head: number;
  /** Readings and gaps that are still to be published, at most: some offsets hold neither. */
  readonly backlog: number;
  /** Everything that the journal holds has been acknowledged, also what the disk has yet to secure. */
  readonly drained: boolean;
  /** Nothing is published until `resume`. */
  readonly paused: boolean;
  /** Messages. */
  readonly inFlight: number;
  /** … at most: as configured, or what the broker allows. */
  readonly window: number;
  /** Readings acknowledged, of late. */
  readonly ratePerSecond: number;
  /** Until the backlog is gone, if it goes on like that; absent when it does not get shorter. */
  readonly drainedInSeconds?: number;
  /** Unix ms: when the first of the certificates ends that the present connection was made with. */
  readonly certificateEndsAt?: number;
  /** Readings acknowledged since the start of the process. */
  readonly published: number;
  /** Attempts since the last connection that worked. */
  readonly attempts: number;
  /** Pause before the next attempt. */
  readonly pauseMs: number;
  /** What subscribers have asked for; absent when they can't. */
  readonly fetch?: FetchStatus;
}
