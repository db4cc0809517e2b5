/** One MQTT connection with both its ends: packets take time, either end may go without the other's knowing. */
import type { World } from '../kernel/world.js';
import type { Outlet, Stored } from './broker-session.js';
import { Lane } from './lane.js';

export interface ClientOptions {
  readonly clientId: string;
  readonly clean: boolean;
  /** MQTT 5; otherwise 3.1.1. */
  readonly five: boolean;
  /** Unacknowledged messages that the client takes. */
  readonly receiveMaximum: number;
  readonly keepAliveMs: number;
  readonly will?: Stored | undefined;
  /** false: an attacker's, which the checks don't count. */
  readonly honest: boolean;
}

/** What reaches the client. */
export interface ClientEvents {
  /** 0: accepted; otherwise the broker closes. */
  connack(code: number, sessionPresent: boolean): void;
  message(message: Stored, id: number, dup: boolean): void;
  /** @param code below 128: accepted */
  puback(id: number, code: number): void;
  suback(id: number, codes: readonly number[]): void;
  /** The connection has ended, and not by the client's own will. */
  closed(reason: string): void;
}

/** What reaches the broker. */
export interface Server {
  readonly up: boolean;
  latencyMs(): number;
  connect(connection: MqttConnection): void;
  publish(connection: MqttConnection, message: Stored, id: number): void;
  subscribe(connection: MqttConnection, filters: readonly string[], qos: 0 | 1, id: number): void;
  puback(connection: MqttConnection, id: number): void;
  /** The connection has ended for the broker. @param orderly by DISCONNECT: without a will */
  ended(connection: MqttConnection, orderly: boolean): void;
}

export class MqttConnection implements Outlet {
  readonly options: ClientOptions;
  /** The client believes in it. */
  clientOpen = true;
  /** So does the broker. */
  serverOpen = false;
  readonly #world: World;
  readonly #server: Server;
  readonly #events: ClientEvents;
  readonly #up: Lane<() => void>;
  readonly #down: Lane<() => void>;

  constructor(world: World, server: Server, options: ClientOptions, events: ClientEvents) {
    this.options = options;
    this.#world = world;
    this.#server = server;
    this.#events = events;
    this.#up = new Lane(world, () => server.latencyMs(), arrive);
    this.#down = new Lane(world, () => server.latencyMs(), arrive);
    this.#up.send(() => server.connect(this));
  }

  get receiveMaximum(): number | undefined {
    return this.options.five ? this.options.receiveMaximum : undefined;
  }

  // The client's end

  publish(message: Stored, id: number): void {
    this.#send(() => this.#server.publish(this, message, id));
  }

  subscribe(filters: readonly string[], qos: 0 | 1, id: number): void {
    this.#send(() => this.#server.subscribe(this, filters, qos, id));
  }

  puback(id: number): void {
    this.#send(() => this.#server.puback(this, id));
  }

  /** Takes leave: what was sent before still arrives. */
  disconnect(): void {
    if (!this.clientOpen) return;
    this.clientOpen = false;
    this.#down.close();
    this.#up.send(() => this.endServer(true));
  }

  /** The client's process or socket ends: the broker hears of it, after what was sent before. */
  destroy(): void {
    if (!this.clientOpen) return;
    this.clientOpen = false;
    this.#down.close();
    this.#up.send(() => this.endServer(false));
  }

  /** The client's machine goes: the broker notices by the silence. */
  vanish(): void {
    if (!this.clientOpen) return;
    this.clientOpen = false;
    this.#down.close();
    this.#up.close();
    this.#world.after(1.5 * this.options.keepAliveMs, () => this.endServer(false));
  }

  // The broker's end

  connack(code: number, sessionPresent: boolean): void {
    this.serverOpen = code === 0;
    this.#down.send(() => this.#events.connack(code, sessionPresent));
    if (code !== 0) this.#down.send(() => this.endClient('closed by the broker'));
  }

  deliver(message: Stored, id: number, dup: boolean): void {
    if (this.serverOpen) this.#down.send(() => this.#events.message(message, id, dup));
  }

  /** @param lateMs how much later than usual; holds up nothing else */
  acknowledge(id: number, code: number, lateMs = 0): void {
    if (!this.serverOpen) return;
    if (lateMs === 0) this.#down.send(() => this.#events.puback(id, code));
    else
      this.#world.after(lateMs, () => {
        if (this.serverOpen) this.#down.send(() => this.#events.puback(id, code));
      });
  }

  grant(id: number, codes: readonly number[]): void {
    if (this.serverOpen) this.#down.send(() => this.#events.suback(id, codes));
  }

  /** The broker closes: the client hears of it, after what was sent before. */
  close(reason: string): void {
    if (!this.serverOpen) return;
    this.endServer(false);
    this.#down.send(() => this.endClient(reason));
  }

  /** The network cuts it: nothing under way arrives, both ends hear of it. */
  cut(reason: string): void {
    this.#up.close();
    this.#down.close();
    this.endServer(false);
    this.#world.after(this.#server.latencyMs(), () => this.endClient(reason));
  }

  /** The broker's machine goes without a word: the client notices by the silence. */
  fallSilent(): void {
    this.#up.close();
    this.#down.close();
    this.serverOpen = false;
    this.#world.after(1.5 * this.options.keepAliveMs, () => this.endClient('Keepalive timeout'));
  }

  /** Nothing goes through before this time; who waits longer than the keep-alive allows, goes. */
  hold(untilMs: number): void {
    this.#up.hold(untilMs);
    this.#down.hold(untilMs);
    const patienceMs = 1.5 * this.options.keepAliveMs;
    if (untilMs - this.#world.nowMs <= patienceMs) return;
    this.#world.after(patienceMs, () => {
      if (!this.clientOpen) return;
      this.endClient('Keepalive timeout');
      this.#up.close();
    });
    this.#world.at(untilMs, () => {
      if (!this.clientOpen) this.endServer(false);
    });
  }

  endServer(orderly: boolean): void {
    if (!this.serverOpen) return;
    this.serverOpen = false;
    this.#server.ended(this, orderly);
  }

  endClient(reason: string): void {
    if (!this.clientOpen) return;
    this.clientOpen = false;
    this.#events.closed(reason);
  }

  #send(arrive: () => void): void {
    if (!this.clientOpen) return;
    this.#up.send(() => {
      if (this.serverOpen) arrive();
      // A broker that has been started anew knows nothing of this connection.
      else if (this.#server.up) this.cut('read ECONNRESET');
    });
  }
}

function arrive(packet: () => void): void {
  packet();
}
