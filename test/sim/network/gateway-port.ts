/**
 * Where devices come in at the gateway's machine: a serial port with one cable, or a TCP listener. It outlives the gateway's
 * processes; each has a `source` of its own.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Link, LinkHandler, LinkSource } from '../../../host/ports.js';
import type { Life } from '../kernel/life.js';
import type { World } from '../kernel/world.js';
import {
  type DeviceSocket,
  LinkConnection,
  type LinkShape,
  type SocketEvents,
  type Tap,
} from './link-connection.js';

export interface GatewayPortOptions {
  /** `serial:/dev/ttyACM0`, `tcp`, `sdk` */
  readonly name: string;
  readonly kind: 'serial' | 'tcp' | 'sdk';
  /** Further ones are closed at once. */
  readonly maxConnections?: number;
}

/** 115,200 baud */
const SERIAL: LinkShape = {
  raw: true,
  latencyMs: [0.2, 3],
  bytesPerMs: 11.5,
  sendBytes: 2048,
  bufferBytes: 4096,
  maxPendingBytes: 64 * 1024,
};
const TCP: LinkShape = {
  raw: false,
  latencyMs: [1, 50],
  bytesPerMs: 400,
  sendBytes: 2920,
  bufferBytes: 65_536,
  maxPendingBytes: 256 * 1024,
};
const MAX_CONNECTIONS = 128;
const IDLE_MS = 600_000;
const REOPEN_MS = [500, 5000] as const;
/** Of the processes that end, so many take the machine with them: their peers are not told. */
const SILENT_SHARE = 0.3;

export class GatewayPort {
  readonly name: string;
  readonly kind: 'serial' | 'tcp' | 'sdk';
  /** Told of all bytes before faults befall them. */
  onTraffic: Tap = () => {};
  /** Told of what the two ends send, and of nothing that somebody else puts in between. */
  onSaid: Tap = () => {};
  readonly #world: World;
  readonly #chance: SeededRandom;
  readonly #maxConnections: number;
  readonly #connections = new Set<LinkConnection>();
  /** Who listens, the last one on top: an address that two machines have leads to that one. */
  #sources: PortSource[] = [];
  #dials = 0;

  constructor(world: World, { name, kind, maxConnections = MAX_CONNECTIONS }: GatewayPortOptions) {
    this.#world = world;
    this.#chance = world.random('link');
    this.name = name;
    this.kind = kind;
    this.#maxConnections = maxConnections;
    if (kind === 'serial') this.#connection(name, SERIAL);
    this.#beginFaults();
  }

  /** Those of which at least one end is there; a cable always is. */
  get connections(): readonly LinkConnection[] {
    return [...this.#connections];
  }

  /** For one process of the gateway. */
  source(life: Life): LinkSource {
    const source = new PortSource(this.#world, this, life);
    life.onEnd(() => source.die(this.#chance.unit() >= SILENT_SHARE));
    return source;
  }

  /** A device connects; at a serial cable, it takes the place of what was there. */
  dial(events: SocketEvents): DeviceSocket {
    return this.kind === 'serial' ? this.#plug(events) : new Dialing(this.#world, this, events);
  }

  /** @internal A connection to whoever listens; undefined: nobody does, or there are too many. */
  connect(events: SocketEvents): LinkConnection | undefined {
    let open = 0;
    for (const { gatewayOpen } of this.#connections) if (gatewayOpen) open++;
    const source = this.#sources.at(-1);
    if (source === undefined || open >= this.#maxConnections) return undefined;
    const connection = this.#connection(`${this.kind}:192.0.2.${1 + (this.#dials++ % 250)}`, TCP);
    connection.attach(events);
    source.accept(connection);
    return connection;
  }

  /** @internal */
  listen(source: PortSource): void {
    this.#sources.push(source);
    if (this.kind === 'serial') for (const cable of this.#connections) source.accept(cable);
  }

  /** @internal */
  unlisten(source: PortSource): void {
    this.#sources = this.#sources.filter(other => other !== source);
  }

  #plug(events: SocketEvents): DeviceSocket {
    const [cable] = this.#connections;
    cable.vanish();
    cable.attach(events);
    this.#world.after(0, () => events.up());
    return cable;
  }

  #connection(name: string, shape: LinkShape): LinkConnection {
    const connection = new LinkConnection(this.#world, name, shape, {
      tap: (...traffic) => this.onTraffic(...traffic),
      said: (...traffic) => this.onSaid(...traffic),
      answers: () => this.#sources.length > 0,
      gone: over => {
        if (!shape.raw) this.#connections.delete(over);
      },
    });
    this.#connections.add(connection);
    return connection;
  }

  #beginFaults(): void {
    const { faults } = this.#world;
    const some = (details: SeededRandom, act: (connection: LinkConnection) => void) => {
      const all = [...this.#connections];
      if (all.length > 0) act(all[details.below(all.length)]);
    };
    const later = (ms: number) => this.#world.nowMs + ms;
    faults.arrivals('link-close', details => some(details, connection => connection.cut('read ECONNRESET')));
    faults.arrivals('link-half-open', details => {
      some(details, connection => {
        if (details.unit() < 0.5) {
          connection.forgotten = true;
          connection.endGateway('read ETIMEDOUT');
        } else if (this.kind !== 'serial') connection.endDevice();
      });
    });
    faults.arrivals('link-partition', details => {
      const untilMs = later(10 ** (2.5 + 3.3 * details.unit()));
      for (const connection of this.#connections) connection.hold(untilMs, 'both');
    });
    faults.arrivals('link-stall', details => {
      some(details, connection => {
        const untilMs = later(10 ** (2.5 + 3 * details.unit()));
        connection.hold(untilMs, details.unit() < 0.5 ? 'up' : 'down');
      });
    });
  }
}

/** A TCP connection that takes its time to come about. */
class Dialing implements DeviceSocket {
  #connection: LinkConnection | undefined;
  #over = false;

  constructor(world: World, port: GatewayPort, events: SocketEvents) {
    const waitMs = 2 * (TCP.latencyMs[0] + TCP.latencyMs[1] * world.random('link').unit());
    world.after(waitMs, () => {
      if (this.#over) return;
      const guarded: SocketEvents = {
        up: () => {},
        down: () => this.#over || events.down(),
        data: bytes => this.#over || events.data(bytes),
        room: () => this.#over || events.room?.(),
      };
      this.#connection = port.connect(guarded);
      if (this.#connection === undefined) events.down();
      else events.up();
    });
  }

  get connected(): boolean {
    return this.#connection?.connected ?? false;
  }

  get roomBytes(): number {
    return this.#connection?.roomBytes ?? 0;
  }

  send(bytes: Uint8Array): boolean {
    return this.#connection?.send(bytes) ?? false;
  }

  close(): void {
    this.#over = true;
    this.#connection?.close();
  }

  vanish(): void {
    this.#over = true;
    this.#connection?.vanish();
  }
}

/** A process's end of a port. */
class PortSource implements LinkSource {
  readonly #world: World;
  readonly #port: GatewayPort;
  readonly #life: Life;
  readonly #open = new Set<LinkConnection>();
  #accept: ((link: Link) => LinkHandler) | undefined;

  constructor(world: World, port: GatewayPort, life: Life) {
    this.#world = world;
    this.#port = port;
    this.#life = life;
  }

  start(accept: (link: Link) => LinkHandler): Promise<void> {
    return this.#life.effect(`listen ${this.#port.name}`, 0.5, () => {
      this.#accept = accept;
      this.#port.listen(this);
    });
  }

  stop(): Promise<void> {
    this.#accept = undefined;
    this.#port.unlisten(this);
    for (const connection of [...this.#open]) connection.endGateway('stopped', true);
    return this.#life.effect(`close ${this.#port.name}`, 0.5, () => undefined);
  }

  /** The process has ended. @param told whether the devices hear of it */
  die(told: boolean): void {
    this.#accept = undefined;
    this.#port.unlisten(this);
    for (const connection of this.#open) connection.leaveGateway(told);
    this.#open.clear();
  }

  accept(connection: LinkConnection): void {
    if (this.#accept === undefined || this.#life.over) return;
    this.#open.add(connection);
    connection.open(connection.name, this.#accept, () => {
      this.#open.delete(connection);
      if (this.#port.kind === 'serial') this.#reopen(connection);
    });
    if (this.#port.kind !== 'serial') this.#watch(connection);
  }

  /** A port that was pulled out, or could not be read, is tried again. */
  #reopen(cable: LinkConnection): void {
    const [least, most] = REOPEN_MS;
    this.#life.after(least + (most - least) * this.#world.random('link').unit(), () => {
      if (this.#accept !== undefined) this.accept(cable);
    });
  }

  #watch(connection: LinkConnection): void {
    this.#life.after(IDLE_MS, () => {
      if (!this.#open.has(connection)) return;
      if (this.#world.nowMs - connection.quietSinceMs >= IDLE_MS) connection.endGateway('idle', true);
      else this.#watch(connection);
    });
  }
}
