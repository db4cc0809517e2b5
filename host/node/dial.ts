/**
 * TCP from the other end: one connection to a gateway, made again whenever it ends, with growing pauses.
 */
import { connect, type Socket } from 'node:net';
import { systemCode } from '../fault.js';
import type { Clock, Link, LinkHandler, LinkSource, Timer } from '../ports.js';
import { TurnWriter } from './turn-writer.js';

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** In [0, 1): spreads the attempts of many dialers. */
  readonly jitter: () => number;
  /** Called when an attempt failed, with the reason in words. */
  readonly failed?: (reason: string) => void;
  /** Asked before each attempt; runs `go` when it may be made. The slot is given back by calling the result. */
  readonly admit?: (go: () => void) => () => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 3_000;

export class TcpDialer implements LinkSource {
  readonly #options: DialOptions;
  readonly #clock: Clock;
  #accept: ((link: Link) => LinkHandler) | undefined;
  #link: DialedLink | undefined;
  #socket: Socket | undefined;
  #retry: Timer | undefined;
  #retryMs = FIRST_RETRY_MS;
  #leave: (() => void) | undefined;

  constructor(options: DialOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Resolves at once: a gateway that is not there is waited for. */
  async start(accept: (link: Link) => LinkHandler): Promise<void> {
    this.#accept = accept;
    this.#attempt();
  }

  async stop(): Promise<void> {
    this.#accept = undefined;
    this.#retry?.cancel();
    this.#link?.finish();
    if (this.#link === undefined) this.#socket?.destroy();
    this.#settle();
  }

  /** The connection serves: the next attempt, should it come to that, is quick, and another may dial. */
  settled(): void {
    this.#retryMs = FIRST_RETRY_MS;
    this.#settle();
  }

  #settle(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    leave?.();
  }

  #attempt(): void {
    const { admit } = this.#options;
    if (admit === undefined) this.#connect();
    else this.#leave = admit(() => this.#connect());
  }

  #connect(): void {
    if (this.#accept === undefined) return;
    const { host, port, connectTimeoutMs } = this.#options;
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    socket.setTimeout(connectTimeoutMs ?? CONNECT_TIMEOUT_MS, () =>
      socket.destroy(new Error('connecting took too long')),
    );
    socket.on('error', () => {}); // `close` follows and says it
    socket.once('connect', () => {
      socket.setTimeout(0);
      const link = new DialedLink(socket, `tcp:${host}:${port}`);
      this.#link = link;
      if (this.#accept === undefined) return;
      link.handler = this.#accept(link);
      socket.on('data', chunk => link.handler?.data(chunk));
    });
    socket.once('close', () => {
      const reason = explain(socket.errored);
      const link = this.#link;
      this.#link = undefined;
      this.#settle();
      if (link === undefined) this.#options.failed?.(reason);
      else link.ended(reason);
      this.#later();
    });
  }

  #later(): void {
    if (this.#accept === undefined) return;
    const waitMs = this.#retryMs * (0.75 + 0.5 * this.#options.jitter());
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    this.#retry = this.#clock.after(waitMs, () => this.#attempt());
  }
}

class DialedLink implements Link {
  readonly name: string;
  handler: LinkHandler | undefined;
  readonly #socket: Socket;
  readonly #writer: TurnWriter;

  constructor(socket: Socket, name: string) {
    this.#socket = socket;
    this.#writer = new TurnWriter(socket);
    this.name = name;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.destroyed) return;
    this.#writer.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Ends the connection after what was sent. */
  finish(): void {
    this.#socket.destroySoon();
  }

  ended(reason: string): void {
    const handler = this.handler;
    this.handler = undefined;
    handler?.closed(reason);
  }
}

function explain(error: Error | null): string {
  const code = systemCode(error);
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the host name is unknown';
  if (code === 'ETIMEDOUT') return 'no answer';
  return error?.message ?? 'the connection was closed';
}
