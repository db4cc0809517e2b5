/**
 * The broker port over the `mqtt` package, used so that the package keeps nothing and repeats nothing:
 *
 * - one client per connection, `reconnectPeriod` 0, and an outgoing store that stores nothing: what was not
 *   acknowledged is the caller's to send again, from where it is durable;
 * - the package hands messages over one by one and sends each PUBACK when its `handleMessage` callback is called
 *   without an error. Here the callback is called with an error at once (the package then goes on without PUBACK)
 *   and the PUBACK is written when the handler's promise resolves, in the order of arrival. So many messages can
 *   share one sync of the handler's storage. A PUBACK without reason is `40 02 <packet id>` in MQTT 3.1.1
 *   (section 3.4) and MQTT 5 (section 3.4.2.1) alike.
 */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { IClientOptions, IClientPublishOptions, IPublishPacket, IStore, MqttClient } from 'mqtt';
import { Fault } from '../fault.js';
import type { Broker, BrokerHandler, BrokerMessage, BrokerOptions, BrokerSession } from '../ports.js';
import { Acknowledgements } from './acknowledgements.js';
import { connectFault, REASONS } from './broker-faults.js';

/** Messages that the handler has at a time; announced as Receive Maximum on MQTT 5. */
const MAX_HANDLED = 1000;
/** Larger packets are refused on MQTT 5; far above any message of ours. */
const MAX_PACKET_BYTES = 1 << 20;
/** How long an MQTT 5 broker keeps the session of an absent client; on 3.1.1 the broker's configuration says. */
const SESSION_EXPIRY_SECONDS = 30 * 24 * 3600;
/** How long to wait for the broker to close after DISCONNECT. */
const END_TIMEOUT_MS = 1000;
/** What one MQTT connection can have in flight. */
const MAX_RECEIVE_MAXIMUM = 65_535;

export const mqttBroker: Broker = { connect };

async function connect(options: BrokerOptions, handler: BrokerHandler): Promise<BrokerSession> {
  // Takes a tenth of a second to load: a gateway that starts lets devices in before that.
  const { default: mqtt } = await import('mqtt');
  return new Promise((resolve, reject) => {
    let client: MqttClient;
    try {
      client = mqtt.connect(options.url, clientOptions(options));
    } catch (error) {
      reject(connectFault(options, error));
      return;
    }
    const session = new MqttSession(client, options, handler);
    let reason: unknown;
    // Packets are written whole; waiting for the peer's ACK before the next (Nagle) would cost 40 ms each time.
    (client.stream as Partial<Socket>).setNoDelay?.(true);
    client.on('error', error => {
      reason ??= error;
      session.failed(error);
      // The package leaves a connection open after some protocol errors.
      client.stream.destroy();
    });
    client.on('disconnect', packet => {
      reason ??= new Error(`the broker said: ${REASONS[packet.reasonCode ?? 0] ?? packet.reasonCode}`);
      session.failed(reason);
    });
    client.once('connect', () => {
      const unfit = session.opened();
      if (unfit === undefined) resolve(session);
      else session.end().finally(() => reject(unfit));
    });
    client.once('close', () => {
      reject(connectFault(options, reason));
      session.lost();
      // Stops the package's timers; there is nothing left to say to the broker.
      client.end(true);
    });
  });
}

function clientOptions(options: BrokerOptions): IClientOptions {
  const five = options.protocol === '5';
  return {
    clientId: options.clientId,
    protocolVersion: five ? 5 : 4,
    clean: options.cleanStart,
    keepalive: options.keepAliveSeconds,
    connectTimeout: options.connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    outgoingStore: new NoStore(),
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
    ...(options.tls?.ca !== undefined && { ca: options.tls.ca }),
    ...(options.tls?.cert !== undefined && { cert: options.tls.cert }),
    ...(options.tls?.key !== undefined && { key: options.tls.key }),
    ...(options.will && {
      will: {
        topic: options.will.topic,
        payload: Buffer.from(options.will.payload),
        qos: 1 as const,
        retain: options.will.retain,
        ...(five && options.will.contentType && { properties: { contentType: options.will.contentType } }),
      },
    }),
    ...(five && {
      properties: {
        receiveMaximum: MAX_HANDLED,
        maximumPacketSize: MAX_PACKET_BYTES,
        ...(!options.cleanStart && { sessionExpiryInterval: SESSION_EXPIRY_SECONDS }),
      },
    }),
  };
}

class MqttSession implements BrokerSession {
  receiveMaximum = MAX_RECEIVE_MAXIMUM;
  readonly #client: MqttClient;
  readonly #five: boolean;
  readonly #handler: BrokerHandler;
  readonly #acknowledgements: Acknowledgements;
  #open = false;
  #ended = false;
  #retains = true;
  #reason = 'the connection is gone';

  constructor(client: MqttClient, options: BrokerOptions, handler: BrokerHandler) {
    this.#client = client;
    this.#five = options.protocol === '5';
    this.#handler = handler;
    this.#acknowledgements = new Acknowledgements(MAX_HANDLED, bytes => {
      if (client.connected && !this.#ended) client.stream.write(bytes);
    });
    client.handleMessage = (packet, callback) => this.#handle(packet, callback);
  }

  /** At CONNACK; returns what makes this broker unusable. */
  opened(): Fault | undefined {
    this.#open = true;
    const properties = this.#client.serverProperties;
    this.receiveMaximum = properties?.receiveMaximum ?? MAX_RECEIVE_MAXIMUM;
    this.#retains = properties?.retainAvailable !== false;
    if (properties?.maximumQoS !== 0) return undefined;
    return new Fault(
      'broker-unfit',
      'the broker takes QoS 0 only, which loses messages',
      'Use a broker that takes QoS 1.',
    );
  }

  failed(error: unknown): void {
    this.#reason = (error as Error).message || String(error);
  }

  lost(): void {
    const told = this.#open && !this.#ended;
    this.#open = false;
    this.#ended = true;
    this.#acknowledgements.stop();
    if (told) this.#handler.closed(this.#reason);
  }

  publish(message: BrokerMessage, acknowledged: (error?: Error) => void): void {
    if (this.#ended) return;
    const properties: IClientPublishOptions['properties'] = {};
    if (message.contentType !== undefined) properties.contentType = message.contentType;
    if (message.userProperties !== undefined) properties.userProperties = { ...message.userProperties };
    const { buffer, byteOffset, length } = message.payload;
    this.#client.publish(
      message.topic,
      Buffer.from(buffer, byteOffset, length),
      { qos: 1, retain: message.retain && this.#retains, ...(this.#five && { properties }) },
      error => {
        // The package also calls back when a connection ends: only a PUBACK's refusal has a number.
        if (this.#ended || (error && typeof (error as { code?: unknown }).code !== 'number')) return;
        acknowledged(error ?? undefined);
      },
    );
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    try {
      const granted = await this.#client.subscribeAsync([...topics], { qos: 1 });
      const refused = granted.filter(({ qos }) => qos >= 128).map(({ topic }) => topic);
      if (refused.length > 0) throw new Error(`refused: ${refused.join(', ')}`);
    } catch (error) {
      if (this.#client.stream.destroyed) throw new Fault('broker-lost', this.#reason, '', error);
      throw new Fault(
        'broker-subscribe',
        `the broker does not let us subscribe to ${topics.join(', ')}: ${(error as Error).message}`,
        'Let this user read these topics in the broker’s access list.',
        error,
      );
    }
  }

  end(): Promise<void> {
    this.#ended = true;
    this.#acknowledgements.stop();
    const client = this.#client;
    if (client.stream.destroyed) return Promise.resolve();
    return new Promise(resolve => {
      const timer = setTimeout(() => client.stream.destroy(), END_TIMEOUT_MS);
      client.stream.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      // The package would first wait for what is in flight, which may never be acknowledged.
      for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
      client.end(false);
    });
  }

  #handle(packet: IPublishPacket, callback: (error?: Error) => void): void {
    if (this.#ended) {
      callback(NO_PUBACK);
      return;
    }
    const id = packet.qos === 1 ? packet.messageId : undefined;
    const handled = this.#handler.message(String(packet.topic), packet.payload as Uint8Array);
    this.#acknowledgements.add(
      id,
      handled,
      () => callback(NO_PUBACK),
      error => {
        // PUBACKs go out in order: with one missing for ever, only a new connection goes on.
        this.failed(error);
        this.#client.stream.destroy();
      },
    );
  }
}

const NO_PUBACK = new Error('PUBACK follows when the message has been handled');

/** Keeps nothing, so that nothing can be sent again behind the caller's back. */
class NoStore implements IStore {
  put(_packet: unknown, done: (error?: Error) => void): this {
    done();
    return this;
  }

  createStream(): ReturnType<IStore['createStream']> {
    return Readable.from([]) as unknown as ReturnType<IStore['createStream']>;
  }

  del(packet: Parameters<IStore['del']>[0], done: Parameters<IStore['del']>[1]): this {
    done(undefined, packet as never);
    return this;
  }

  get(_packet: unknown, done: (error?: Error) => void): this {
    done(new Error('nothing is stored'));
    return this;
  }

  close(done: (error?: Error) => void): void {
    done();
  }
}
