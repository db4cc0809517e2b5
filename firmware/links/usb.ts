/** USB-CDC through the native module: no callbacks, so it is asked. */
import type { DeviceLink, LinkEvents } from './link.js';

/** firmware/native/usb */
export interface UsbPort {
  /** 0 while nobody has the port open, otherwise a number that changes each time it is opened. */
  opened(): number;
  /** Takes what has come, up to the length of `target`. @returns bytes taken; 0: none */
  read(target: Uint8Array): number;
  /** Takes source[from, to) whole or not at all. Never waits. */
  write(source: Uint8Array, from: number, to: number): boolean;
}

const READ_BYTES = 256;
/** Bytes taken in one poll: more wait, so that sampling goes on. */
const MAX_READ_BYTES = 4096;
const LOOK_MS = 10;
const IDLE_MS = 100;

export class UsbLink implements DeviceLink {
  readonly #usb: UsbPort;
  readonly #events: LinkEvents;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #opened = 0;
  #closed = false;

  constructor(usb: UsbPort, events: LinkEvents) {
    this.#usb = usb;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#opened !== 0;
  }

  poll(): number {
    if (this.#closed) return Number.POSITIVE_INFINITY;
    const opened = this.#usb.opened();
    if (opened !== this.#opened) {
      // Another program has it: for the session, that is another link.
      const before = this.#opened;
      this.#opened = opened;
      if (before !== 0) this.#events.down();
      if (opened !== 0) this.#events.up();
    }
    if (opened === 0) return IDLE_MS;
    for (let taken = 0; taken < MAX_READ_BYTES; ) {
      const read = this.#usb.read(this.#buffer);
      if (read === 0) return LOOK_MS;
      this.#events.received(this.#buffer, 0, read);
      taken += read;
    }
    return 0;
  }

  send(buffer: Uint8Array, from: number, to: number): boolean {
    return this.#opened !== 0 && this.#usb.write(buffer, from, to);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#opened !== 0) this.#events.down();
    this.#opened = 0;
  }
}
