/** Somebody who may connect to the broker and has no key: what he may bring about is said in attacker.ts. */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import {
  batchTopic,
  fetchedTopic,
  fetchTopic,
  sealedTopic,
  statusTopic,
} from '../../../host/uplink/topics.js';
import type { World } from '../kernel/world.js';
import type { Stored } from '../network/broker-session.js';
import type { MqttConnection } from '../network/mqtt-connection.js';
import type { SimBroker } from '../network/sim-broker.js';
import { cut, type Forger, noise, tagFlipped } from './forgery.js';

export interface BrokerAttackerOptions {
  readonly site: string;
  readonly gateway: string;
  /** Ids of devices, 16 hex digits. */
  readonly devices: readonly string[];
  /** Client ids that he knows besides the gateway's. */
  readonly clients?: readonly string[];
}

export class BrokerAttacker {
  readonly #world: World;
  readonly #broker: SimBroker;
  readonly #options: BrokerAttackerOptions;
  readonly #forger: Forger;
  #clients = 0;

  constructor(world: World, broker: SimBroker, options: BrokerAttackerOptions, forger: Forger) {
    this.#world = world;
    this.#broker = broker;
    this.#options = options;
    this.#forger = forger;
  }

  start(): void {
    const { faults } = this.#world;
    faults.arrivals('attack-broker-forge', chance => this.#forge(chance));
    faults.arrivals('attack-broker-replay', chance => this.#replay(chance));
    faults.arrivals('attack-broker-session', chance => this.#takeSession(chance));
    faults.arrivals('attack-broker-fetch', chance => this.#fetch(chance));
  }

  #forge(chance: SeededRandom): void {
    const messages: Stored[] = [];
    for (let count = 1 + chance.below(5); count > 0; count--) messages.push(this.#forgedMessage(chance));
    this.#publish(messages);
  }

  #forgedMessage(chance: SeededRandom): Stored {
    const { site, gateway, devices } = this.#options;
    const manner = chance.below(7);
    const qos = chance.below(2) as 0 | 1;
    if (manner === 0) {
      const name = chance.unit() < 0.7 ? gateway : `gw${chance.below(1000)}`;
      const head = chance.below(100_000);
      const status =
        chance.unit() < 0.3
          ? { gateway: name, site, state: 'offline' }
          : { gateway: name, site, state: 'online', cursor: head, head, drained: true, fetch: true, at: 0 };
      return {
        topic: statusTopic(site, name),
        payload: Buffer.from(JSON.stringify(status)),
        qos,
        retain: name === gateway,
      };
    }
    if (manner === 1)
      return { topic: fetchedTopic(site, gateway), payload: noise(chance, 300), qos, retain: false };
    const topic = sealedTopic(site, devices[chance.below(devices.length)]);
    const retain = chance.unit() < 0.1;
    if (manner === 2) {
      const { device, bytes } = this.#forger.envelope(chance);
      return this.#made({ topic, payload: bytes, qos, retain }, device);
    }
    const sealed = this.#overheard('/sealed', '/sealed/historical');
    if (sealed.length === 0 || manner === 3)
      return this.#made({ topic, payload: noise(chance, 300), qos, retain }, '');
    if (manner === 4) return this.#forgedBatch(chance, sealed, qos);
    const { topic: itsTopic, payload } = sealed[chance.below(sealed.length)];
    if (manner === 5)
      return this.#made({ topic, payload: tagFlipped(chance, payload), qos, retain }, itsTopic.split('/')[3]);
    return this.#made({ topic, payload: cut(chance, payload), qos, retain }, '');
  }

  /** Readings that were sealed, altered ones among them, and an end that is cut off. */
  #forgedBatch(chance: SeededRandom, sealed: readonly Stored[], qos: 0 | 1): Stored {
    const { site, gateway } = this.#options;
    const parts: Uint8Array[] = [];
    const claims: (string | undefined)[] = [];
    for (let count = 1 + chance.below(6); count > 0; count--) {
      const { topic, payload } = sealed[chance.below(sealed.length)];
      const altered = chance.unit() < 0.3;
      parts.push(altered ? tagFlipped(chance, payload) : payload);
      claims.push(altered ? topic.split('/')[3] : undefined);
    }
    if (chance.unit() < 0.3) {
      parts.push(cut(chance, sealed[0].payload));
      claims.push('');
    }
    const message = { topic: batchTopic(site, gateway), payload: Buffer.concat(parts), qos, retain: false };
    return this.#made(message, ...claims);
  }

  #made(message: Stored, ...claims: (string | undefined)[]): Stored {
    this.#broker.forged.set(message.payload, claims);
    return message;
  }

  #replay(chance: SeededRandom): void {
    const { site, gateway, devices } = this.#options;
    const sealed = this.#overheard('/sealed', '/sealed/historical', `/batch/${gateway}`);
    if (sealed.length === 0) return;
    const messages: Stored[] = [];
    for (let count = 1 + chance.below(10); count > 0; count--) {
      const { topic, payload } = sealed[chance.below(sealed.length)];
      const manner = chance.below(3);
      const elsewhere =
        manner === 0 || topic.includes('/batch/')
          ? topic
          : manner === 1
            ? sealedTopic(site, devices[chance.below(devices.length)])
            : sealedTopic('elsewhere', 'nobody');
      messages.push({ topic: elsewhere, payload, qos: 1, retain: chance.unit() < 0.05 });
    }
    this.#publish(messages);
  }

  #takeSession(chance: SeededRandom): void {
    const { gateway, clients = [] } = this.#options;
    const ids = [`sovereign-${gateway}`, ...clients];
    const clientId = ids[chance.below(ids.length)];
    const connection = this.#connect(clientId, chance.unit() < 0.5, () => {});
    this.#world.after(10 ** (2 + 3 * chance.unit()), () => connection.destroy());
  }

  #fetch(chance: SeededRandom): void {
    const { site, gateway, devices } = this.#options;
    const messages: Stored[] = [];
    for (let count = 1 + chance.below(20); count > 0; count--) {
      const from = chance.below(50);
      const range = {
        device: devices[chance.below(devices.length)],
        epoch: chance.below(20),
        from,
        ...(chance.unit() < 0.7 && { to: from + 1 + chance.below(1000) }),
        ...(chance.unit() < 0.3 && { toEpoch: 20 + chance.below(4000) }),
      };
      const request = { asker: `a${chance.below(100)}`, ranges: new Array(1 + chance.below(20)).fill(range) };
      const payload = chance.unit() < 0.1 ? noise(chance, 100) : Buffer.from(JSON.stringify(request));
      messages.push({ topic: fetchTopic(site, gateway), payload, qos: 1, retain: false });
    }
    this.#publish(messages);
  }

  #overheard(...ends: readonly string[]): readonly Stored[] {
    return this.#broker.overheard.filter(({ topic }) => ends.some(end => topic.endsWith(end)));
  }

  #publish(messages: readonly Stored[]): void {
    for (const { topic, payload } of messages)
      this.#world.trace.note('attacker', 'publishes', `${payload.length} bytes on ${topic}`);
    const connection = this.#connect(`attacker-${this.#clients++}`, true, () => {
      messages.forEach((message, i) => {
        connection.publish(message, i + 1);
      });
      connection.disconnect();
    });
  }

  #connect(clientId: string, clean: boolean, connected: () => void): MqttConnection {
    const connection: MqttConnection = this.#broker.open(
      { clientId, clean, five: false, receiveMaximum: 65_535, keepAliveMs: 60_000, honest: false },
      {
        connack: code => {
          if (code === 0) connected();
        },
        // What he is given, he keeps.
        message: (_message, id) => {
          if (id > 0) connection.puback(id);
        },
        puback: () => {},
        suback: () => {},
        closed: () => {},
      },
    );
    return connection;
  }
}
