/** One connection of a sovereign-sdk sensor: cuts the stream into lines, with back-pressure while the journal is busy. */
import type { Clock, Link, LinkHandler, Timer } from '../ports.js';
import type { Counters } from './counters.js';
import { MAX_SDK_LINE_BYTES } from './sdk-frame.js';
import type { SdkIntake } from './sdk-intake.js';

const LF = 0x0a;
const RETRY_MS = 100;

export class SdkLink implements LinkHandler {
  readonly link: Link;
  readonly openedAt: number;
  lines = 0;
  /** Bytes of lines that were longer than a frame may be. */
  oversizedBytes = 0;
  readonly #clock: Clock;
  readonly #intake: SdkIntake;
  readonly #counters: Counters;
  readonly #authentic: (link: SdkLink) => void;
  readonly #ended: (link: SdkLink) => void;
  /** The beginning of a line whose end has not come. */
  readonly #partial = new Uint8Array(MAX_SDK_LINE_BYTES);
  #partialBytes = 0;
  #skipping = false;
  /** Bytes that wait for the journal. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #retry: Timer | undefined;
  /** The connection is gone; what has come of it may still wait. */
  #gone = false;
  #finished = false;

  constructor(
    clock: Clock,
    link: Link,
    intake: SdkIntake,
    counters: Counters,
    authentic: (link: SdkLink) => void,
    ended: (link: SdkLink) => void,
  ) {
    this.#clock = clock;
    this.link = link;
    this.#intake = intake;
    this.#counters = counters;
    this.#authentic = authentic;
    this.#ended = ended;
    this.openedAt = clock.now();
  }

  data(bytes: Uint8Array): void {
    if (this.#gone) return;
    if (this.#retry !== undefined) {
      this.#hold(bytes);
      return;
    }
    const done = this.#lines(bytes);
    if (done < bytes.length) this.#wait(bytes.subarray(done));
  }

  /** What has come is still taken when the sender has gone: it sends it only once. */
  closed(): void {
    this.#gone = true;
    if (this.#retry === undefined) this.#finish();
  }

  /** Gives up what waits. */
  stop(): void {
    this.#gone = true;
    this.#finish();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#intake.release(this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    this.#ended(this);
  }

  /** Takes whole lines; returns where the first begins that the journal did not take, else the length. */
  #lines(bytes: Uint8Array): number {
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LF, from);
      if (end < 0) {
        this.#begin(bytes, from);
        return bytes.length;
      }
      if (!this.#line(bytes, from, end)) return from;
      from = end + 1;
    }
  }

  /** The line that ends at `end`; false when it must be given again, with what of it is kept already. */
  #line(bytes: Uint8Array, from: number, end: number): boolean {
    if (this.#skipping || this.#partialBytes + end - from > MAX_SDK_LINE_BYTES) {
      this.oversizedBytes += end - from + this.#partialBytes;
      this.#counters.add('sdk:oversized');
      this.#skipping = false;
      this.#partialBytes = 0;
      return true;
    }
    if (this.#partialBytes === 0) return this.#take(bytes, from, end);
    this.#partial.set(bytes.subarray(from, end), this.#partialBytes);
    const taken = this.#take(this.#partial, 0, this.#partialBytes + end - from);
    if (taken) this.#partialBytes = 0;
    return taken;
  }

  #take(bytes: Uint8Array, from: number, to: number): boolean {
    if (from === to) return true; // an empty line says nothing
    const outcome = this.#intake.take(bytes, from, to, this.link.name);
    if (outcome === 'busy') return false;
    this.lines++;
    if (outcome === 'authentic') this.#authentic(this);
    return true;
  }

  #begin(bytes: Uint8Array, from: number): void {
    const size = bytes.length - from;
    if (size === 0) return;
    if (this.#skipping || this.#partialBytes + size > MAX_SDK_LINE_BYTES) {
      this.oversizedBytes += size + this.#partialBytes;
      this.#partialBytes = 0;
      this.#skipping = true;
      return;
    }
    this.#partial.set(bytes.subarray(from), this.#partialBytes);
    this.#partialBytes += size;
  }

  /** The sender will not send this again, so it is held, and the sender slowed down, until the journal takes it. */
  #wait(rest: Uint8Array): void {
    this.link.pause();
    this.#hold(rest);
    this.#retry = this.#clock.after(RETRY_MS, () => this.#again());
  }

  #hold(bytes: Uint8Array): void {
    if (!this.#intake.reserve(bytes.length)) {
      this.#counters.add('sdk:held-overflow');
      this.link.close();
      return;
    }
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
  }

  #again(): void {
    this.#retry = undefined;
    const bytes = Buffer.concat(this.#held);
    this.#intake.release(this.#heldBytes);
    this.#held = [];
    this.#heldBytes = 0;
    const done = this.#lines(bytes);
    if (done < bytes.length) this.#wait(bytes.subarray(done));
    else if (this.#gone) this.#finish();
    else this.link.resume();
  }
}
