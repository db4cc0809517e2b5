/** What else goes over the uplink's connection, beside the readings and never in their way. */
import type { BrokerSession } from '../ports.js';
import type { Outgoing } from './fetch/outbox.js';

export interface Companion {
  /** It wants to hear these. */
  readonly topics: readonly string[];
  /** A connection is there. `look`: there may be something for `next`. */
  connected(session: Pick<BrokerSession, 'maxPacketBytes'>, look: () => void): void;
  disconnected(): void;
  message(topic: string, payload: Uint8Array): void;
  /** The next message, when its time has come. */
  next(): Outgoing | undefined;
}
