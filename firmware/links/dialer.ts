/**
 * What links over a network have in common: attempts with growing pauses, a time limit for each, and an end when the
 * connection stands still, and reading. IO is closed in `poll` alone: some of it does not survive being closed in its own callback.
 */
import type { Random, Uptime } from '../ports.js';
import { Backoff } from './backoff.js';
import type { DeviceLink, LinkEvents } from './link.js';
import { Output } from './output.js';
import { Pieces } from './pieces.js';

export interface DialerPorts {
  readonly uptime: Uptime;
  readonly random: Random;
}

/** What any of them needs of its IO. */
export interface DialedIO {
  /** Fills the whole of `target`, which must not be longer than what is readable. */
  read(target: Uint8Array): unknown;
  close(): void;
}

const OUTPUT_BYTES = 8192;
const PIECE_BYTES = 512;
const CONNECT_MS = 40_000;
/** The device speaks at least once a minute and is answered. */
const SILENT_MS = 150_000;
const BLOCKED_MS = 30_000;

const WAITING = 0;
const CONNECTING = 1;
const OPEN = 2;

export abstract class Dialer<IO extends DialedIO> implements DeviceLink {
  protected readonly output = new Output(OUTPUT_BYTES);
  protected io: IO | undefined;
  /** Bytes that the IO takes now. */
  protected room = 0;
  /** Which attempt this is: callbacks of an earlier one count for nothing. */
  protected attempt = 0;
  readonly #in = new Pieces(PIECE_BYTES);
  readonly #uptime: Uptime;
  readonly #backoff: Backoff;
  readonly #events: LinkEvents;
  #state = WAITING;
  /** The connection, or the attempt, is of no use any more; `poll` ends it. */
  #broken = false;
  #writing = false;
  #network = false;
  #closed = false;
  /** When the next attempt is due, or the present one has taken too long. */
  #dueMs = 0;
  #heardMs = 0;
  #movedMs = 0;

  constructor(ports: DialerPorts, events: LinkEvents) {
    this.#uptime = ports.uptime;
    this.#backoff = new Backoff(ports.random);
    this.#events = events;
  }

  get connected(): boolean {
    return this.#state === OPEN;
  }

  /** Whether there is a network to connect over; without one, nothing is tried. */
  network(up: boolean): void {
    if (this.#network === up) return;
    this.#network = up;
    if (up) {
      this.#backoff.reset();
      this.#dueMs = 0; // an attempt of before has ended with the network
    } else this.failed();
    this.#events.wake();
  }

  poll(): number {
    const nowMs = this.#uptime.nowMs();
    this.flush();
    if (this.#over(nowMs)) this.#end(nowMs);
    if (this.#state === WAITING) {
      if (this.#closed || !this.#network) return Number.POSITIVE_INFINITY;
      if (nowMs < this.#dueMs) return this.#dueMs - nowMs;
      this.#begin(nowMs);
    }
    if (this.#broken) return 0;
    if (this.#state !== OPEN) return Math.max(0, this.#dueMs - nowMs);
    const silentMs = this.#heardMs + SILENT_MS - nowMs;
    const blockedMs = this.output.length > 0 ? this.#movedMs + BLOCKED_MS - nowMs : silentMs;
    return Math.max(0, Math.min(silentMs, blockedMs));
  }

  send(buffer: Uint8Array, from: number, to: number): boolean {
    if (this.#state !== OPEN || this.#broken) return false;
    if (this.output.length === 0) this.#movedMs = this.#uptime.nowMs();
    if (!this.output.put(buffer, from, to)) return false;
    this.taken();
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end(this.#uptime.nowMs());
  }

  /** Begins to connect as attempt number `attempt`; may throw. */
  protected abstract dial(): void;
  /** Writes what the IO takes now of `output`; `moved` for each success. */
  protected abstract write(): void;
  /** Something was put into `output`. */
  protected abstract taken(): void;

  /** Called back from within a write, an IO gets no further write: what it says of its room counts afterwards. */
  protected flush(): void {
    if (this.#state !== OPEN || this.#broken || this.#writing) return;
    this.#writing = true;
    this.write();
    this.#writing = false;
  }

  /** The peer is there. */
  protected opened(): void {
    if (this.#state !== CONNECTING || this.#broken) return;
    this.#state = OPEN;
    this.#heardMs = this.#movedMs = this.#uptime.nowMs();
    this.#events.up();
    this.#events.wake();
  }

  /** The IO has so many bytes to be read. */
  protected readable(bytes: number): void {
    for (let left = bytes; left > 0 && this.io !== undefined; ) {
      const piece = this.#in.upTo(left);
      try {
        this.io.read(piece);
      } catch {
        this.failed();
        return;
      }
      left -= piece.length;
      this.#heard(piece);
    }
  }

  protected moved(): void {
    this.#movedMs = this.#uptime.nowMs();
  }

  /** The connection, or the attempt, is of no use any more. */
  protected failed(): void {
    if (this.#state === WAITING) return;
    this.#broken = true;
    this.#events.wake();
  }

  protected wake(): void {
    this.#events.wake();
  }

  #heard(piece: Uint8Array): void {
    if (this.#state !== OPEN) return;
    this.#heardMs = this.#uptime.nowMs();
    this.#backoff.reset(); // somebody who answers is there, not only somebody who accepts
    this.#events.received(piece, 0, piece.length);
  }

  #over(nowMs: number): boolean {
    if (this.#state === WAITING) return false;
    if (this.#broken) return true;
    if (this.#state === CONNECTING) return nowMs >= this.#dueMs;
    if (this.output.length > 0 && nowMs - this.#movedMs >= BLOCKED_MS) return true;
    return nowMs - this.#heardMs >= SILENT_MS;
  }

  #begin(nowMs: number): void {
    this.#state = CONNECTING;
    this.#broken = false;
    this.#dueMs = nowMs + CONNECT_MS;
    this.attempt++;
    try {
      this.dial();
    } catch {
      this.#end(nowMs);
    }
  }

  #end(nowMs: number): void {
    const open = this.#state === OPEN;
    const tried = this.#state !== WAITING;
    this.#state = WAITING;
    this.#broken = false;
    this.output.clear();
    try {
      this.#hangUp();
    } catch {
      // closed by itself
    }
    if (tried) this.#dueMs = nowMs + this.#backoff.next();
    if (open) this.#events.down();
  }

  #hangUp(): void {
    this.attempt++;
    this.room = 0;
    const { io } = this;
    this.io = undefined;
    io?.close();
  }
}
