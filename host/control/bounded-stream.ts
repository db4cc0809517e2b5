/**
 * One stream to one reader, who may be slow: what he can't take is left out, counted, and told to him. Nobody waits for him.
 */
import type { Clock, Timer } from '../ports.js';
import type { StreamMessage, StreamSink } from './calls.js';

/** The way to a reader: a socket, a WebSocket. */
export interface StreamPort {
  /** Unsent bytes. */
  readonly pendingBytes: number;
  send(message: StreamMessage): void;
}

/** More than this unsent: the reader is slow. */
const MAX_PENDING_BYTES = 256 * 1024;
/** What people, and pages, can follow; `sovereign subscribe` is for those who want all. */
const MAX_ITEMS_PER_SECOND = 2000;
const TELL_MS = 1000;

export class BoundedStream<T> implements StreamSink<T> {
  readonly #clock: Clock;
  readonly #port: StreamPort;
  #lost = 0;
  #secondMs = Number.NEGATIVE_INFINITY;
  #itemsOfSecond = 0;
  #timer: Timer | undefined;
  #ended = false;

  constructor(clock: Clock, port: StreamPort) {
    this.#clock = clock;
    this.#port = port;
  }

  offer(make: () => T | undefined): void {
    if (this.#ended) return;
    if (!this.#room()) {
      this.#lost += 1;
      this.#timer ??= this.#clock.after(TELL_MS, () => this.#tellLater());
      return;
    }
    const item = make();
    this.#tell();
    if (item !== undefined) this.#port.send({ item });
  }

  /** The reader has gone. */
  stop(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #room(): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#secondMs >= 1000) {
      this.#secondMs = now;
      this.#itemsOfSecond = 0;
    }
    if (this.#itemsOfSecond >= MAX_ITEMS_PER_SECOND || this.#port.pendingBytes > MAX_PENDING_BYTES)
      return false;
    this.#itemsOfSecond += 1;
    return true;
  }

  /** What was lost is told where it is missing. */
  #tell(): void {
    if (this.#lost === 0) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#port.send({ lost });
  }

  /** Nothing may come for long that the news could go before. */
  #tellLater(): void {
    this.#timer = undefined;
    if (this.#port.pendingBytes <= MAX_PENDING_BYTES) this.#tell();
    else this.#timer = this.#clock.after(TELL_MS, () => this.#tellLater());
  }
}
