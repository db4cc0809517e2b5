/** Writes to a socket: what is sent in one turn of the event loop goes out in one system call. */
import type { Socket } from 'node:net';

export class TurnWriter {
  readonly #socket: Socket;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The bytes may be used again by who gave them. */
  write(bytes: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(Buffer.from(bytes));
  }
}
