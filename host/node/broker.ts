/**
 * The broker port over the `mqtt` package, used so that the package keeps nothing and repeats nothing: one client per
 * connection, `reconnectPeriod` 0. It connects, subscribes, keeps alive and takes leave. Messages and their PUBACKs don't
 * pass through it (`MqttStream`):
 *
 * - what was not acknowledged is the caller's to send again, from where it is durable;
 * - a message that comes is acknowledged when the handler's promise resolves, in the order of arrival, so that many messages
 *   can share one sync of the handler's storage. A PUBACK without reason is `40 02 <packet id>` in MQTT 3.1.1 (section 3.4)
 *   and MQTT 5 (section 3.4.2.1) alike.
 */
import type { Duplex } from 'node:stream';
import type { IClientOptions, MqttClient } from 'mqtt';
import { Fault } from '../fault.js';
import type { Broker, BrokerHandler, BrokerMessage, BrokerOptions, BrokerSession } from '../ports.js';
import { Acknowledgements } from './acknowledgements.js';
import { connectFault, REASONS, silent } from './broker-faults.js';
import { dialBroker } from './broker-socket.js';
import { certificatesEndAt, isSecure, listenForAlert } from './broker-tls.js';
import { encodeProperties, encodeText, NO_PROPERTIES, type Publish } from './mqtt-packets.js';
import { MqttStream } from './mqtt-stream.js';
import { PacketIds } from './packet-ids.js';

/** Messages that the handler has at a time; announced as Receive Maximum on MQTT 5. */
const MAX_HANDLED = 1000;
/** Larger packets are refused on MQTT 5; far above any message of ours. */
const MAX_PACKET_BYTES = 1 << 20;
/** How long an MQTT 5 broker keeps the session of an absent client; on 3.1.1 the broker's configuration says. */
const SESSION_EXPIRY_SECONDS = 30 * 24 * 3600;
/** How long to wait for the broker to close after DISCONNECT. */
const END_TIMEOUT_MS = 1000;
/** Topics and sets of properties that are kept encoded. */
const MAX_KEPT = 4096;
/** What one MQTT connection can have in flight. */
const MAX_RECEIVE_MAXIMUM = 65_535;

export const mqttBroker: Broker = { connect };

async function connect(options: BrokerOptions, handler: BrokerHandler): Promise<BrokerSession> {
  // Takes a tenth of a second to load: a gateway that starts lets devices in before that.
  const { MqttClient } = await import('mqtt');
  return new Promise((resolve, reject) => {
    const ids = new PacketIds();
    let socket: Duplex;
    let session: MqttSession;
    let client: MqttClient;
    try {
      socket = dialBroker(options);
      const five = options.protocol === '5';
      const stream = new MqttStream(socket, five, MAX_PACKET_BYTES, {
        publish: message => session.message(message),
        puback: (id, reason) => session.puback(id, reason),
      });
      client = new MqttClient(() => stream, clientOptions(options, ids));
      session = new MqttSession(client, stream, ids, options, handler);
      stream.on('error', failed);
    } catch (error) {
      reject(connectFault(options, error));
      return;
    }
    let reason: unknown;
    function failed(error: unknown): void {
      reason ??= error;
      session.failed(error);
    }
    client.on('error', error => {
      failed(error);
      // The package leaves a connection open after some protocol errors.
      client.stream.destroy();
    });
    client.on('disconnect', packet => {
      failed(new Error(`the broker said: ${REASONS[packet.reasonCode ?? 0] ?? packet.reasonCode}`));
    });
    client.once('connect', () => {
      session.certificateEndsAt = certificatesEndAt(socket, options.tls);
      const unfit = session.opened();
      if (unfit === undefined) resolve(session);
      else session.end().finally(() => reject(unfit));
    });
    client.once('close', () => {
      if (!session.begun) void explained(options, reason).then(reject);
      session.lost();
      // Stops the package's timers; there is nothing left to say to the broker.
      client.end(true);
    });
  });
}

/** @returns why there was no connection; asks the broker again when it has not said */
async function explained(options: BrokerOptions, reason: unknown): Promise<Fault> {
  const alert = isSecure(options.url) && silent(reason) ? await listenForAlert(options) : undefined;
  return connectFault(options, alert ?? reason);
}

function clientOptions(options: BrokerOptions, ids: PacketIds): IClientOptions {
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
    messageIdProvider: ids,
    ...(options.username !== undefined && { username: options.username }),
    ...(options.password !== undefined && { password: options.password }),
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

type Acknowledged = (error?: Error) => void;

class MqttSession implements BrokerSession {
  receiveMaximum = MAX_RECEIVE_MAXIMUM;
  maxPacketBytes: number | undefined;
  certificateEndsAt: number | undefined;
  readonly #client: MqttClient;
  readonly #stream: MqttStream;
  readonly #ids: PacketIds;
  readonly #five: boolean;
  readonly #handler: BrokerHandler;
  readonly #acknowledgements: Acknowledgements;
  readonly #inFlight = new Map<number, Acknowledged>();
  readonly #topics = new Map<string, Buffer>();
  /** By user properties and content type. */
  readonly #properties = new Map<BrokerMessage['userProperties'], Map<string | undefined, Buffer>>();
  #begun = false;
  #open = false;
  #ended = false;
  #retains = true;
  #room = true;
  #reason = 'the connection is gone';

  constructor(
    client: MqttClient,
    stream: MqttStream,
    ids: PacketIds,
    options: BrokerOptions,
    handler: BrokerHandler,
  ) {
    this.#client = client;
    this.#stream = stream;
    this.#ids = ids;
    this.#five = options.protocol === '5';
    this.#handler = handler;
    this.#acknowledgements = new Acknowledgements(MAX_HANDLED, bytes => {
      if (!this.#ended) stream.sendPubacks(bytes);
    });
  }

  /** CONNACK has come. */
  get begun(): boolean {
    return this.#begun;
  }

  /** At CONNACK; returns what makes this broker unusable. */
  opened(): Fault | undefined {
    this.#begun = true;
    this.#open = true;
    const properties = this.#client.serverProperties;
    this.receiveMaximum = properties?.receiveMaximum ?? MAX_RECEIVE_MAXIMUM;
    this.maxPacketBytes = properties?.maximumPacketSize;
    this.#retains = properties?.retainAvailable !== false;
    this.#stream.resumePublishes();
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

  publish(message: BrokerMessage, acknowledged: Acknowledged): void {
    if (this.#ended) return;
    const id = this.#ids.allocate();
    if (id === null) throw new RangeError('more messages in flight than MQTT has packet ids');
    this.#inFlight.set(id, acknowledged);
    this.#stream.sendPublish({
      topic: this.#topic(message.topic),
      id,
      properties: this.#five ? this.#propertiesOf(message) : NO_PROPERTIES,
      payload: message.payload,
      retain: message.retain && this.#retains,
    });
  }

  /** A PUBLISH came. @returns whether the next may come before `MqttStream.resumePublishes` */
  message({ topic, payload, qos, id }: Publish): boolean {
    if (this.#ended) return true;
    const handled = this.#handler.message(topic, payload);
    this.#room = false;
    this.#acknowledgements.add(
      qos === 1 ? id : undefined,
      handled,
      () => {
        this.#room = true;
        this.#stream.resumePublishes();
      },
      error => {
        // PUBACKs go out in order: with one missing for ever, only a new connection goes on.
        this.failed(error);
        this.#stream.destroy();
      },
    );
    return this.#room;
  }

  /** A PUBACK came. */
  puback(id: number, reason: number): void {
    const acknowledged = this.#inFlight.get(id);
    if (acknowledged === undefined || this.#ended) return;
    this.#inFlight.delete(id);
    this.#ids.deallocate(id);
    if (reason < 0x80) acknowledged();
    else acknowledged(new Error(REASONS[reason] ?? `reason ${reason}`));
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
      client.end(false);
    });
  }

  #topic(topic: string): Buffer {
    let bytes = this.#topics.get(topic);
    if (bytes === undefined) {
      if (this.#topics.size >= MAX_KEPT) this.#topics.clear();
      bytes = encodeText(topic);
      this.#topics.set(topic, bytes);
    }
    return bytes;
  }

  #propertiesOf({ contentType, userProperties }: BrokerMessage): Buffer {
    let kinds = this.#properties.get(userProperties);
    if (kinds === undefined) {
      if (this.#properties.size >= MAX_KEPT) this.#properties.clear();
      kinds = new Map();
      this.#properties.set(userProperties, kinds);
    }
    let bytes = kinds.get(contentType);
    if (bytes === undefined) {
      bytes = encodeProperties(contentType, userProperties);
      kinds.set(contentType, bytes);
    }
    return bytes;
  }
}
