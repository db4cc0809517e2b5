/**
 * The listener of the page and of the metrics. Whatever a client sends, or does not send or read, costs at most its own
 * connection and what the limits below allow.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Fault } from '../fault.js';
import type { Log } from '../ports.js';
import type {
  HttpHandler,
  HttpRequest,
  HttpResponse,
  HttpSource,
  MessageHandler,
  MessageSocket,
} from '../web/ports.js';
import { listenFault } from './listen-fault.js';

export interface HttpOptions {
  readonly host: string;
  /** 0: the system chooses one, see `port`. */
  readonly port: number;
  /** Where the address stands in the configuration, for errors. */
  readonly setting: string;
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Further connections are closed at once, WebSockets counted. Default 64. */
  readonly maxConnections?: number;
  /** Further WebSockets are refused with 503. Default 24. */
  readonly maxSockets?: number;
  /** A request has to be there within this, and a TLS handshake be done; a connection on which nothing moves is closed. Default 10 s. */
  readonly requestMs?: number;
  /** A WebSocket is asked for a sign of life so often, and closed when it has given none until the next time. Default 20 s. */
  readonly pingMs?: number;
}

const MAX_CONNECTIONS = 64;
const MAX_SOCKETS = 24;
const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 64;
const MAX_REQUESTS_PER_CONNECTION = 1000;
const REQUEST_MS = 10_000;
/** A WebSocket's message: a call. */
const MAX_MESSAGE_BYTES = 4096;
/** What a WebSocket's peer may leave unread: one status with as many devices as it may hold, and some more. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
const PING_MS = 20_000;
/** A peer that was told goodbye has so long to say it too. */
const GOODBYE_MS = 500;

export class HttpListener implements HttpSource {
  readonly #options: HttpOptions;
  readonly #log: Log;
  readonly #sockets = new Set<TextSocket>();
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  #server: Server | undefined;
  #pings: NodeJS.Timeout | undefined;

  constructor(options: HttpOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  get #requestMs(): number {
    return this.#options.requestMs ?? REQUEST_MS;
  }

  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async start(handler: HttpHandler): Promise<void> {
    const { host, port, setting } = this.#options;
    const server = this.#createServer();
    server.maxConnections = this.#options.maxConnections ?? MAX_CONNECTIONS;
    server.maxHeadersCount = MAX_HEADERS;
    server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
    server.setTimeout(this.#requestMs, socket => socket.destroy());
    server.on('request', (request, response) => void this.#answer(handler, request, response));
    if (handler.upgrade)
      server.on('upgrade', (request, socket, head) => this.#upgrade(handler, request, socket, head));
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => reject(listenFault({ host, port, setting }, error));
      server.once('error', failed);
      server.listen({ host, port }, () => {
        server.off('error', failed);
        server.on('error', error => this.#log.warn('accept-failed', { host, port, error: error.message }));
        resolve();
      });
    });
    this.#server = server;
    this.#pings = setInterval(() => {
      for (const socket of this.#sockets) socket.check();
    }, this.#options.pingMs ?? PING_MS);
    this.#log.info('listening', { link: setting, host, port: this.port });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    clearInterval(this.#pings);
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    for (const socket of [...this.#sockets]) socket.end(1001, 'the gateway stops');
    server.closeAllConnections();
    await closed;
  }

  #createServer(): Server {
    const limits = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: this.#requestMs,
      requestTimeout: this.#requestMs,
      keepAliveTimeout: this.#requestMs,
      connectionsCheckingInterval: this.#requestMs / 2,
      noDelay: true,
    };
    const { tls, setting } = this.#options;
    if (tls === undefined) return createServer(limits);
    const secure: ServerOptions = {
      ...limits,
      ...tls,
      minVersion: 'TLSv1.2',
      handshakeTimeout: this.#requestMs,
    };
    try {
      return createSecureServer(secure);
    } catch (error) {
      const section = setting.replace(/\.\w+$/, '');
      throw new Fault(
        'tls-invalid',
        `${section}.cert and ${section}.key: ${error instanceof Error ? error.message : String(error)}`,
        'give a certificate in PEM, with its chain, and the private key that belongs to it, without a passphrase',
        error,
      );
    }
  }

  async #answer(handler: HttpHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {}); // `close` follows
    response.on('error', () => {});
    if (bringsBody(request)) {
      response.setHeader('Connection', 'close');
      return respond(request, response, plain(413, 'a request takes no body here'));
    }
    try {
      respond(request, response, await handler.request(asked(request)));
    } catch (error) {
      this.#log.error('request-failed', { path: pathOf(request).slice(0, 200), error: String(error) });
      if (!response.headersSent) respond(request, response, plain(500, 'this failed; the log says why'));
    }
  }

  #upgrade(handler: HttpHandler, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {}); // `close` follows
    const full = this.#sockets.size >= (this.#options.maxSockets ?? MAX_SOCKETS);
    const verdict = full ? plain(503, 'too many connections') : this.#verdict(handler, request);
    if (typeof verdict !== 'function') {
      refuseUpgrade(socket, verdict);
      return;
    }
    this.#upgrades.handleUpgrade(request, socket, head, opened => {
      const text = new TextSocket(opened, this.#log);
      this.#sockets.add(text);
      opened.on('close', () => this.#sockets.delete(text));
      text.begin(verdict(text));
    });
  }

  #verdict(handler: HttpHandler, request: IncomingMessage) {
    try {
      return handler.upgrade!(asked(request));
    } catch (error) {
      this.#log.error('request-failed', { path: pathOf(request).slice(0, 200), error: String(error) });
      return plain(500, 'this failed; the log says why');
    }
  }
}

class TextSocket implements MessageSocket {
  readonly #socket: WebSocket;
  readonly #log: Log;
  #handler: MessageHandler | undefined;
  #ended = false;
  #alive = true;

  constructor(socket: WebSocket, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  get pendingBytes(): number {
    return this.#socket.bufferedAmount;
  }

  begin(handler: MessageHandler): void {
    this.#handler = handler;
    const socket = this.#socket;
    socket.on('error', error => this.#lost(error.message));
    socket.on('close', () => this.#lost('closed by the peer'));
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('message', (data, isBinary) => {
      this.#alive = true;
      if (isBinary) this.end(1003, 'expected a text');
      else this.#take(data.toString());
    });
  }

  send(text: string): void {
    if (this.#ended) return;
    // As bytes, which are not on the heap of JavaScript: there, what slow readers leave would soon take the room of everything.
    this.#socket.send(Buffer.from(text), { binary: false });
    if (this.#socket.bufferedAmount > MAX_PENDING_BYTES) this.#lost('does not read');
  }

  close(code: number, reason: string): void {
    this.#handler = undefined;
    this.end(code, reason);
  }

  /** Ends it with a goodbye, for which nobody is waited for long. */
  end(code: number, reason: string): void {
    if (this.#ended) return;
    const handler = this.#over();
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), GOODBYE_MS).unref();
    handler?.closed(reason);
  }

  /** Ends it when it has given no sign of life since the last time. */
  check(): void {
    if (this.#ended) return;
    if (!this.#alive) {
      this.#lost('gives no sign of life');
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }

  #take(text: string): void {
    try {
      this.#handler?.message(text);
    } catch (error) {
      this.#log.error('request-failed', { path: 'websocket', error: String(error) });
      this.end(1011, 'this failed; the log says why');
    }
  }

  #lost(reason: string): void {
    if (this.#ended) return;
    const handler = this.#over();
    this.#socket.terminate();
    handler?.closed(reason);
  }

  #over(): MessageHandler | undefined {
    this.#ended = true;
    const handler = this.#handler;
    this.#handler = undefined;
    return handler;
  }
}

const pathOf = (request: IncomingMessage) => (request.url ?? '').replace(/\?.*$/s, '');

function asked(request: IncomingMessage): HttpRequest {
  return {
    method: request.method ?? '',
    path: pathOf(request),
    host: (request.headers.host ?? '').toLowerCase(),
    peer: request.socket.remoteAddress ?? '',
    header: name => request.headers[name]?.toString(),
  };
}

function bringsBody({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && headers['content-length'] !== '0')
  );
}

const plain = (status: number, text: string): HttpResponse => ({
  status,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' },
  body: `${text}\n`,
});

function respond(request: IncomingMessage, response: ServerResponse, answer: HttpResponse): void {
  const { status, headers, body } = answer;
  // RFC 9110, section 8.6: with 304 it would be the length of what is not sent.
  const length = status === 304 ? {} : { 'Content-Length': Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function refuseUpgrade(socket: Duplex, { status, headers, body }: HttpResponse): void {
  const all = { ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${Buffer.from(body).toString()}`);
  setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
}
