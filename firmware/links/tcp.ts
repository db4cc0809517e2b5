/** TCP over Wi-Fi (ECMA-419 TCP), made again whenever it ends. */
import { type DialedIO, Dialer, type DialerPorts } from './dialer.js';
import type { LinkEvents } from './link.js';
import { Pieces } from './pieces.js';

/** What this needs of an ECMA-419 TCP socket in format "buffer". */
export interface TcpIO extends DialedIO {
  /** @returns bytes that it takes now, where the IO says so */
  write(bytes: Uint8Array): unknown;
}

export interface TcpCallbacks {
  readonly onReadable: (bytes: number) => void;
  /** The first of these says that the connection stands. */
  readonly onWritable: (bytes: number) => void;
  /** The connection has failed or ended. */
  readonly onError: () => void;
}

export interface TcpPorts extends DialerPorts {
  /** Begins to connect; may throw. */
  readonly open: (address: string, port: number, on: TcpCallbacks) => TcpIO;
  /** Looks a name up; `undefined`: not found. Absent: the host is an address. */
  readonly resolve?: (host: string, done: (address: string | undefined) => void) => void;
}

const PIECE_BYTES = 512;

export class TcpLink extends Dialer<TcpIO> {
  readonly #ports: TcpPorts;
  readonly #to: { readonly host: string; readonly port: number };
  readonly #out = new Pieces(PIECE_BYTES);

  constructor(ports: TcpPorts, to: { readonly host: string; readonly port: number }, events: LinkEvents) {
    super(ports, events);
    this.#ports = ports;
    this.#to = to;
  }

  protected override dial(): void {
    const { attempt } = this;
    const { resolve } = this.#ports;
    if (resolve === undefined) this.#connect(this.#to.host, attempt);
    else
      resolve(this.#to.host, address => {
        if (attempt !== this.attempt) return;
        if (address === undefined) this.failed();
        else this.#connectSafely(address, attempt);
      });
  }

  protected override taken(): void {
    this.flush();
  }

  protected override write(): void {
    const { output } = this;
    while (this.io !== undefined && this.room > 0 && output.length > 0) {
      const piece = this.#out.upTo(Math.min(this.room, output.length));
      output.peek(piece);
      let room: unknown;
      try {
        room = this.io.write(piece);
      } catch {
        this.failed(); // it takes less than it said, or has ended
        return;
      }
      output.drop(piece.length);
      this.moved();
      this.room = typeof room === 'number' ? room : this.room - piece.length;
    }
  }

  #connectSafely(address: string, attempt: number): void {
    try {
      this.#connect(address, attempt);
    } catch {
      this.failed();
    }
  }

  #connect(address: string, attempt: number): void {
    const { open } = this.#ports;
    this.io = open(address, this.#to.port, {
      onReadable: bytes => {
        if (attempt === this.attempt) this.readable(bytes);
      },
      onWritable: bytes => {
        if (attempt !== this.attempt) return;
        this.room = bytes;
        if (this.connected) this.flush();
        else this.opened();
      },
      onError: () => {
        if (attempt === this.attempt) this.failed();
      },
    });
  }
}
