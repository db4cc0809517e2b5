/** Messages that are ready for the broker, handed out at a rate. */
import type { BrokerMessage, Clock, Timer } from '../../ports.js';
import { Pace } from '../pace.js';

/** A message on its way, with what to do once the broker has it. */
export interface Outgoing {
  readonly message: BrokerMessage;
  /** The broker may refuse it without harm to the readings. */
  readonly optional: boolean;
  readonly acknowledged: () => void;
}

/** Readings wait for room beyond so many. */
const MAX_READY = 32;

export class Outbox {
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #ready: () => void;
  #waiting: Outgoing[] = [];
  #room: (() => void) | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  /** @param ready there may be something for `next` */
  constructor(clock: Clock, perSecond: number, ready: () => void) {
    this.#clock = clock;
    this.#pace = new Pace(clock, perSecond);
    this.#ready = ready;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** The next message, when its time has come. */
  next(): Outgoing | undefined {
    if (this.#waiting.length === 0 || this.#stopped) return undefined;
    const pauseMs = this.#pace.take();
    if (pauseMs > 0) {
      this.#timer ??= this.#clock.after(pauseMs, () => {
        this.#timer = undefined;
        this.#ready();
      });
      return undefined;
    }
    const outgoing = this.#waiting.shift();
    if (this.#waiting.length < MAX_READY) this.#makeRoom();
    return outgoing;
  }

  add(outgoing: Outgoing): void {
    if (this.#stopped) return;
    this.#waiting.push(outgoing);
    this.#ready();
  }

  /** Resolves when there is room for more, or none will be needed. One call at a time. */
  room(): Promise<void> {
    if (this.#waiting.length < MAX_READY || this.#stopped) return Promise.resolve();
    return new Promise(resolve => {
      this.#room = resolve;
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#waiting = [];
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.();
    this.#room = undefined;
  }
}
