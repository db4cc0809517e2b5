/**
 * An MQTT broker that outlives its clients and has a life of its own: it vanishes, comes back with what it knew or without,
 * refuses, is slow, acknowledges late or what it then forgets.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Broker, BrokerMessage } from '../../../host/ports.js';
import type { Life } from '../kernel/life.js';
import type { World } from '../kernel/world.js';
import { BrokerPort } from './broker-port.js';
import { BrokerSession, type Stored } from './broker-session.js';
import { type ClientEvents, type ClientOptions, MqttConnection, type Server } from './mqtt-connection.js';
import { TopicFilter } from './topic-filter.js';

export interface BrokerObserver {
  /** An honest client is connected. */
  connected?(clientId: string): void;
  /** An honest client's message is here. */
  published?(clientId: string, message: Stored): void;
  /** A PUBACK that says yes has reached an honest client. */
  acknowledged?(clientId: string, message: BrokerMessage): void;
  /** A message is handed to an honest client. */
  delivered?(clientId: string, topic: string, payload: Uint8Array): void;
  /** An honest client has acknowledged a message. */
  handled?(clientId: string, topic: string, payload: Uint8Array): void;
}

export interface SimBrokerOptions {
  /** Messages kept for an absent or slow client. Mosquitto's default is 1000. */
  readonly maxQueued?: number;
  /** Unacknowledged messages to one client. Mosquitto's default is 20. */
  readonly maxInflight?: number;
  /** What a client may have unacknowledged, as MQTT 5 brokers announce it. */
  readonly receiveMaximum?: number;
  readonly latencyMs?: readonly [least: number, most: number];
  readonly observer?: BrokerObserver;
}

const MAX_OVERHEARD = 64;
const SERVER_BUSY = 0x89;
const NOT_AUTHORISED = 0x87;
const QUOTA_EXCEEDED = 0x97;
/** CONNACK of 3.1.1: server unavailable. */
const UNAVAILABLE = 3;
/** How often a broker with an autosave writes what it knows. */
const SAVE_MS = 600_000;

export class SimBroker implements Server {
  readonly receiveMaximum: number;
  observer: BrokerObserver;
  /**
   * What somebody has made up, in whole or in part: of each of its readings the device that it claims to be of; '' when it
   * claims none, undefined when it was sealed so.
   */
  readonly forged = new WeakMap<Uint8Array, readonly (string | undefined)[]>();
  /** What honest clients published last. */
  readonly overheard: Stored[] = [];
  readonly #world: World;
  readonly #limits: { maxInflight: number; maxQueued: number };
  readonly #latencyMs: readonly [number, number];
  readonly #chance: SeededRandom;
  readonly #connections = new Set<MqttConnection>();
  #sessions = new Map<string, BrokerSession>();
  readonly #byConnection = new Map<MqttConnection, BrokerSession>();
  #retained = new Map<string, Stored>();
  #saved: { sessions: Map<string, BrokerSession>; retained: Map<string, Stored> } | undefined;
  #up = true;
  #silent = false;
  #slowUntilMs = 0;
  #slowness = 1;
  #heldUntilMs = 0;
  #dropped = 0;

  constructor(world: World, options: SimBrokerOptions = {}) {
    this.#world = world;
    this.#limits = { maxInflight: options.maxInflight ?? 20, maxQueued: options.maxQueued ?? 1000 };
    this.receiveMaximum = options.receiveMaximum ?? 65_535;
    this.#latencyMs = options.latencyMs ?? [1, 30];
    this.observer = options.observer ?? {};
    this.#chance = world.random('broker');
    this.#beginFaults();
  }

  get up(): boolean {
    return this.#up;
  }

  /** Messages that found no room in a queue, or were not queued for who was absent. */
  get dropped(): number {
    let sum = this.#dropped;
    for (const session of this.#sessions.values()) sum += session.dropped;
    return sum;
  }

  /** The port of one process. */
  port(life: Life): Broker {
    return new BrokerPort(this, life);
  }

  /** A connection of a client that is not one of ours: a board's, an attacker's. */
  open(options: ClientOptions, events: ClientEvents): MqttConnection {
    const connection = new MqttConnection(this.#world, this, options, events);
    this.#connections.add(connection);
    if (this.#heldUntilMs > this.#world.nowMs) connection.hold(this.#heldUntilMs);
    return connection;
  }

  /** Stops, and comes back with what `memory` says. */
  vanish(forMs: number, memory: 'kept' | 'saved' | 'none', silent: boolean): void {
    if (!this.#up) return;
    this.#world.trace.note('broker', 'down', `for ${Math.round(forMs)} ms, memory ${memory}`);
    this.#up = false;
    this.#silent = silent;
    for (const connection of [...this.#connections]) {
      this.#forget(connection);
      // A crash: no wills.
      connection.serverOpen = false;
      if (silent) connection.fallSilent();
      else connection.cut('read ECONNRESET');
    }
    for (const session of [...this.#sessions.values()]) {
      session.outlet = undefined;
      if (session.clean) this.#drop(session);
    }
    this.#world.after(forMs, () => this.#return(memory));
  }

  // As the connections call it

  latencyMs(): number {
    const [least, most] = this.#latencyMs;
    const slowness = this.#world.nowMs < this.#slowUntilMs ? this.#slowness : 1;
    return slowness * (least + (most - least) * this.#chance.unit() ** 2);
  }

  connect(connection: MqttConnection): void {
    const { clientId, clean, five } = connection.options;
    if (!this.#up) {
      this.#connections.delete(connection);
      if (!this.#silent) connection.cut('connect ECONNREFUSED');
      return;
    }
    if (connection.options.honest && this.#world.faults.hit('broker-refuse-connect', clientId)) {
      this.#connections.delete(connection);
      connection.connack(five ? SERVER_BUSY : UNAVAILABLE, false);
      return;
    }
    const before = this.#sessions.get(clientId);
    before?.outlet?.close('session taken over: another client connected with the same id');
    let session = clean ? undefined : this.#sessions.get(clientId);
    const present = session !== undefined;
    if (session === undefined) {
      if (before !== undefined) this.#drop(before);
      session = new BrokerSession(clientId, clean, this.#limits);
      this.#sessions.set(clientId, session);
    }
    this.#byConnection.set(connection, session);
    if (connection.options.honest) this.observer.connected?.(clientId);
    connection.connack(0, present);
    if (present) this.#resumeHalfway(session);
    session.resume(connection);
  }

  publish(connection: MqttConnection, message: Stored, id: number): void {
    const { clientId, honest, five } = connection.options;
    const { faults } = this.#world;
    if (honest) {
      this.observer.published?.(clientId, message);
      this.overheard.push(message);
      if (this.overheard.length > 2 * MAX_OVERHEARD) this.overheard.splice(0, MAX_OVERHEARD);
    }
    if (message.qos === 0) {
      if (!faults.hit('broker-forget', clientId)) this.#route(message);
      return;
    }
    if (honest && faults.hit('broker-refuse-publish', clientId)) {
      const code = this.#chance.unit() < 0.5 ? QUOTA_EXCEEDED : NOT_AUTHORISED;
      if (five) connection.acknowledge(id, code);
      else connection.close('closed by the broker');
      return;
    }
    // Acknowledged, and gone before it was kept.
    if (!honest || !faults.hit('broker-forget', clientId)) this.#route(message);
    if (honest && faults.hit('broker-reset-unacknowledged', clientId)) {
      connection.cut('read ECONNRESET');
      return;
    }
    const late = honest ? faults.hit('broker-late-ack', clientId) : undefined;
    connection.acknowledge(id, 0, late === undefined ? 0 : 10 ** (1 + 4 * late.unit()));
  }

  subscribe(connection: MqttConnection, filters: readonly string[], qos: 0 | 1, id: number): void {
    const session = this.#byConnection.get(connection);
    if (session === undefined) return;
    const fresh = filters.map(text => new TopicFilter(text));
    for (const filter of fresh) session.subscribe(filter, qos);
    connection.grant(
      id,
      filters.map(() => qos),
    );
    for (const message of this.#retained.values()) {
      if (!fresh.some(filter => filter.matches(message.topic))) continue;
      session.offer(qos < message.qos ? { ...message, qos } : message);
    }
  }

  puback(connection: MqttConnection, id: number): void {
    const session = this.#byConnection.get(connection);
    if (session === undefined) return;
    const { clientId, honest } = connection.options;
    const message = session.acknowledged(id);
    if (message !== undefined && honest) this.observer.handled?.(clientId, message.topic, message.payload);
  }

  ended(connection: MqttConnection, orderly: boolean): void {
    const session = this.#byConnection.get(connection);
    this.#forget(connection);
    if (session?.outlet === connection) {
      session.outlet = undefined;
      if (session.clean) this.#drop(session);
    }
    const { will } = connection.options;
    if (!orderly && will !== undefined && this.#up) this.#route(will);
  }

  #forget(connection: MqttConnection): void {
    this.#connections.delete(connection);
    this.#byConnection.delete(connection);
  }

  #drop(session: BrokerSession): void {
    this.#dropped += session.dropped;
    if (this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
  }

  #route(message: Stored): void {
    if (this.#world.trace.on && message.topic.includes('/gateway/'))
      this.#world.trace.note('broker', 'routes', `${message.topic} ${Buffer.from(message.payload)}`);
    if (message.retain) {
      if (message.payload.length === 0) this.#retained.delete(message.topic);
      else this.#retained.set(message.topic, message);
    }
    for (const session of this.#sessions.values()) {
      const granted = session.granted(message.topic);
      if (granted === undefined) continue;
      if (session.outlet === undefined && this.#world.faults.hit('broker-drop-absent', session.clientId)) {
        this.#dropped++;
        continue;
      }
      const copy = granted < message.qos ? { ...message, qos: granted } : message;
      session.offer(copy);
      if (this.#world.faults.hit('broker-duplicate', session.clientId)) session.offer(copy);
    }
  }

  #resumeHalfway(session: BrokerSession): void {
    const details = this.#world.faults.hit('broker-half-session', session.clientId);
    if (details === undefined) return;
    const which = details.below(4);
    if (which === 0) session.unsubscribeAll();
    if (which !== 1) session.queue.splice(details.below(session.queue.length + 1));
    if (which !== 2) session.inflight.splice(details.below(session.inflight.length + 1));
    if (which === 3) session.queue.push(...session.recent);
  }

  #return(memory: 'kept' | 'saved' | 'none'): void {
    this.#up = true;
    this.#silent = false;
    if (memory === 'kept') return;
    const saved = memory === 'saved' ? this.#saved : undefined;
    this.#sessions = new Map();
    for (const [id, session] of saved?.sessions ?? []) this.#sessions.set(id, session.copy());
    this.#retained = new Map(saved?.retained);
  }

  #beginFaults(): void {
    const { faults } = this.#world;
    const downMs = (details: SeededRandom) => 10 ** (2.5 + 3 * details.unit());
    faults.arrivals('broker-vanish', details => {
      this.vanish(downMs(details), 'kept', details.unit() < 0.3);
    });
    faults.arrivals('broker-amnesia', details => {
      this.vanish(downMs(details), details.unit() < 0.5 ? 'saved' : 'none', details.unit() < 0.3);
    });
    faults.arrivals('broker-reset', details => {
      const all = [...this.#connections];
      if (all.length > 0) all[details.below(all.length)].cut('read ECONNRESET');
    });
    faults.arrivals('broker-stall', details => {
      this.#heldUntilMs = this.#world.nowMs + 10 ** (3 + 2.3 * details.unit());
      for (const connection of [...this.#connections]) connection.hold(this.#heldUntilMs);
    });
    faults.arrivals('broker-slow', details => {
      this.#slowness = 10 ** (1 + 1.5 * details.unit());
      this.#slowUntilMs = this.#world.nowMs + 10 ** (3.5 + 2 * details.unit());
    });
    if (faults.has('broker-amnesia')) this.#save();
  }

  #save(): void {
    if (this.#world.faults.stopped) return;
    const sessions = new Map<string, BrokerSession>();
    for (const [id, session] of this.#sessions) if (!session.clean) sessions.set(id, session.copy());
    this.#saved = { sessions, retained: new Map(this.#retained) };
    this.#world.after(SAVE_MS, () => this.#save());
  }
}
