/** Answers over the control socket. Whatever a client does costs at most its connection. */
import type { Clock, Link, LinkHandler, LinkSource, Log, Timer } from '../ports.js';
import { BoundedStream } from './bounded-stream.js';
import { type ControlAnswer, type ControlHandlers, isStream, type StreamRequest } from './calls.js';
import { openStream, perform } from './perform.js';
import {
  encodeMessage,
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  MessageDecoder,
  readRequest,
} from './protocol.js';

export interface ControlPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** `host/node/unix-socket.ts` on a real machine. */
  readonly source: LinkSource;
}

/** A request has to be there within this, and between two requests no more than this may pass. */
const IDLE_MS = 10_000;
/** Requests of one client that wait for their answers; more are not what a client of ours sends. */
const MAX_WAITING = 64;

/** Of the connections that the socket takes, some stay for those who ask. */
const MAX_STREAMS = 12;
const TOO_MANY_STREAMS: ControlAnswer = {
  ok: false,
  code: 'busy',
  message: `${MAX_STREAMS} others follow already`,
  remedy: 'end one of them: sovereign tail, sovereign log follow',
};
const AFTER_STREAM = 'a request after that for a stream';

export class ControlServer {
  readonly #ports: ControlPorts;
  readonly #handlers: ControlHandlers;
  readonly #clients = new Set<Client>();

  constructor(ports: ControlPorts, handlers: ControlHandlers) {
    this.#ports = ports;
    this.#handlers = handlers;
  }

  /** @throws Fault when the socket can't be made */
  start(): Promise<void> {
    return this.#ports.source.start(link => {
      const client = new Client(this.#ports, this.#handlers, link, {
        gone: () => this.#clients.delete(client),
        mayStream: () => this.#streams < MAX_STREAMS,
      });
      this.#clients.add(client);
      return client;
    });
  }

  get #streams(): number {
    return [...this.#clients].filter(({ streams }) => streams).length;
  }

  stop(): Promise<void> {
    for (const client of [...this.#clients]) client.close('the gateway stops');
    return this.#ports.source.stop();
  }
}

/** What one client has to do with the others. */
interface Others {
  gone(): void;
  mayStream(): boolean;
}

class Client implements LinkHandler {
  readonly #ports: ControlPorts;
  readonly #handlers: ControlHandlers;
  readonly #link: Link;
  readonly #others: Others;
  readonly #decoder = new MessageDecoder(MAX_REQUEST_BYTES, text => this.#request(text));
  #timer: Timer | undefined;
  #answering: Promise<void> = Promise.resolve();
  #waiting = 0;
  #stream: { readonly to: BoundedStream<unknown>; readonly stop: () => void } | undefined;
  #closed = false;

  constructor(ports: ControlPorts, handlers: ControlHandlers, link: Link, others: Others) {
    this.#ports = ports;
    this.#handlers = handlers;
    this.#link = link;
    this.#others = others;
    this.#expect();
  }

  /** Its connection has become a stream's. */
  get streams(): boolean {
    return this.#stream !== undefined;
  }

  data(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#stream !== undefined) {
      this.close(AFTER_STREAM);
      return;
    }
    // Bytes alone don't prolong the wait: an endless request ends too.
    if (!this.#decoder.push(bytes)) this.close('a length out of bounds');
  }

  closed(): void {
    this.#closed = true;
    this.#others.gone();
    this.#timer?.cancel();
    this.#stream?.to.stop();
    this.#stream?.stop();
    this.#stream = undefined;
  }

  #request(text: Uint8Array): void {
    this.#timer?.cancel();
    this.#waiting += 1;
    if (this.#waiting > MAX_WAITING) this.close('too many requests at once');
    else this.#answering = this.#answering.then(() => this.#answer(text));
  }

  async #answer(text: Uint8Array): Promise<void> {
    if (this.#closed) return;
    if (this.#stream !== undefined) {
      this.close(AFTER_STREAM);
      return;
    }
    const request = readRequest(text);
    if (!('fault' in request) && isStream(request.call)) {
      this.#begin(request as StreamRequest);
      return;
    }
    const answer = await perform(this.#handlers, request, this.#ports.log);
    let bytes = encodeMessage(answer);
    if (bytes.length > MAX_ANSWER_BYTES)
      bytes = encodeMessage({ ok: false, code: 'failed', message: 'the answer is too long' });
    if (this.#closed) return;
    this.#link.send(bytes);
    this.#waiting -= 1;
    // Between two answers of one client it is everybody else's turn: some take milliseconds.
    if (this.#waiting === 0) this.#expect();
    else await new Promise<void>(resolve => this.#ports.clock.after(0, resolve));
  }

  /** From here on the connection is the stream's. */
  #begin(request: StreamRequest): void {
    const link = this.#link;
    const to = new BoundedStream<unknown>(this.#ports.clock, {
      get pendingBytes() {
        return link.pendingBytes;
      },
      send: message => link.send(encodeMessage(message)),
    });
    const { answer, begin } = this.#others.mayStream()
      ? openStream(this.#handlers, request, this.#ports.log)
      : { answer: TOO_MANY_STREAMS };
    link.send(encodeMessage(answer));
    if (this.#closed) return; // by what it has left unread
    if (begin !== undefined) {
      this.#stream = { to, stop: begin(to) };
      return;
    }
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#expect();
  }

  #expect(): void {
    if (!this.#closed) this.#timer = this.#ports.clock.after(IDLE_MS, () => this.close('no request in time'));
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.closed();
    this.#ports.log.debug('control-closed', { reason });
    this.#link.close();
  }
}
