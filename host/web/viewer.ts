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

export interface ViewerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly handlers: ControlHandlers;
  readonly fleet: FleetFeed;
  /** Absent: nothing can be changed from the page. */
  readonly token?: TokenCheck;
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
    });
  }

  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    for (const id of [...this.#streams.keys()]) this.#stop(id);
    this.#ended(this);
  }

  /** In the order of the requests: what a `stop` names has begun by then. */
  async #answer(message: PageMessage): Promise<void> {
    if (message.call === 'stop') {
      this.#stop(message.stop);
      return;
    }
    const { id } = message;
    if (message.call === 'unlock') {
      await this.#unlock(id, message.token);
    } else if (message.call === 'fleet') {
      if (this.#may(id, 'read') && this.#room(id)) this.#watch(id);
    } else if ('fault' in message.request) {
      const { fault, message: text } = message.request;
      this.#refuse(id, fault, text);
    } else {
      await this.#control(id, message.request);
    }
  }

  async #control(id: number, request: ControlRequest): Promise<void> {
    const { handlers, log } = this.#ports;
    if (!this.#may(id, ACCESS[request.call])) return;
    if (ACCESS[request.call] === 'write') log.info('web-write', { call: request.call, peer: this.#peer });
    if (isStream(request.call)) {
      if (this.#room(id)) this.#open(id, request as StreamRequest);
      return;
    }
    const text = JSON.stringify({ id, ...(await perform(handlers, request, log)) });
    if (this.#closed) return;
    if (text.length > MAX_ANSWER_CHARS) this.#refuse(id, 'failed', 'the answer is too long');
    else this.#socket.send(text);
  }

  #open(id: number, request: StreamRequest): void {
    const socket = this.#socket;
    const to = new BoundedStream<unknown>(this.#ports.clock, {
      get pendingBytes() {
        return socket.pendingBytes;
      },
      send: message => this.#send({ id, ...message }),
    });
    const { answer, begin } = openStream(this.#ports.handlers, request, this.#ports.log);
    this.#send({ id, ...answer });
    if (begin === undefined) return;
    const stop = begin(to);
    this.#streams.set(id, () => {
      to.stop();
      stop();
    });
  }

  #watch(id: number): void {
    const socket = this.#socket;
    this.#send({ id, ok: true, value: { stream: 'fleet' } });
    const leave = this.#ports.fleet.join({
      get pendingBytes() {
        return socket.pendingBytes;
      },
      tell: json => socket.send(`{"id":${id},"item":${json}}`),
    });
    this.#streams.set(id, leave);
  }

  async #unlock(id: number, token: string): Promise<void> {
    const { token: check, clock, log } = this.#ports;
    if (check === undefined) {
      this.#refuse(id, 'no-token', 'this gateway has no token: set web.tokenFile in its configuration');
      return;
    }
    if (check.accepts(token)) {
      this.#unlocked = true;
      this.#timer?.cancel();
      log.info('web-unlocked', { peer: this.#peer });
      this.#send({ id, ok: true, value: {} });
      return;
    }
    this.#wrongTokens += 1;
    log.warn('web-token-wrong', { peer: this.#peer });
    await new Promise<void>(resolve => clock.after(WRONG_TOKEN_MS, resolve));
    this.#refuse(id, 'wrong-token', 'this is not the token of this gateway');
    if (this.#wrongTokens >= MAX_WRONG_TOKENS) this.#close('too many wrong tokens');
  }

  #may(id: number, access: 'read' | 'write'): boolean {
    if (this.#unlocked || (access === 'read' && this.#ports.hello.open === 'read')) return true;
    this.#refuse(
      id,
      'locked',
      `this needs the token${this.#ports.token ? '' : ', and this gateway has none'}`,
    );
    return false;
  }

  #room(id: number): boolean {
    if (this.#streams.size < MAX_STREAMS && !this.#streams.has(id)) return true;
    this.#refuse(id, 'bad-request', `expected at most ${MAX_STREAMS} streams, each with a number of its own`);
    return false;
  }

  #stop(id: number): void {
    const stop = this.#streams.get(id);
    this.#streams.delete(id);
    stop?.();
  }

  #refuse(id: number, code: string, message: string): void {
    this.#send({ id, ok: false, code, message });
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
