import type { Fault } from '../../../host/fault.js';
import type {
  Broker,
  BrokerHandler,
  BrokerMessage,
  BrokerOptions,
  BrokerSession,
} from '../../../host/ports.js';

/** A message on its way to the broker. */
export interface Sent {
  readonly message: BrokerMessage;
  readonly acknowledge: (error?: Error) => void;
}

/** A broker that does what the test says. */
export class FakeBroker implements Broker {
  receiveMaximum = 65_535;
  maxPacketBytes: number | undefined;
  /** What the next connections are answered with, instead of a session. */
  refusals: Fault[] = [];
  /** Acknowledges at once. */
  automatic = false;
  readonly connects: BrokerOptions[] = [];
  /** Of the present session, in order, status messages left out. */
  sent: Sent[] = [];
  statuses: Record<string, unknown>[] = [];
  readonly subscribed: string[] = [];
  /** What the next subscriptions are answered with. */
  refusesTopics: Error | undefined;
  ended = 0;
  #handler: BrokerHandler | undefined;

  async connect(options: BrokerOptions, handler: BrokerHandler): Promise<BrokerSession> {
    this.connects.push(options);
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    this.#handler = handler;
    this.sent = [];
    return {
      receiveMaximum: this.receiveMaximum,
      maxPacketBytes: this.maxPacketBytes,
      publish: (message, acknowledged) => {
        if (message.topic.endsWith('/status')) {
          this.statuses.push(JSON.parse(Buffer.from(message.payload).toString()));
          queueMicrotask(() => acknowledged());
          return;
        }
        this.sent.push({ message, acknowledge: acknowledged });
        if (this.automatic) queueMicrotask(() => acknowledged());
      },
      subscribe: async topics => {
        if (this.refusesTopics) throw this.refusesTopics;
        this.subscribed.push(...topics);
      },
      end: async () => void this.ended++,
    };
  }

  async deliver(topic: string, payload: Uint8Array): Promise<void> {
    await this.#handler?.message(topic, payload);
  }

  drop(reason = 'pulled'): void {
    this.#handler?.closed(reason);
  }
}
