/**
 * The listener of the page and of the metrics: requests here, WebSockets in web-sockets.ts. Whatever a client sends, or does not
 * send or read, costs at most its own connection and what the limits below allow.
 */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Fault } from '../fault.js';
import type { Log } from '../ports.js';
import type { HttpHandler, HttpRequest, HttpResponse, HttpSource } from '../web/ports.js';
import { listenFault } from './listen-fault.js';
import { WebSockets, type WebSocketsOptions } from './web-sockets.js';

export interface HttpOptions extends WebSocketsOptions {
  readonly host: string;
  /** 0: the system chooses one, see `port`. */
  readonly port: number;
  /** Where the address stands in the configuration, for errors. */
  readonly setting: string;
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Further connections are closed at once, WebSockets counted. Default 64. */
  readonly maxConnections?: number;
  /** A request has to be there within this, and a TLS handshake be done; a connection on which nothing moves is closed. Default 10 s. */
  readonly requestMs?: number;
}

const MAX_CONNECTIONS = 64;
const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 64;
const MAX_REQUESTS_PER_CONNECTION = 1000;
const REQUEST_MS = 10_000;

export class HttpListener implements HttpSource {
  readonly #options: HttpOptions;
  readonly #log: Log;
  readonly #sockets: WebSockets;
  /** Sockets that the server has given away, and that are no WebSockets. */
  readonly #given = new Set<Duplex>();
  #server: Server | undefined;

  constructor(options: HttpOptions, log: Log) {
    this.#options = options;
    this.#log = log;
    this.#sockets = new WebSockets(options, log);
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
      server.on('upgrade', (request, socket, head) => {
        if (wantsWebSocket(request)) this.#upgrade(handler, request, socket, head);
        else void this.#answer(handler, request, this.#lastResponse(request, socket));
      });
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
    this.#sockets.start();
    this.#log.info('listening', { link: setting, host, port: this.port });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    this.#sockets.stop();
    for (const socket of this.#given) socket.destroy();
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

  /**
   * An upgrade that is not known here, such as h2c, is passed over (RFC 9110, section 7.8). The server has given the socket
   * away with it, so nothing else is read there: this is the last answer on the connection.
   */
  #lastResponse(request: IncomingMessage, socket: Duplex): ServerResponse {
    socket.on('error', () => {}); // `close` follows
    socket.on('close', () => this.#given.delete(socket));
    this.#given.add(socket);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => {
      socket.end();
      socket.resume(); // until the peer has closed it too
      setTimeout(() => socket.destroy(), this.#requestMs).unref(); // who goes on sending would hold the place for ever
    });
    return response;
  }

  #upgrade(handler: HttpHandler, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {}); // `close` follows
    const verdict = this.#sockets.full ? plain(503, 'too many connections') : this.#verdict(handler, request);
    this.#sockets.upgrade(request, socket, head, verdict);
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

const wantsWebSocket = ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket';

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
