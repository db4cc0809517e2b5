/**
 * One connection between a device and a port of the gateway's machine, or a cable that stays whatever is at its ends. Each end
 * may believe in it while the other does not.
 */
import type { Link, LinkHandler } from '../../../host/ports.js';
import type { World } from '../kernel/world.js';
import { Pipe, type PipeEvents } from './pipe.js';

/** What a device's end hears; never from within a call of its own. */
export interface SocketEvents {
  up(): void;
  /** It has failed, also while it was being made. */
  down(): void;
  /** The array is the receiver's. */
  data(bytes: Uint8Array): void;
  /** There may be more room. */
  room?(): void;
}

export interface DeviceSocket {
  readonly connected: boolean;
  /** What `send` takes now. */
  readonly roomBytes: number;
  /** Takes the bytes whole, or none of them. */
  send(bytes: Uint8Array): boolean;
  close(): void;
  /** The device is without power: nobody is told. */
  vanish(): void;
}

export type Direction = 'up' | 'down';
export type Tap = (direction: Direction, bytes: Uint8Array, connection: LinkConnection) => void;

export interface ConnectionEvents {
  readonly tap: Tap;
  /** What an end itself sends, and nobody in between. */
  readonly said: Tap;
  readonly answers: () => boolean;
  readonly gone: (connection: LinkConnection) => void;
}

export interface LinkShape {
  /** A cable: bytes and nothing else. Otherwise TCP. */
  readonly raw: boolean;
  readonly latencyMs: readonly [number, number];
  readonly bytesPerMs: number;
  /** What the device's system takes of what is not sent yet. */
  readonly sendBytes: number;
  /** What the gateway's system takes of what the peer does not read. */
  readonly bufferBytes: number;
  /** What the gateway's process keeps beyond that. */
  readonly maxPendingBytes: number;
}

/** What a system takes of what its program does not read. */
const WINDOW_BYTES = 65_536;

export class LinkConnection implements DeviceSocket {
  readonly name: string;
  /** Nothing tells the device that the gateway's end is gone. */
  forgotten: boolean;
  readonly #world: World;
  readonly #shape: LinkShape;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #tap: Tap;
  readonly #said: Tap;
  /** Whether the gateway's machine says that it does not know a connection. */
  readonly #answers: () => boolean;
  readonly #gone: (connection: LinkConnection) => void;
  #events: SocketEvents | undefined;
  #link: OpenLink | undefined;

  constructor(world: World, name: string, shape: LinkShape, { tap, said, answers, gone }: ConnectionEvents) {
    this.#world = world;
    this.#shape = shape;
    this.#tap = tap;
    this.#said = said;
    this.#answers = answers;
    this.#gone = gone;
    this.name = name;
    this.forgotten = shape.raw;
    this.#up = this.#pipe('up', {
      deliver: bytes => this.#arrivedUp(bytes),
      moved: () => this.#events?.room?.(),
    });
    this.#down = this.#pipe('down', { deliver: bytes => this.#events?.data(bytes), moved: () => {} });
  }

  // The device's end

  get connected(): boolean {
    return this.#events !== undefined;
  }

  get roomBytes(): number {
    return this.connected ? Math.max(0, this.#shape.sendBytes - this.#up.pendingBytes) : 0;
  }

  attach(events: SocketEvents): void {
    this.#events = events;
  }

  send(bytes: Uint8Array): boolean {
    if (bytes.length > this.roomBytes) return false;
    this.#said('up', bytes, this);
    this.#up.send(bytes);
    return true;
  }

  close(): void {
    if (!this.connected) return;
    this.vanish();
    if (!this.#shape.raw) this.#soon(() => this.endGateway('ended by the peer'));
  }

  vanish(): void {
    if (!this.connected) return;
    this.#events = undefined;
    if (this.#shape.raw) this.#down.clear();
    else this.#down.stop();
    this.#look();
  }

  /** The device hears that it is gone. */
  endDevice(): void {
    const events = this.#events;
    if (events === undefined) return;
    this.vanish();
    events.down();
  }

  // The gateway's end

  get gatewayOpen(): boolean {
    return this.#link !== undefined;
  }

  /** @param ended told when the gateway's end is gone, for whatever reason */
  open(name: string, accept: (link: Link) => LinkHandler, ended: () => void): void {
    const link = new OpenLink(name, this.#shape, this.#up, this.#down, {
      said: bytes => this.#said('down', bytes, this),
      close: reason => this.endGateway(reason, true),
    });
    link.ended = ended;
    this.#link = link;
    const handler = accept(link);
    if (link.open) link.handler = handler; // who accepts may close at once
  }

  /** Since when nothing has come or gone. */
  get quietSinceMs(): number {
    return this.#link?.movedMs ?? 0;
  }

  /** The gateway's end is gone. @param told whether the device hears of it, too */
  endGateway(reason: string, told = false): void {
    const link = this.#link;
    if (link === undefined) return;
    this.leaveGateway(told);
    link.handler?.closed(reason);
    link.ended();
  }

  /** The gateway's process is gone. */
  leaveGateway(told: boolean): void {
    if (this.#link === undefined) return;
    this.#link.open = false;
    this.#link = undefined;
    if (this.#shape.raw) this.#up.clear();
    this.#up.resume();
    if (told && !this.forgotten) this.#soon(() => this.endDevice());
    this.#look();
  }

  // What the network does

  /** Both ends hear of the end. */
  cut(reason: string): void {
    this.endGateway(reason);
    if (!this.#shape.raw) this.#soon(() => this.endDevice());
  }

  hold(untilMs: number, direction: Direction | 'both'): void {
    if (direction !== 'down') this.#up.hold(untilMs);
    if (direction !== 'up') this.#down.hold(untilMs);
  }

  /** Somebody else's bytes. */
  inject(direction: Direction, bytes: Uint8Array): void {
    (direction === 'up' ? this.#up : this.#down).send(bytes);
  }

  #soon(run: () => void): void {
    this.#world.after(this.#shape.latencyMs[1], run);
  }

  #look(): void {
    if (this.#link === undefined && this.#events === undefined) this.#gone(this);
  }

  #arrivedUp(bytes: Uint8Array): void {
    const link = this.#link;
    if (link !== undefined) {
      link.movedMs = this.#world.nowMs;
      link.handler?.data(bytes);
    } else if (!this.forgotten && this.#answers()) this.#soon(() => this.endDevice());
  }

  #pipe(direction: Direction, events: Pick<PipeEvents, 'deliver' | 'moved'>): Pipe {
    const { raw, latencyMs, bytesPerMs } = this.#shape;
    return new Pipe(
      this.#world,
      { name: `${this.name} ${direction}`, raw, latencyMs, bytesPerMs, windowBytes: WINDOW_BYTES },
      {
        ...events,
        tap: bytes => this.#tap(direction, bytes, this),
        cut: () => this.cut('closed in the middle'),
      },
    );
  }
}

/** The gateway's end, as its process has it. */
class OpenLink implements Link {
  readonly name: string;
  handler: LinkHandler | undefined;
  open = true;
  movedMs = 0;
  ended: () => void = () => {};
  readonly #shape: LinkShape;
  readonly #up: Pipe;
  readonly #down: Pipe;
  readonly #said: (bytes: Uint8Array) => void;
  readonly #close: (reason: string) => void;

  constructor(
    name: string,
    shape: LinkShape,
    up: Pipe,
    down: Pipe,
    { said, close }: { said: (bytes: Uint8Array) => void; close: (reason: string) => void },
  ) {
    this.#said = said;
    this.name = name;
    this.#shape = shape;
    this.#up = up;
    this.#down = down;
    this.#close = close;
  }

  get pendingBytes(): number {
    return Math.max(0, this.#down.pendingBytes - this.#shape.bufferBytes);
  }

  send(bytes: Uint8Array): void {
    if (!this.open) return;
    if (this.pendingBytes + bytes.length <= this.#shape.maxPendingBytes) {
      this.#said(bytes);
      this.#down.send(bytes);
    }
    // A cable that nobody reads stays open: every message down is said again when it is needed.
    else if (!this.#shape.raw) this.#close('does not read');
  }

  pause(): void {
    if (this.open) this.#up.pause();
  }

  resume(): void {
    if (this.open) this.#up.resume();
  }

  close(): void {
    if (this.open) this.#close('closed by the gateway');
  }
}
