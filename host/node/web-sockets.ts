/**
 * The WebSockets of the page's listener: a bounded number, each a stream of texts. A peer that sends what it may not, does not
 * read or gives no sign of life loses its own socket, and nobody else notices.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Log } from '../ports.js';
import type { HttpResponse, MessageHandler, MessageSocket } from '../web/ports.js';

export interface WebSocketsOptions {
  /** Further WebSockets are refused with 503. Default 24. */
  readonly maxSockets?: number;
  /** A WebSocket is asked for a sign of life so often, and closed when it has given none until the next time. Default 20 s. */
  readonly pingMs?: number;
}

const MAX_SOCKETS = 24;
/** A WebSocket's message: a call. */
const MAX_MESSAGE_BYTES = 4096;
/** What a WebSocket's peer may leave unread: one status with as many devices as it may hold, and some more. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
const PING_MS = 20_000;
/** A peer that was told goodbye has so long to say it too. */
const GOODBYE_MS = 500;

export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #log: Log;
  readonly #sockets = new Set<TextSocket>();
  readonly #upgrades = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  #pings: NodeJS.Timeout | undefined;

  constructor(options: WebSocketsOptions, log: Log) {
    this.#options = options;
    this.#log = log;
  }

  /** As many are open as may be. */
  get full(): boolean {
    return this.#sockets.size >= (this.#options.maxSockets ?? MAX_SOCKETS);
  }

  /** Begins to ask for signs of life. */
  start(): void {
    this.#pings = setInterval(() => {
      for (const socket of this.#sockets) socket.check();
    }, this.#options.pingMs ?? PING_MS);
  }

  /** Says goodbye to all. */
  stop(): void {
    clearInterval(this.#pings);
    for (const socket of [...this.#sockets]) socket.end(1001, 'the gateway stops');
  }

  /** @param verdict what takes the socket's messages, or the answer that refuses it */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    verdict: HttpResponse | ((socket: MessageSocket) => MessageHandler),
  ): void {
    if (typeof verdict !== 'function') {
      refuse(socket, verdict);
      return;
    }
    this.#upgrades.handleUpgrade(request, socket, head, opened => {
      const text = new TextSocket(opened, this.#log);
      this.#sockets.add(text);
      opened.on('close', () => this.#sockets.delete(text));
      text.begin(verdict(text));
    });
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

function refuse(socket: Duplex, { status, headers, body }: HttpResponse): void {
  const all = { ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${Buffer.from(body).toString()}`);
  setTimeout(() => socket.destroy(), GOODBYE_MS).unref();
}
