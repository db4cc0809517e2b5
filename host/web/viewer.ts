/** One page that is open somewhere, over its WebSocket. Whatever it sends costs at most its connection. */
import { BoundedStream } from '../control/bounded-stream.js';
import {
  ACCESS,
  type ControlHandlers,
  type ControlRequest,
  isStream,
  type StreamRequest,
} from '../control/calls.js';
import { openStream, perform } from '../control/perform.js';
import type { Clock, Log, Timer } from '../ports.js';
import type { FleetFeed } from './fleet.js';
import type { TokenCheck } from './guard.js';
import { type Hello, type PageMessage, readMessage } from './messages.js';
import type { MessageHandler, MessageSocket } from './ports.js';
import type { SparseWarning } from './sparse-warning.js';

export interface ViewerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: ControlHandlers;
  readonly fleet: FleetFeed;
  /** Absent: nothing can be changed from the page. */
  readonly token?: TokenCheck;
  /** Of all pages. */
  readonly wrongToken: SparseWarning;
  readonly hello: Hello;
}

const MAX_WAITING = 64;
const MAX_STREAMS = 8;
/** The longest answer: a page of readings, or all devices. */
const MAX_ANSWER_CHARS = 4 * 1024 * 1024;
/** Guessing takes time, and ends soon. */
const WRONG_TOKEN_MS = 1000;
const MAX_WRONG_TOKENS = 5;
/** Without a token where one is needed to see anything, a page may stay this long. */
const LOCKED_MS = 60_000;

/** RFC 6455, section 7.4.1: breaks the rules of this protocol. */
const POLICY = 1008;

export class Viewer implements MessageHandler {
  readonly #ports: ViewerPorts;
  readonly #socket: MessageSocket;
  readonly #peer: string;
  readonly #ended: (viewer: Viewer) => void;
  readonly #streams = new Map<number, () => void>();
  #answering: Promise<void> = Promise.resolve();
  #waiting = 0;
  #unlocked = false;
  #wrongTokens = 0;
  #timer: Timer | undefined;
  #closed = false;

  constructor(ports: ViewerPorts, socket: MessageSocket, peer: string, ended: (viewer: Viewer) => void) {
    this.#ports = ports;
    this.#socket = socket;
    this.#peer = peer;
    this.#ended = ended;
    this.#send({ hello: ports.hello });
    if (this.locked) this.#timer = ports.clock.after(LOCKED_MS, () => this.#close('no token in time'));
  }

  /** Whether it may see nothing yet. */
  get locked(): boolean {
    return this.#ports.hello.open === 'nothing' && !this.#unlocked;
  }

  /** For another page that has come for the same place. */
  giveWay(): void {
    this.#close('too many pages wait for a token');
  }

  message(text: string): void {
    if (this.#closed) return;
    const message = readMessage(text);
    if (message === undefined) {
      this.#close('not a message of this version');
      return;
    }
    this.#waiting += 1;
    if (this.#waiting > MAX_WAITING) {
      this.#close('too many requests at once');
      return;
    }
    this.#answering = this.#answering.then(async () => {
      if (!this.#closed) await this.#answer(message);
      this.#waiting -= 1;
      // Between two answers to one page it is everybody else's turn: some take milliseconds.
      if (this.#waiting > 0) await new Promise<void>(resolve => this.#ports.clock.after(0, resolve));
    });
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const ask of [...this.#streams.keys()]) this.#stop(ask);
    this.#ended(this);
  }

  /** In the order of the requests: what a `stop` names has begun by then. */
  async #answer(message: PageMessage): Promise<void> {
    if (message.call === 'stop') {
      this.#stop(message.stop);
      return;
    }
    const { ask } = message;
    if (message.call === 'unlock') {
      await this.#unlock(ask, message.token);
    } else if (message.call === 'fleet') {
      if (this.#may(ask, 'read') && this.#room(ask)) this.#watch(ask);
    } else if ('fault' in message.request) {
      const { fault, message: text } = message.request;
      this.#refuse(ask, fault, text);
    } else {
      await this.#control(ask, message.request);
    }
  }

  async #control(ask: number, request: ControlRequest): Promise<void> {
    const { handlers, log } = this.#ports;
    if (!this.#may(ask, ACCESS[request.call])) return;
    if (isStream(request.call)) {
      if (this.#room(ask)) this.#open(ask, request as StreamRequest);
      return;
    }
    const text = JSON.stringify({ ask, ...(await perform(handlers, request, log, this.#peer)) });
    if (this.#closed) return;
    if (text.length > MAX_ANSWER_CHARS) this.#refuse(ask, 'failed', 'the answer is too long');
    else this.#socket.send(text);
  }

  #open(ask: number, request: StreamRequest): void {
    const socket = this.#socket;
    const to = new BoundedStream<unknown>(this.#ports.clock, {
      get pendingBytes() {
        return socket.pendingBytes;
      },
      send: message => this.#send({ ask, ...message }),
    });
    const { answer, begin } = openStream(this.#ports.handlers, request, this.#ports.log);
    this.#send({ ask, ...answer });
    if (begin === undefined || this.#closed) return; // closed by what it has left unread
    const stop = begin(to);
    this.#streams.set(ask, () => {
      to.stop();
      stop();
    });
  }

  #watch(ask: number): void {
    const socket = this.#socket;
    this.#send({ ask, ok: true, value: { stream: 'fleet' } });
    if (this.#closed) return;
    const leave = this.#ports.fleet.join({
      get pendingBytes() {
        return socket.pendingBytes;
      },
      tell: json => socket.send(`{"ask":${ask},"item":${json}}`),
    });
    this.#streams.set(ask, leave);
  }

  async #unlock(ask: number, token: string): Promise<void> {
    const { token: check, wrongToken, clock, log } = this.#ports;
    if (check === undefined) {
      this.#refuse(ask, 'no-token', 'this gateway has no token: set web.tokenFile in its configuration');
      return;
    }
    if (check.accepts(token)) {
      this.#unlocked = true;
      this.#timer?.cancel();
      log.info('web-unlocked', { peer: this.#peer });
      this.#send({ ask, ok: true, value: {} });
      return;
    }
    this.#wrongTokens += 1;
    wrongToken.tell({ peer: this.#peer });
    await new Promise<void>(resolve => clock.after(WRONG_TOKEN_MS, resolve));
    this.#refuse(ask, 'wrong-token', 'this is not the token of this gateway');
    if (this.#wrongTokens >= MAX_WRONG_TOKENS) this.#close('too many wrong tokens');
  }

  #may(ask: number, access: 'read' | 'write'): boolean {
    if (this.#unlocked || (access === 'read' && this.#ports.hello.open === 'read')) return true;
    this.#refuse(
      ask,
      'locked',
      `this needs the token${this.#ports.token ? '' : ', and this gateway has none'}`,
    );
    return false;
  }

  #room(ask: number): boolean {
    if (this.#streams.size < MAX_STREAMS && !this.#streams.has(ask)) return true;
    this.#refuse(
      ask,
      'bad-request',
      `expected at most ${MAX_STREAMS} streams, each with a number of its own`,
    );
    return false;
  }

  #stop(ask: number): void {
    const stop = this.#streams.get(ask);
    this.#streams.delete(ask);
    stop?.();
  }

  #refuse(ask: number, code: string, message: string): void {
    this.#send({ ask, ok: false, code, message });
  }

  #send(value: unknown): void {
    if (!this.#closed) this.#socket.send(JSON.stringify(value));
  }

  #close(reason: string): void {
    if (this.#closed) return;
    this.#ports.log.debug('web-closed', { peer: this.#peer, reason });
    this.closed();
    this.#socket.close(POLICY, reason);
  }
}
