/**
 * A TCP listener that yields one link a connection. A client that does not read, does not speak or comes
 * in crowds costs at most what the options allow; it never slows the others down.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Link, LinkHandler, LinkSource, Log } from '../ports.js';
import { listenFault } from './listen-fault.js';
import { TurnWriter } from './turn-writer.js';

export interface TcpOptions {
  readonly host: string;
  /** 0: the system chooses one, see `port`. */
  readonly port: number;
  /** Before the peer's address in a link's name. */
  readonly prefix: 'tcp' | 'sdk';
  /** Where the address stands in the configuration, for errors. */
  readonly setting: string;
  /** Further connections are closed at once. */
  readonly maxConnections: number;
  /** A peer that leaves more than this unread is closed. Default 256 KiB. */
  readonly maxPendingBytes?: number;
  /** A connection on which nothing moves for so long is closed; a half-open one looks like that. Default 10 min. */
  readonly idleMs?: number;
}

const MAX_PENDING_BYTES = 256 * 1024;
const IDLE_MS = 600_000;
/** The kernel asks after a silent peer. */
const KEEP_ALIVE_MS = 60_000;

export class TcpListener implements LinkSource {
  readonly #options: TcpOptions;
  readonly #log: Log;
  readonly #links = new Set<TcpLink>();
  #server: Server | undefined;
  #refused = 0;

  constructor(options: TcpOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** The port that is listened on; 0 before `start`. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Open connections. */
  get connections(): number {
    return this.#links.size;
  }

  /** Connections closed at once because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  start(accept: (link: Link) => LinkHandler): Promise<void> {
    const { host, port } = this.#options;
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    this.#server = server;
    server.on('connection', socket => this.#connected(socket, accept));
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        this.#server = undefined;
        reject(listenFault(this.#options, error));
      };
      server.once('error', failed);
      server.listen({ host, port }, () => {
        server.off('error', failed);
        // Accepting can fail later too, for instance with no file descriptor left: that costs one connection.
        server.on('error', error => this.#log.warn('accept-failed', { host, port, error: error.message }));
        this.#log.info('listening', { link: this.#options.prefix, host, port: this.port });
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    for (const link of [...this.#links]) link.end('stopped');
    await closed;
    this.#server = undefined;
  }

  #connected(socket: Socket, accept: (link: Link) => LinkHandler): void {
    socket.on('error', () => {}); // `close` follows and says it
    if (this.#links.size >= this.#options.maxConnections || socket.remoteAddress === undefined) {
      this.#refused++;
      socket.destroy();
      return;
    }
    const link = new TcpLink(socket, this.#options);
    this.#links.add(link);
    link.handler = accept(link);
    socket.setTimeout(this.#options.idleMs ?? IDLE_MS, () => link.end('idle'));
    socket.on('data', chunk => link.handler?.data(chunk));
    socket.on('end', () => link.end('ended by the peer'));
    socket.on('close', () => {
      link.end(socket.errored?.message ?? 'closed');
      this.#links.delete(link);
    });
  }
}

class TcpLink implements Link {
  readonly name: string;
  handler: LinkHandler | undefined;
  readonly #socket: Socket;
  readonly #writer: TurnWriter;
  readonly #maxPendingBytes: number;
  #ended = false;

  constructor(socket: Socket, options: TcpOptions) {
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.#maxPendingBytes = options.maxPendingBytes ?? MAX_PENDING_BYTES;
    this.name = `${options.prefix}:${socket.remoteAddress!.replace(/^::ffff:/, '')}`;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (this.#socket.writableLength + bytes.length > this.#maxPendingBytes) {
      this.end('does not read');
      return;
    }
    this.#writer.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.end('closed by the gateway');
  }

  /** Ends the connection without waiting for the peer; the handler hears of it once, and of nothing after. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const handler = this.handler;
    this.handler = undefined;
    handler?.closed(reason);
  }
}
