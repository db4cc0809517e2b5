/** Asks a running gateway. */
import { Fault } from '../fault.js';
import type { Clock, Link, LinkHandler, Timer } from '../ports.js';
import {
  type CallRequest,
  type ControlAnswer,
  type ControlCall,
  type ControlCalls,
  type ControlRequest,
  type ControlStream,
  type ControlStreams,
  isStream,
  type StreamMessage,
  type StreamRequest,
} from './calls.js';
import {
  encodeMessage,
  MAX_ANSWER_BYTES,
  MessageDecoder,
  readAnswer,
  readStreamMessage,
} from './protocol.js';

/** Opens the socket at a path; rejects with the system's error. */
export type Connect = (path: string, handler: (link: Link) => LinkHandler) => Promise<void>;

const ANSWER_MS = 10_000;

export interface ClientPorts {
  readonly clock: Clock;
  readonly connect: Connect;
}

/**
 * One call, on a connection of its own.
 * @throws Fault `gateway-absent` when nobody listens there, `gateway-silent`, or what the gateway says
 */
export async function callGateway<C extends ControlCall>(
  ports: ClientPorts,
  path: string,
  call: C,
  args: ControlCalls[C]['args'],
): Promise<ControlCalls[C]['value']> {
  const value = await new Promise<unknown>((resolve, reject) => {
    const conversation = new Conversation(ports, path, { call, args } as CallRequest, {
      answered: resolve,
      more() {},
      ended: reject,
    });
    conversation.begin();
  });
  return value as ControlCalls[C]['value'];
}

/** What comes of a stream. While a promise that `item` gave is pending nothing is read, and the gateway leaves out what waits too long. */
export interface StreamReader<T> {
  item(value: T): Promise<void>;
  /** So many were left out here. */
  lost(count: number): Promise<void>;
}

/**
 * Follows a stream until `stopped` resolves.
 * @throws Fault as `callGateway`; `gateway-silent` too when the gateway goes; what the reader throws
 */
export async function followGateway<S extends ControlStream>(
  ports: ClientPorts,
  path: string,
  stream: S,
  args: ControlStreams[S]['args'],
  reader: StreamReader<ControlStreams[S]['item']>,
  stopped: Promise<void>,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let handled: Promise<void> = Promise.resolve();
    let waiting = 0;
    const conversation = new Conversation(ports, path, { call: stream, args } as StreamRequest, {
      answered() {},
      more(message) {
        waiting += 1;
        if (waiting === 1) conversation.pause();
        handled = handled
          .then(() => ('lost' in message ? reader.lost(message.lost) : reader.item(message.item as never)))
          .then(
            () => {
              waiting -= 1;
              if (waiting === 0) conversation.resume();
            },
            error => conversation.fail(error),
          );
      },
      ended: reject,
    });
    conversation.begin();
    void stopped.then(() => {
      conversation.close();
      resolve();
    });
  });
}

interface ConversationEvents {
  answered(value: unknown): void;
  more(message: StreamMessage): void;
  ended(error: unknown): void;
}

/** One connection with one request. */
class Conversation {
  readonly #ports: ClientPorts;
  readonly #path: string;
  readonly #request: ControlRequest;
  readonly #events: ConversationEvents;
  readonly #decoder = new MessageDecoder(MAX_ANSWER_BYTES, text => this.#message(text));
  readonly #timer: Timer;
  #link: Link | undefined;
  #answered = false;
  #over = false;

  constructor(ports: ClientPorts, path: string, request: ControlRequest, events: ConversationEvents) {
    this.#ports = ports;
    this.#path = path;
    this.#request = request;
    this.#events = events;
    this.#timer = ports.clock.after(ANSWER_MS, () => this.#silent(`no answer within ${ANSWER_MS / 1000} s`));
  }

  begin(): void {
    this.#ports
      .connect(this.#path, link => {
        this.#link = link;
        if (this.#over) link.close();
        else link.send(encodeMessage(this.#request));
        return {
          data: bytes =>
            void (this.#decoder.push(bytes) || this.#silent('the answer has a length out of bounds')),
          closed: reason => this.#silent(`the gateway closed the connection: ${reason}`),
        };
      })
      .catch(error => this.fail(error));
  }

  pause(): void {
    this.#link?.pause();
  }

  resume(): void {
    this.#link?.resume();
  }

  close(): void {
    this.#over = true;
    this.#timer.cancel();
    this.#link?.close();
  }

  fail(error: unknown): void {
    if (this.#over) return;
    this.close();
    this.#events.ended(error);
  }

  #silent(message: string): void {
    this.fail(new Fault('gateway-silent', `${this.#path}: ${message}`, 'look at the log of the gateway'));
  }

  #message(text: Uint8Array): void {
    if (this.#over) return;
    if (this.#answered) {
      const message = readStreamMessage(text);
      if (message === undefined) this.#silent('what comes is not of this version');
      else this.#events.more(message);
      return;
    }
    const answer = readAnswer(text);
    if (answer === undefined) this.#silent('the answer is not one of this version');
    else if (!answer.ok) this.fail(faultOf(answer));
    else {
      this.#answered = true;
      this.#timer.cancel();
      if (!isStream(this.#request.call)) this.close();
      this.#events.answered(answer.value);
    }
  }
}

/** What the gateway knows a code for is told as it says it. */
function faultOf({ code, message, remedy = '' }: Extract<ControlAnswer, { ok: false }>): Fault {
  return code === 'failed'
    ? new Fault('gateway-failed', `the gateway says: ${message}`, remedy)
    : new Fault(code, message, remedy);
}
