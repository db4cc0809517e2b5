/**
 * A UART (ECMA-419 Serial). The line is always there; whether somebody listens, the session finds out.
 *
 * The IO says through `onWritable` how many bytes it takes now. Writing more is an error of its, and some ports also
 * fail for want of room that they have just announced; such a write has taken nothing and is tried again.
 */
import type { Uptime } from '../ports.js';
import type { DeviceLink, LinkEvents } from './link.js';
import { Output } from './output.js';
import { Pieces } from './pieces.js';

/** What this needs of an ECMA-419 Serial in format "buffer". */
export interface SerialIO {
  /** Fills at most the whole of `target`. @returns bytes read */
  read(target: Uint8Array): number | undefined;
  write(bytes: Uint8Array): unknown;
  close(): void;
}

export interface SerialCallbacks {
  readonly onReadable: (bytes: number) => void;
  readonly onWritable: (bytes: number) => void;
}

/** Opens the port with these callbacks; may throw. */
export type OpenSerial = (on: SerialCallbacks) => SerialIO;

const OUTPUT_BYTES = 2048;
const PIECE_BYTES = 64;
const REOPEN_MS = 1_000;
/** Before bytes that the port did not want are offered again. */
const AGAIN_MS = 20;

export class SerialLink implements DeviceLink {
  readonly #open: OpenSerial;
  readonly #uptime: Uptime;
  readonly #events: LinkEvents;
  readonly #output = new Output(OUTPUT_BYTES);
  readonly #in = new Pieces(PIECE_BYTES);
  readonly #out = new Pieces(PIECE_BYTES);
  readonly #callbacks: SerialCallbacks;
  #io: SerialIO | undefined;
  #room = 0;
  #writing = false;
  #dueMs = 0;
  #closed = false;

  constructor(open: OpenSerial, ports: { readonly uptime: Uptime }, events: LinkEvents) {
    this.#open = open;
    this.#uptime = ports.uptime;
    this.#events = events;
    this.#callbacks = {
      onReadable: bytes => this.#readable(bytes),
      onWritable: bytes => {
        this.#room = bytes;
        this.#drain();
      },
    };
  }

  get connected(): boolean {
    return this.#io !== undefined;
  }

  poll(): number {
    if (this.#closed) return Number.POSITIVE_INFINITY;
    const nowMs = this.#uptime.nowMs();
    if (this.#io === undefined) {
      if (nowMs < this.#dueMs) return this.#dueMs - nowMs;
      try {
        this.#io = this.#open(this.#callbacks);
      } catch {
        this.#dueMs = nowMs + REOPEN_MS;
        return REOPEN_MS;
      }
      this.#events.up();
    }
    if (this.#output.length === 0) return Number.POSITIVE_INFINITY;
    if (nowMs >= this.#dueMs) {
      // No word that there is room: one byte finds out.
      if (this.#room === 0) this.#room = 1;
      this.#drain();
      this.#dueMs = nowMs + AGAIN_MS;
    }
    return Math.max(1, this.#dueMs - nowMs);
  }

  send(buffer: Uint8Array, from: number, to: number): boolean {
    if (this.#io === undefined || !this.#output.put(buffer, from, to)) return false;
    this.#drain();
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const io = this.#io;
    this.#io = undefined;
    io?.close();
    if (io !== undefined) this.#events.down();
  }

  #drain(): void {
    if (this.#writing) return; // called back from within a write
    this.#writing = true;
    const io = this.#io;
    while (io !== undefined && this.#room > 0 && this.#output.length > 0) {
      const piece = this.#out.upTo(Math.min(this.#room, this.#output.length));
      this.#output.peek(piece);
      try {
        io.write(piece);
      } catch {
        this.#room = 0;
        break;
      }
      this.#output.drop(piece.length);
      this.#room -= piece.length;
    }
    this.#writing = false;
    if (this.#output.length > 0) this.#events.wake();
  }

  #readable(bytes: number): void {
    for (let left = bytes; left > 0 && this.#io !== undefined; ) {
      const piece = this.#in.upTo(left);
      let read: number | undefined;
      try {
        read = this.#io.read(piece);
      } catch {
        return; // overrun: what is lost, the frames' checksums find out
      }
      if (read === undefined || read <= 0) return;
      left -= read;
      this.#events.received(piece, 0, read);
    }
  }
}
