/**
 * `node:net` under the interface of an ECMA-419 TCP socket in format "buffer": callbacks with counts, reads that must
 * not ask for more than there is, writes that must fit what is writable.
 */
import { connect, type Socket } from 'node:net';
import type { TcpCallbacks, TcpIO } from '../../firmware/links/tcp.js';

export class EmbeddedTcp implements TcpIO {
  /** As lwIP's send buffer. */
  static readonly SEND_BYTES = 2920;
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #pending = 0;
  #connected = false;
  #closed = false;

  constructor(address: string, port: number, on: TcpCallbacks) {
    this.#socket = connect({ host: address, port, noDelay: true });
    this.#socket.once('connect', () => {
      this.#connected = true;
      if (!this.#closed) on.onWritable(EmbeddedTcp.SEND_BYTES);
    });
    this.#socket.on('data', chunk => {
      this.#received = Buffer.concat([this.#received, chunk]);
      if (!this.#closed) on.onReadable(this.#received.length);
    });
    this.#socket.on('error', () => {});
    this.#socket.once('close', () => {
      if (!this.#closed) on.onError();
    });
    this.#on = on;
  }

  readonly #on: TcpCallbacks;

  read(target: Uint8Array): number {
    if (target.length === 0 || target.length > this.#received.length) throw new Error('invalid');
    target.set(this.#received.subarray(0, target.length));
    this.#received = this.#received.subarray(target.length);
    return target.length;
  }

  write(bytes: Uint8Array): number {
    if (!this.#connected || this.#closed) throw new Error('not ready');
    if (bytes.length > EmbeddedTcp.SEND_BYTES - this.#pending) throw new Error('would block');
    this.#pending += bytes.length;
    this.#socket.write(Buffer.from(bytes), () => {
      this.#pending -= bytes.length;
      if (!this.#closed) this.#on.onWritable(EmbeddedTcp.SEND_BYTES - this.#pending);
    });
    return EmbeddedTcp.SEND_BYTES - this.#pending;
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }
}
