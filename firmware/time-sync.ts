import type { Random } from './ports.js';
import { equalBytes, MAX_SAFE, REQUEST_NONCE_BYTES } from './seal/index.js';

/**
 * The wall clock of a device: uptime plus an offset that the gateway's word gives. An answer counts only for
 * the one request that is open, and only soon after it: a delayed one would set the clock back by its delay.
 */
export class TimeSync {
  /** Of the open request: 8 bytes. */
  readonly nonce = new Uint8Array(REQUEST_NONCE_BYTES);
  readonly #random: Random;
  readonly #answerMs: number;
  #askedMs = -1;
  #offsetMs = 0;
  #synchronised = false;

  /** @param answerMs how long after a request its answer counts */
  constructor(random: Random, answerMs: number) {
    this.#random = random;
    this.#answerMs = answerMs;
  }

  /** Unix time in ms, -1 while nobody has told it. */
  unixMs(nowMs: number): number {
    return this.#synchronised ? nowMs + this.#offsetMs : -1;
  }

  /** Opens a request with a new nonce; the one before it is forgotten. */
  ask(nowMs: number): void {
    this.#random.fill(this.nonce);
    this.#askedMs = nowMs;
  }

  /** An authentic answer with its nonce at `bytes[at …]`. @returns whether the clock was set by it */
  answer(bytes: Uint8Array, at: number, unixMs: number, nowMs: number): boolean {
    const askedMs = this.#askedMs;
    if (askedMs < 0 || !equalBytes(bytes, at, this.nonce, 0, REQUEST_NONCE_BYTES)) return false;
    this.#askedMs = -1;
    const tookMs = nowMs - askedMs;
    if (tookMs > this.#answerMs || unixMs > MAX_SAFE - 2 ** 50) return false;
    // The gateway read its clock at some moment between request and answer: the middle errs least.
    const offsetMs = unixMs + Math.floor(tookMs / 2) - nowMs;
    if (offsetMs < 0) return false;
    this.#offsetMs = offsetMs;
    this.#synchronised = true;
    return true;
  }
}
