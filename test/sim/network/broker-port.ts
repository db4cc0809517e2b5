/**
 * The host's broker port over the simulated broker, for one process: as `host/node/broker.ts` behaves, PUBACKs in the order of
 * arrival included. A process that is killed closes its sockets; a machine that loses power closes nothing.
 */
import { Fault } from '../../../host/fault.js';
import type {
  Broker,
  BrokerHandler,
  BrokerMessage,
  BrokerOptions,
  BrokerSession,
} from '../../../host/ports.js';
import type { Scheduled } from '../kernel/event-queue.js';
import type { Life } from '../kernel/life.js';
import type { Stored } from './broker-session.js';
import type { ClientEvents, MqttConnection } from './mqtt-connection.js';
import type { SimBroker } from './sim-broker.js';

/** As host/node/broker.ts announces. */
const CLIENT_RECEIVE_MAXIMUM = 1000;
const NO_RECEIVE_MAXIMUM = 65_535;
/** Of the lives that end, so many are machines that lose their power. */
const SILENT_SHARE = 0.3;

export class BrokerPort implements Broker {
  readonly #broker: SimBroker;
  readonly #life: Life;

  constructor(broker: SimBroker, life: Life) {
    this.#broker = broker;
    this.#life = life;
  }

  connect(options: BrokerOptions, handler: BrokerHandler): Promise<BrokerSession> {
    return new Promise((resolve, reject) => {
      if (this.#life.over) return;
      new PortSession(this.#broker, this.#life, options, handler, resolve, reject);
    });
  }
}

interface Handling {
  readonly id: number;
  done: boolean;
}

class PortSession implements BrokerSession, ClientEvents {
  receiveMaximum = NO_RECEIVE_MAXIMUM;
  readonly #broker: SimBroker;
  readonly #life: Life;
  readonly #options: BrokerOptions;
  readonly #handler: BrokerHandler;
  readonly #connection: MqttConnection;
  readonly #waitsForBroker: Scheduled;
  #settle: { resolve: (session: BrokerSession) => void; reject: (error: unknown) => void } | undefined;
  #open = false;
  #ended = false;
  #nextId = 1;
  /** Of publishes, by packet id. */
  readonly #unacknowledged = new Map<number, { message: BrokerMessage; told: (error?: Error) => void }>();
  readonly #subscribing = new Map<
    number,
    { topics: readonly string[]; resolve: () => void; reject: (error: unknown) => void }
  >();
  #handling: Handling[] = [];
  #flushing = false;

  constructor(
    broker: SimBroker,
    life: Life,
    options: BrokerOptions,
    handler: BrokerHandler,
    resolve: (session: BrokerSession) => void,
    reject: (error: unknown) => void,
  ) {
    this.#broker = broker;
    this.#life = life;
    this.#options = options;
    this.#handler = handler;
    this.#settle = { resolve, reject };
    const five = options.protocol === '5';
    this.#connection = broker.open(
      {
        clientId: options.clientId,
        clean: options.cleanStart,
        five,
        receiveMaximum: five ? CLIENT_RECEIVE_MAXIMUM : NO_RECEIVE_MAXIMUM,
        keepAliveMs: options.keepAliveSeconds * 1000,
        will: options.will && stored(options.will),
        honest: true,
      },
      this,
    );
    life.onEnd(() => {
      if (life.world.random('broker-client-ends').unit() < SILENT_SHARE) this.#connection.vanish();
      else this.#connection.destroy();
    });
    this.#waitsForBroker = life.after(options.connectTimeoutMs, () => {
      const text = `the broker does not answer within ${options.connectTimeoutMs} ms`;
      this.#connection.destroy();
      this.#refused(new Fault('broker-timeout', text, ''));
    });
  }

  publish(message: BrokerMessage, acknowledged: (error?: Error) => void): void {
    if (this.#ended || this.#life.over) return;
    const id = this.#id();
    this.#unacknowledged.set(id, { message, told: acknowledged });
    this.#connection.publish(stored(message), id);
  }

  subscribe(topics: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#life.over) return;
      if (!this.#connection.clientOpen) {
        reject(new Fault('broker-lost', 'the connection is gone', ''));
        return;
      }
      const id = this.#id();
      this.#subscribing.set(id, { topics, resolve, reject });
      this.#connection.subscribe(topics, 1, id);
    });
  }

  end(): Promise<void> {
    this.#ended = true;
    this.#handling = [];
    if (!this.#connection.clientOpen || this.#life.over) return Promise.resolve();
    this.#connection.disconnect();
    this.#lostSubscriptions('the connection is closed');
    return this.#life.effect('mqtt end', this.#broker.latencyMs(), () => undefined);
  }

  // What the broker says

  connack(code: number, _sessionPresent: boolean): void {
    this.#waitsForBroker.cancel();
    if (code !== 0) {
      this.#refused(new Fault('broker-refused', `the broker refuses the connection: ${code}`, ''));
      return;
    }
    if (this.#options.protocol === '5') this.receiveMaximum = this.#broker.receiveMaximum;
    const { resolve } = this.#settle!;
    this.#settle = undefined;
    this.#open = true;
    this.#life.effect('mqtt connect', 0, () => resolve(this));
  }

  message(message: Stored, id: number): void {
    if (this.#ended || this.#life.over) return;
    const { topic, payload } = message;
    this.#broker.observer.delivered?.(this.#options.clientId, topic, payload);
    const handled = this.#handler.message(topic, payload);
    const handling: Handling = { id, done: false };
    this.#handling.push(handling);
    handled.then(
      () => {
        handling.done = true;
        this.#flushSoon();
      },
      error => {
        if (this.#ended || this.#life.over) return;
        this.#handling = [];
        // With one PUBACK missing for ever, only a new connection goes on.
        this.#connection.destroy();
        this.closed((error as Error).message);
      },
    );
  }

  puback(id: number, code: number): void {
    const waiting = this.#unacknowledged.get(id);
    if (waiting === undefined || this.#ended || this.#life.over) return;
    this.#unacknowledged.delete(id);
    if (code >= 128) waiting.told(Object.assign(new Error(`Publish error: ${code}`), { code }));
    else {
      this.#broker.observer.acknowledged?.(this.#options.clientId, waiting.message);
      waiting.told();
    }
  }

  suback(id: number, codes: readonly number[]): void {
    const waiting = this.#subscribing.get(id);
    if (waiting === undefined || this.#life.over) return;
    this.#subscribing.delete(id);
    if (codes.some(code => code >= 128)) waiting.reject(new Fault('broker-subscribe', 'refused', ''));
    else this.#life.effect('mqtt subscribe', 0, waiting.resolve);
  }

  closed(reason: string): void {
    this.#waitsForBroker.cancel();
    if (this.#life.over) return;
    this.#lostSubscriptions(reason);
    if (this.#settle !== undefined) {
      this.#refused(new Fault('broker-unreachable', `no connection with the broker: ${reason}`, ''));
      return;
    }
    const told = this.#open && !this.#ended;
    this.#ended = true;
    this.#handling = [];
    if (told) this.#handler.closed(reason);
  }

  #refused(fault: Fault): void {
    const settle = this.#settle;
    this.#settle = undefined;
    this.#ended = true;
    if (!this.#life.over) settle?.reject(fault);
  }

  #lostSubscriptions(reason: string): void {
    for (const { reject } of this.#subscribing.values()) reject(new Fault('broker-lost', reason, ''));
    this.#subscribing.clear();
  }

  /** After all promises that resolve in this turn: one write for a whole batch. */
  #flushSoon(): void {
    if (this.#flushing || this.#ended) return;
    this.#flushing = true;
    this.#life.effect('mqtt puback', 0, () => {
      this.#flushing = false;
      while (this.#handling.length > 0 && this.#handling[0].done) {
        const { id } = this.#handling.shift()!;
        if (id > 0) this.#connection.puback(id);
      }
    });
  }

  #id(): number {
    const id = this.#nextId;
    this.#nextId = id === 65_535 ? 1 : id + 1;
    return id;
  }
}

function stored({ topic, payload, retain, userProperties }: BrokerMessage): Stored {
  return { topic, payload, retain, qos: 1, historical: userProperties?.historical === '1' };
}
