/** Talking to one board over its cable: a question, its answer, and asking again. */
import {
  type BoardAnswer,
  decodeBoard,
  decodeProvisioned,
  encodeProvision,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  type Provision,
  type Provisioned,
  ProvisioningType,
} from '../../../firmware/seal/index.js';
import type { Clock, Link, LinkHandler, Timer } from '../../ports.js';

export interface TalkTimes {
  /** Opening the port resets some boards, which then print a boot log and start; they are asked for so long. */
  readonly whoMs: number;
  readonly askEveryMs: number;
  /** Taking keys erases and writes flash. */
  readonly provisionMs: number;
}

export const TALK_TIMES: TalkTimes = { whoMs: 8_000, askEveryMs: 300, provisionMs: 5_000 };

/** Why there is no answer: the board was silent, or the port has gone. */
export type Silence = { readonly silent: string };

export class BoardTalk implements LinkHandler {
  /** Anything at all that came: tells a board with something else on it from a dead cable. */
  receivedBytes = 0;
  /** Frames of a device at work, which is no board that answers here. */
  deviceFrames = 0;
  readonly #clock: Clock;
  readonly #times: TalkTimes;
  readonly #encoder = new FrameEncoder();
  readonly #decoder: FrameDecoder;
  #link: Link | undefined;
  #gone = '';
  #wanted: ((type: number, body: Uint8Array) => void) | undefined;
  #lost: (() => void) | undefined;

  constructor(clock: Clock, times: TalkTimes = TALK_TIMES) {
    this.#clock = clock;
    this.#times = times;
    this.#decoder = new FrameDecoder((type, buffer, from, to) => {
      if (type <= FrameType.down) this.deviceFrames++;
      this.#wanted?.(type, buffer.slice(from, to));
    });
  }

  /** Takes a link; the first zero ends whatever the board has taken for the beginning of a frame. */
  begin(link: Link): LinkHandler {
    this.#link = link;
    link.send(Uint8Array.of(0));
    return this;
  }

  data(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    this.#decoder.push(bytes);
  }

  closed(reason: string): void {
    this.#gone = reason;
    this.#lost?.();
  }

  /** Asks who is there, until somebody says so. */
  who(withinMs = this.#times.whoMs): Promise<BoardAnswer | Silence> {
    return this.#ask(
      ProvisioningType.who,
      new Uint8Array(0),
      withinMs,
      this.#times.askEveryMs,
      (type, body) => (type === ProvisioningType.board ? decodeBoard(body) : undefined),
    );
  }

  /** Sends keys and settings once: a lost answer is found out by asking who is there. */
  provision(provision: Provision): Promise<Provisioned | Silence> {
    const { provisionMs } = this.#times;
    const body = encodeProvision(provision);
    const answer = this.#ask(ProvisioningType.provision, body, provisionMs, provisionMs, (type, bytes) =>
      type === ProvisioningType.provisioned ? decodeProvisioned(bytes) : undefined,
    );
    return answer.finally(() => body.fill(0));
  }

  close(): void {
    this.#link?.close();
  }

  #ask<T>(
    type: number,
    body: Uint8Array,
    withinMs: number,
    everyMs: number,
    read: (type: number, body: Uint8Array) => T | undefined,
  ): Promise<T | Silence> {
    return new Promise(resolve => {
      let timer: Timer | undefined;
      const finish = (answer: T | Silence) => {
        timer?.cancel();
        this.#wanted = undefined;
        this.#lost = undefined;
        resolve(answer);
      };
      this.#lost = () => finish({ silent: this.#gone });
      this.#wanted = (got, bytes) => {
        const answer = read(got, bytes);
        if (answer !== undefined) finish(answer);
      };
      const endMs = this.#clock.monotonic() + withinMs;
      const say = () => {
        if (this.#gone !== '') return finish({ silent: this.#gone });
        if (this.#clock.monotonic() >= endMs) return finish({ silent: 'no answer' });
        const length = this.#encoder.encode(type, body);
        this.#link?.send(this.#encoder.buffer.slice(0, length));
        this.#encoder.buffer.fill(0, 0, length);
        timer = this.#clock.after(Math.min(everyMs, withinMs), say);
        return undefined;
      };
      say();
    });
  }
}
