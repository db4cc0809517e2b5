import type { Random, Rtc } from './ports.js';
import { equalBytes, MAX_SAFE, REQUEST_NONCE_BYTES } from './seal/index.js';

/** What lies outside of these is no time that a working clock shows: 2025-01-01 and 2100-01-01. */
const MIN_RTC_MS = 1_735_689_600_000;
const MAX_RTC_MS = 4_102_444_800_000;

/**
 * The wall clock of a device: uptime plus an offset that the gateway's word gives, or before that a clock chip,
 * which the gateway's word then sets. An answer counts only for
 * the one request that is open, and only soon after it: a delayed one would set the clock back by its delay.
 */
export class TimeSync {
  /** Of the open request: 8 bytes. */
  readonly nonce = new Uint8Array(REQUEST_NONCE_BYTES);
  readonly #random: Random;
  readonly #answerMs: number;
  readonly #rtc: Rtc | undefined;
  #askedMs = -1;
  #offsetMs = 0;
  #synchronised = false;

  /** @param answerMs how long after a request its answer counts */
  constructor(random: Random, answerMs: number, rtc?: Rtc) {
    this.#random = random;
    this.#answerMs = answerMs;
    this.#rtc = rtc;
  }

  /** At the start: takes the time from the clock chip, if there is one and it shows one. */
  start(nowMs: number): void {
    const unixMs = this.#rtc?.read() ?? -1;
    if (this.#synchronised || !(unixMs >= MIN_RTC_MS && unixMs <= MAX_RTC_MS)) return;
    this.#offsetMs = Math.floor(unixMs) - nowMs;
    this.#synchronised = true;
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
    this.#rtc?.set(nowMs + offsetMs);
    return true;
  }
}
