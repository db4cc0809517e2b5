import type { DeviceLimits } from './limits.js';
import type { Outbox } from './outbox.js';
import type { Random } from './ports.js';
import type { Digest, Hello, Mac } from './seal/index.js';
import {
  DownKind,
  equalBytes,
  FrameType,
  ID_BYTES,
  MessageReader,
  MessageWriter,
  NONCE_BYTES,
} from './seal/index.js';
import type { TimeSync } from './time-sync.js';

/** Before something that the wire had no room for is tried again. */
const BLOCKED_MS = 20;

/** What the gateway's authentic words lead to. Fields of the message are in the reader, during the call. */
export interface SessionHandler {
  /** Says what the device holds, and seals it under the present epoch. */
  hello(): Hello;
  readonly up: Mac;
  /** A new session is the current one from now on. */
  opened(nowMs: number): void;
  receipt(message: MessageReader, nowMs: number): void;
  refuse(message: MessageReader, nowMs: number): void;
  advance(message: MessageReader, nowMs: number): void;
  config(message: MessageReader): void;
}

/** Downlinks that were not obeyed, by why. */
export interface Ignored {
  malformed: number;
  /** For another device, or of no session that is open. */
  foreign: number;
  forged: number;
  /** Numbered no higher than one that came before. */
  replayed: number;
  /** Answers to time requests that came late, twice, or to none. */
  untimely: number;
}

class Nonces {
  readonly gateway = new Uint8Array(NONCE_BYTES);
  readonly device = new Uint8Array(NONCE_BYTES);
  open = false;
  counter = -1;
  /** What the hello said: the oldest reading held; nothing held is "from the next one on". */
  oldestEpoch = 0;
  oldestSeq = 0;
}

/**
 * The device's half of a session. A challenge is not authenticated, so it only makes a hello go out; the
 * session that the hello offers becomes the current one at the first authentic word that bears its nonces,
 * and until then the one before it stays.
 */
export class Session {
  readonly ignored: Ignored = { malformed: 0, foreign: 0, forged: 0, replayed: 0, untimely: 0 };
  readonly #id: Uint8Array;
  readonly #down: Mac;
  readonly #random: Random;
  readonly #outbox: Outbox;
  readonly #time: TimeSync;
  readonly #limits: DeviceLimits;
  readonly #handler: SessionHandler;
  readonly #writer = new MessageWriter();
  readonly #reader = new MessageReader();
  readonly #challenge = new Uint8Array(NONCE_BYTES);
  #current = new Nonces();
  #pending = new Nonces();
  #linked = false;
  #challenged = false;
  #helloAtMs = 0;
  #knockAtMs = 0;
  #knockGapMs = 0;
  #knocking = false;
  #lastKnockMs = Number.NEGATIVE_INFINITY;
  #timeAtMs = 0;

  constructor(
    id: Uint8Array,
    down: Uint8Array,
    ports: { digest: Digest; random: Random; outbox: Outbox; time: TimeSync },
    limits: DeviceLimits,
    handler: SessionHandler,
  ) {
    this.#id = id.slice();
    this.#down = ports.digest.hmac(down);
    this.#random = ports.random;
    this.#outbox = ports.outbox;
    this.#time = ports.time;
    this.#limits = limits;
    this.#handler = handler;
  }

  /** Whether the gateway has answered a hello on this link. */
  get open(): boolean {
    return this.#current.open;
  }

  /** Whether the current session's hello said that nothing before (epoch, seq) is held any more. */
  said(epoch: number, seq: number): boolean {
    const { oldestEpoch, oldestSeq } = this.#current;
    return oldestEpoch > epoch || (oldestEpoch === epoch && oldestSeq >= seq);
  }

  linkUp(nowMs: number): void {
    this.linkDown();
    this.#linked = true;
    this.#knockAtMs = nowMs;
    this.#knockGapMs = this.#limits.knockMs;
  }

  linkDown(): void {
    this.#linked = false;
    this.#current.open = false;
    this.#pending.open = false;
    this.#challenged = false;
    this.#knocking = false;
  }

  /** Asks for a new session beside the current one; at most one a second goes out. */
  knock(): void {
    this.#knocking = true;
  }

  /** Takes a frame that came down. */
  frame(type: number, buffer: Uint8Array, from: number, to: number, nowMs: number): void {
    if (!this.#linked) return;
    if (type === FrameType.down) this.#downlink(buffer, from, to, nowMs);
    else if (type === FrameType.challenge) {
      if (this.#reader.parseChallenge(buffer, from, to) !== '') {
        this.ignored.malformed++;
        return;
      }
      const at = this.#reader.gwNonceAt;
      for (let i = 0; i < NONCE_BYTES; i++) this.#challenge[i] = buffer[at + i];
      this.#challenged = true;
    }
  }

  /** Sends what is due. @returns ms until it wants to be asked again */
  poll(nowMs: number): number {
    if (!this.#linked) return Number.POSITIVE_INFINITY;
    let waitMs = Number.POSITIVE_INFINITY;
    if (this.#challenged) {
      // Whoever floods the link with challenges gets a bounded number of hellos.
      waitMs = this.#helloAtMs - nowMs;
      if (waitMs <= 0) waitMs = this.#sayHello(nowMs) ? Number.POSITIVE_INFINITY : BLOCKED_MS;
    }
    waitMs = Math.min(waitMs, this.#pollKnock(nowMs));
    if (this.#current.open) {
      if (nowMs >= this.#timeAtMs) this.#askTime(nowMs);
      waitMs = Math.min(waitMs, this.#timeAtMs - nowMs);
    }
    return Math.max(0, waitMs);
  }

  #pollKnock(nowMs: number): number {
    if (this.#current.open && !this.#knocking) return Number.POSITIVE_INFINITY;
    const dueMs = this.#knocking ? this.#lastKnockMs + this.#limits.againMs : this.#knockAtMs;
    if (nowMs < dueMs) return dueMs - nowMs;
    const length = this.#writer.knock(this.#id);
    const { start, buffer } = this.#writer;
    if (!this.#outbox.post(FrameType.knock, buffer, start, start + length)) return BLOCKED_MS;
    this.#lastKnockMs = nowMs;
    this.#knocking = false;
    this.#knockAtMs = nowMs + this.#knockGapMs;
    this.#knockGapMs = Math.min(2 * this.#knockGapMs, this.#limits.maxKnockMs);
    return this.#current.open ? Number.POSITIVE_INFINITY : this.#knockAtMs - nowMs;
  }

  #sayHello(nowMs: number): boolean {
    const pending = this.#pending;
    const again = pending.open && equalBytes(this.#challenge, 0, pending.gateway, 0, NONCE_BYTES);
    // A challenge said twice gets the same hello twice: its answer may be on the way already.
    if (!again) {
      pending.gateway.set(this.#challenge);
      this.#random.fill(pending.device);
      pending.counter = -1;
    }
    const hello = this.#handler.hello();
    const length = this.#writer.hello(this.#handler.up, this.#id, pending, hello);
    const { start, buffer } = this.#writer;
    pending.open = true;
    // Both may have been understood: what counts is what the first of them said.
    if (!again) {
      pending.oldestEpoch = hello.oldest?.epoch ?? hello.epoch;
      pending.oldestSeq = hello.oldest?.seq ?? hello.next;
    }
    if (!this.#outbox.post(FrameType.up, buffer, start, start + length)) return false;
    this.#challenged = false;
    this.#helloAtMs = nowMs + this.#limits.helloMs;
    return true;
  }

  #askTime(nowMs: number): void {
    this.#time.ask(nowMs);
    this.#timeAtMs = nowMs + this.#limits.timeRetryMs;
    const { epoch } = this.#handler.hello();
    const nonce = this.#time.nonce;
    const length = this.#writer.timeRequest(this.#handler.up, this.#id, this.#current, epoch, nonce);
    const { start, buffer } = this.#writer;
    this.#outbox.post(FrameType.up, buffer, start, start + length);
  }

  #downlink(buffer: Uint8Array, from: number, to: number, nowMs: number): void {
    const reader = this.#reader;
    if (reader.parseDown(buffer, from, to) !== '') {
      this.ignored.malformed++;
      return;
    }
    const session = this.#bears(this.#current) ? this.#current : this.#pending;
    if (!this.#bears(session) || !equalBytes(buffer, reader.idAt, this.#id, 0, ID_BYTES)) {
      this.ignored.foreign++;
      return;
    }
    if (!reader.verify(this.#down)) {
      this.ignored.forged++;
      return;
    }
    if (reader.counter <= session.counter) {
      this.ignored.replayed++;
      return;
    }
    session.counter = reader.counter;
    if (session === this.#pending) this.#promote(nowMs);
    this.#obey(nowMs);
  }

  #bears(session: Nonces): boolean {
    const { bytes, gwNonceAt, devNonceAt } = this.#reader;
    return (
      session.open &&
      equalBytes(bytes, gwNonceAt, session.gateway, 0, NONCE_BYTES) &&
      equalBytes(bytes, devNonceAt, session.device, 0, NONCE_BYTES)
    );
  }

  #promote(nowMs: number): void {
    const old = this.#current;
    this.#current = this.#pending;
    this.#pending = old;
    old.open = false;
    this.#knockGapMs = this.#limits.knockMs;
    this.#timeAtMs = nowMs;
    this.#handler.opened(nowMs);
  }

  #obey(nowMs: number): void {
    const reader = this.#reader;
    if (reader.kind === DownKind.receipt) this.#handler.receipt(reader, nowMs);
    else if (reader.kind === DownKind.refuse) this.#handler.refuse(reader, nowMs);
    else if (reader.kind === DownKind.advance) this.#handler.advance(reader, nowMs);
    else if (reader.kind === DownKind.config) this.#handler.config(reader);
    else if (reader.kind === DownKind.time) {
      if (this.#time.answer(reader.bytes, reader.requestNonceAt, reader.unixMs, nowMs)) {
        this.#timeAtMs = nowMs + this.#limits.timeMs;
      } else this.ignored.untimely++;
    }
  }
}
