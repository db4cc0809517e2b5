/** A Unix socket as a source of links, for this user alone. */
import { chmodSync, rmSync } from 'node:fs';
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import type { Connect } from '../control/client.js';
import { Fault, systemCode } from '../fault.js';
import type { Link, LinkHandler, LinkSource } from '../ports.js';

const MAX_CONNECTIONS = 16;
/** What a client may leave unread before it is closed: one longest answer and the beginning of another. */
const MAX_PENDING_BYTES = 17 * 1024 * 1024;
/** And all of them together: with more, who has left most unread is closed. */
const MAX_ALL_PENDING_BYTES = 48 * 1024 * 1024;
/** `sun_path` holds 108 bytes with its end; Node would cut a longer one off without a word. */
const MAX_PATH_BYTES = 107;

export class UnixListener implements LinkSource {
  readonly #path: string;
  readonly #links = new Set<SocketLink>();
  #server: Server | undefined;

  /** @param path the caller holds the lock of its directory: what bears this name belongs to a process that died */
  constructor(path: string) {
    this.#path = path;
  }

  async start(accept: (link: Link) => LinkHandler): Promise<void> {
    const path = this.#path;
    checkLength(path);
    const server = createServer(socket => {
      if (this.#links.size >= MAX_CONNECTIONS) return void socket.destroy();
      const link = new SocketLink(socket, 'control', () => this.#bound());
      this.#links.add(link);
      socket.on('close', () => this.#links.delete(link));
      link.begin(accept(link));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(listenFault(path, error)));
      try {
        rmSync(path, { force: true });
      } catch (error) {
        reject(listenFault(path, error as Error));
        return;
      }
      // The name appears within listen(): at no time may others open it.
      const before = process.umask(0o177);
      try {
        server.listen(path, () => {
          chmodSync(path, 0o600);
          server.removeAllListeners('error');
          server.on('error', () => {}); // a failed accept costs that one connection
          this.#server = server;
          resolve();
        });
      } finally {
        process.umask(before);
      }
    });
  }

  #bound(): void {
    const all = [...this.#links].reduce((sum, { pendingBytes }) => sum + pendingBytes, 0);
    if (all <= MAX_ALL_PENDING_BYTES) return;
    const most = [...this.#links].reduce((a, b) => (b.pendingBytes > a.pendingBytes ? b : a));
    most.end(UNREAD);
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    for (const link of [...this.#links]) link.close();
    await closed; // which removes the name
  }
}

/** Connects to a gateway's control socket. @throws Fault `gateway-absent`, `permission` */
export const connectUnix: Connect = async (path, handler) => {
  checkLength(path);
  await new Promise<void>((resolve, reject) => {
    const socket = connectSocket(path);
    socket.once('error', error => reject(connectFault(path, error)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      const link = new SocketLink(socket, `unix:${path}`);
      link.begin(handler(link));
      resolve();
    });
  });
};

const UNREAD = 'does not read';

class SocketLink implements Link {
  readonly name: string;
  readonly #socket: Socket;
  readonly #queued: () => void;
  #handler: LinkHandler | undefined;
  #closed = false;

  /** @param queued something waits to be sent */
  constructor(socket: Socket, name: string, queued = () => {}) {
    this.#socket = socket;
    this.name = name;
    this.#queued = queued;
  }

  begin(handler: LinkHandler): void {
    if (this.#closed) return;
    this.#handler = handler;
    this.#socket.on('error', () => {}); // `close` follows
    this.#socket.on('data', bytes => this.#handler?.data(bytes));
    this.#socket.on('close', () => this.end('closed'));
  }

  get pendingBytes(): number {
    return this.#closed ? 0 : this.#socket.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#socket.write(bytes.slice());
    if (this.#socket.writableLength > MAX_PENDING_BYTES) this.end(UNREAD);
    else if (this.#socket.writableLength > 0) this.#queued();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#handler = undefined;
    this.end('closed');
  }

  /** Its handler is told. */
  end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#handler?.closed(reason);
  }
}

function checkLength(path: string): void {
  const length = Buffer.byteLength(path);
  if (length > MAX_PATH_BYTES)
    throw new Fault(
      'path-too-long',
      `${path} has ${length} bytes, a socket's path at most ${MAX_PATH_BYTES}`,
      'choose a shorter data directory (data: in the configuration)',
    );
}

function listenFault(path: string, error: Error): Fault {
  return new Fault(
    'control-socket',
    `cannot make the control socket ${path}: ${error.message}`,
    'the data directory must be on a file system that takes sockets, and writable',
    error,
  );
}

function connectFault(path: string, error: Error): Fault {
  const code = systemCode(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR')
    return new Fault(
      'gateway-absent',
      `no gateway runs here: nobody listens on ${path}`,
      'start one with sovereign gateway, or name its configuration with --config',
      error,
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new Fault(
      'permission',
      `${path} may not be opened by this user`,
      "run this as the gateway's user",
      error,
    );
  return new Fault('control-socket', `cannot open ${path}: ${error.message}`, '', error);
}
