/** The WebSocket to the gateway: calls, streams that begin again after each break, and a way back after each break. */
import type { ControlCall, ControlCalls, ControlStream, ControlStreams } from '../../control/calls.js';
import type { FleetItem, Hello } from '../messages.js';
import { remember, remembered } from './memory.js';

export type ConnectionState =
  | { readonly name: 'connecting' }
  | {
      readonly name: 'open';
      readonly hello: Hello;
      /** What changes something is allowed. */
      readonly unlocked: boolean;
      /** There is something to see. */
      readonly shown: boolean;
      /** The token that was given before is being tried. */
      readonly trying: boolean;
    }
  /** The next attempt is at `until`, Unix ms. */
  | { readonly name: 'waiting'; readonly until: number };

/** What the gateway has answered instead of a value. */
export class CallError extends Error {
  readonly code: string;
  readonly remedy: string;

  constructor(code: string, message: string, remedy = '') {
    super(message);
    this.code = code;
    this.remedy = remedy;
  }
}

interface Streams extends ControlStreams {
  fleet: { args: Readonly<Record<never, never>>; item: FleetItem };
}
type StreamName = ControlStream | 'fleet';

export interface StreamListener<T> {
  item(item: T): void;
  /** So many were left out here, since this page or the way to it was too slow. */
  lost?(count: number): void;
  /** It begins, also once more after a break: what had been told before may be told again. */
  begins?(): void;
  failed?(error: CallError): void;
}

interface Stream {
  readonly call: StreamName;
  readonly args: object;
  readonly listener: StreamListener<unknown>;
  ask: number;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: CallError): void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** The fleet is told at least every 15 s: a connection on which nothing comes for so long is a dead one. */
const SILENCE_MS = 45_000;
/** A page that nobody sees lets go after a while. */
const HIDDEN_MS = 60_000;
const TOKEN = 'token';

export class Connection {
  readonly #url: string;
  readonly #changed: (state: ConnectionState) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #streams = new Set<Stream>();
  #state: ConnectionState = { name: 'connecting' };
  #socket: WebSocket | undefined;
  #version: string | undefined;
  #next = 1;
  #pauseMs = FIRST_PAUSE_MS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #sleep: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, changed: (state: ConnectionState) => void) {
    this.#url = url;
    this.#changed = changed;
    document.addEventListener('visibilitychange', () => this.#seen(!document.hidden));
    addEventListener('online', () => this.#connectNow());
    this.#connect();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** @throws CallError; `offline` while there is no connection */
  call<C extends ControlCall>(call: C, args: ControlCalls[C]['args']): Promise<ControlCalls[C]['value']> {
    return this.#ask(call, args) as Promise<ControlCalls[C]['value']>;
  }

  /** Begins now or as soon as there is a connection, and again after each break, until the function that it returns is called. */
  stream<S extends StreamName>(
    call: S,
    args: Streams[S]['args'],
    listener: StreamListener<Streams[S]['item']>,
  ): () => void {
    const stream: Stream = { call, args, listener: listener as StreamListener<unknown>, ask: 0 };
    this.#streams.add(stream);
    this.#begin(stream);
    return () => {
      this.#streams.delete(stream);
      if (stream.ask > 0) this.#send({ stop: stream.ask });
    };
  }

  /** @throws CallError `wrong-token` */
  async unlock(token: string): Promise<void> {
    await this.#ask('unlock', { token });
    remember(() => sessionStorage, TOKEN, token);
    this.#unlocked();
  }

  /** Until the next `unlock`, nothing can be changed. */
  lock(): void {
    remember(() => sessionStorage, TOKEN, undefined);
    this.#socket?.close();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#change({ name: 'connecting' });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#listenForLife();
    socket.addEventListener('message', event => {
      if (socket === this.#socket) this.#take(String(event.data));
    });
    socket.addEventListener('close', () => {
      if (socket === this.#socket) this.#broken();
    });
  }

  #connectNow(): void {
    if (this.#state.name === 'waiting' && !document.hidden) this.#connect();
  }

  #seen(seen: boolean): void {
    clearTimeout(this.#sleep);
    if (seen) this.#connectNow();
    else this.#sleep = setTimeout(() => this.#socket?.close(), HIDDEN_MS);
  }

  #broken(): void {
    clearTimeout(this.#silence);
    this.#socket = undefined;
    for (const { reject } of this.#waiting.values()) reject(offline());
    this.#waiting.clear();
    for (const stream of this.#streams) stream.ask = 0;
    const pauseMs = this.#pauseMs * (0.75 + crypto.getRandomValues(new Uint8Array(1))[0] / 512);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#retry = setTimeout(() => this.#connectNow(), pauseMs);
    this.#change({ name: 'waiting', until: Date.now() + pauseMs });
  }

  #listenForLife(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#socket?.close(), SILENCE_MS);
  }

  #take(text: string): void {
    this.#listenForLife();
    const message = JSON.parse(text);
    if ('hello' in message) this.#greeted(message.hello);
    else if ('ok' in message) this.#answered(message);
    else {
      const stream = [...this.#streams].find(({ ask }) => ask === message.ask);
      if ('item' in message) stream?.listener.item(message.item);
      else if ('lost' in message) stream?.listener.lost?.(message.lost);
    }
  }

  #greeted(hello: Hello): void {
    // Another version of the gateway brings another page.
    if (this.#version !== undefined && this.#version !== hello.version) location.reload();
    this.#version = hello.version;
    this.#pauseMs = FIRST_PAUSE_MS;
    const token = hello.token ? remembered(() => sessionStorage, TOKEN) : undefined;
    const shown = hello.open === 'read';
    this.#change({ name: 'open', hello, unlocked: false, shown, trying: token !== undefined });
    if (token !== undefined)
      this.#ask('unlock', { token }).then(
        () => this.#unlocked(),
        ({ code }) => code === 'wrong-token' && this.lock(),
      );
    if (shown) for (const stream of this.#streams) this.#begin(stream);
  }

  #unlocked(): void {
    const state = this.#state;
    if (state.name !== 'open') return;
    this.#change({ ...state, unlocked: true, shown: true, trying: false });
    for (const stream of this.#streams) if (stream.ask === 0) this.#begin(stream);
  }

  #begin(stream: Stream): void {
    if (this.#state.name !== 'open' || !this.#state.shown) return;
    stream.listener.begins?.();
    stream.ask = this.#next;
    this.#ask(stream.call, stream.args).catch(error => {
      if (error.code !== 'offline') stream.listener.failed?.(error);
    });
  }

  #ask(call: string, args: object): Promise<unknown> {
    if (this.#state.name !== 'open') return Promise.reject(offline());
    const ask = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(ask, { resolve, reject });
      this.#send({ ask, call, ...args });
    });
  }

  #answered(answer: {
    ask: number;
    ok: boolean;
    value?: unknown;
    code?: string;
    message?: string;
    remedy?: string;
  }): void {
    const waiting = this.#waiting.get(answer.ask);
    this.#waiting.delete(answer.ask);
    if (answer.ok) waiting?.resolve(answer.value);
    else waiting?.reject(new CallError(answer.code ?? 'failed', answer.message ?? '', answer.remedy));
  }

  #send(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #change(state: ConnectionState): void {
    this.#state = state;
    this.#changed(state);
  }
}

const offline = () => new CallError('offline', 'there is no connection to the gateway');
