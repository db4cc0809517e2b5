/**
 * One link: frames in, challenges and the session's messages out.
 *
 * A device may speak once it has answered a challenge of this very link with an authentic hello; until then,
 * what it sends is neither stored nor receipted. A link speaks for one device at a time, a device over one
 * link at a time: its newest.
 */
import {
  equalBytes,
  FrameDecoder,
  FrameType,
  fromUtf8,
  type Mac,
  NONCE_BYTES,
  REQUEST_NONCE_BYTES,
  type SessionNonces,
  UpKind,
} from '../../firmware/seal/index.js';
import type { DerivationBudget } from '../keyring/budget.js';
import type { KeyringEntry } from '../keyring/entry.js';
import type { Link, LinkHandler, Timer } from '../ports.js';
import type { Device, HelloFacts } from './devices.js';
import { type GateReason, sameId } from './gate.js';
import { Nonces } from './nonces.js';
import type { Session, SessionLink } from './session.js';
import { SessionReadings } from './session-readings.js';
import type { Shared } from './shared.js';

const FIRST_CHALLENGE_MS = 1_000;
const LAST_CHALLENGE_MS = 5_000;
/** Whoever knocks, or sends readings without a session, is challenged no faster. */
const CHALLENGE_INTERVAL_MS = 200;
/** Time requests cost a MAC each. */
const TIME_INTERVAL_MS = 100;

export class LinkSession implements LinkHandler, SessionLink {
  readonly link: Link;
  session: Session | undefined;
  readonly openedAt: number;
  readonly #shared: Shared;
  readonly #ended: (link: LinkSession) => void;
  readonly #opened: (link: LinkSession) => void;
  readonly #nonces: Nonces;
  readonly #decoder: FrameDecoder;
  readonly #readings: SessionReadings;
  readonly #helloBudget: DerivationBudget;
  #challengedMs = Number.NEGATIVE_INFINITY;
  #challengeMs = FIRST_CHALLENGE_MS;
  #timer: Timer | undefined;
  #closed = false;
  #toldTooFar = false;

  /** `opened`: a hello was authentic. `ended`: the session is over, or the link; each may come more than once. */
  constructor(
    shared: Shared,
    link: Link,
    opened: (link: LinkSession) => void,
    ended: (link: LinkSession) => void,
  ) {
    this.#shared = shared;
    this.link = link;
    this.#opened = opened;
    this.#ended = ended;
    this.openedAt = shared.clock.now();
    this.#nonces = new Nonces(shared.random);
    this.#helloBudget = shared.helloBudget();
    this.#readings = new SessionReadings(shared, this, shared.readingBudget());
    this.#decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get decoder(): Readonly<Pick<FrameDecoder, 'frames' | 'noiseBytes' | 'noiseFrames' | 'oversized'>> {
    return this.#decoder;
  }

  /** Begins to challenge. */
  start(): void {
    this.link.send(Uint8Array.of(0)); // ends whatever the device has taken for the beginning of a frame
    this.#challengeAgain();
  }

  data(bytes: Uint8Array): void {
    if (!this.#closed) this.#decoder.push(bytes);
  }

  closed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    this.#shared.log.info('link-closed', { link: this.link.name, reason, device: this.session?.device.id });
    this.endSession();
  }

  /** The session is over; the link stays, and the device may open another. */
  endSession(): void {
    const { session } = this;
    this.session = undefined;
    if (session !== undefined && session.device.speaker === session) session.device.speaker = undefined;
    this.#ended(this);
  }

  challenge(): void {
    const now = this.#shared.clock.monotonic();
    if (this.#closed || now - this.#challengedMs < CHALLENGE_INTERVAL_MS) return;
    this.#challengedMs = now;
    this.#shared.down.challenge(this.link, this.#nonces.challenge(now));
  }

  refuse(reason: GateReason, bytes: Uint8Array, from: number, to: number): void {
    const { gate, counters, quarantine } = this.#shared;
    counters.add(`refused:${reason}`);
    const detail = reason === 'malformed' || reason === 'version' ? gate.detail : '';
    const suspect = { reason, device: gate.entry?.id, detail, link: this.link.name, authentic: false };
    quarantine.add(suspect, bytes, from, to);
  }

  #challengeAgain(): void {
    if (this.#closed || this.session !== undefined) return;
    this.challenge();
    this.#timer = this.#shared.clock.after(this.#challengeMs, () => this.#challengeAgain());
    this.#challengeMs = Math.min(2 * this.#challengeMs, LAST_CHALLENGE_MS);
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (this.#closed) return; // an earlier frame of the same chunk ended the link
    switch (type) {
      case FrameType.reading:
        this.#readings.take(buffer, from, to);
        return;
      case FrameType.up:
        this.#up(buffer, from, to);
        return;
      case FrameType.knock:
        this.#knock(buffer, from, to);
        return;
      default:
        this.#shared.gate.entry = undefined;
        this.refuse('frame-type', buffer, from, to);
    }
  }

  #knock(buffer: Uint8Array, from: number, to: number): void {
    const { gate, counters } = this.#shared;
    gate.entry = undefined;
    gate.detail = gate.message.parseKnock(buffer, from, to);
    if (gate.detail !== '') {
      this.refuse(gate.detail === 'version' ? 'version' : 'malformed', buffer, from, to);
      return;
    }
    counters.add('knocks');
    this.challenge();
  }

  #up(buffer: Uint8Array, from: number, to: number): void {
    const { gate } = this.#shared;
    const reason = gate.upForm(buffer, from, to);
    if (reason !== '') this.refuse(reason, buffer, from, to);
    else if (gate.message.kind === UpKind.hello) this.#hello(buffer, from, to);
    else this.#timeRequest(buffer, from, to);
  }

  #hello(buffer: Uint8Array, from: number, to: number): void {
    const { gate, counters } = this.#shared;
    const { message } = gate;
    const repeated = this.#isPresent(buffer);
    // Before any key is derived: a hello that answers no challenge of ours costs a comparison.
    if (!repeated && !this.#nonces.mayOpen(buffer, message.gwNonceAt, message.devNonceAt)) {
      this.refuse('nonce', buffer, from, to);
      return;
    }
    const reason = gate.up(this.#helloBudget);
    if (reason !== '') {
      this.refuse(reason, buffer, from, to);
      if (reason === 'epoch-too-far') this.#tellTooFar();
      return;
    }
    if (repeated) {
      // The hello that opened this session, once more: it opens nothing, and the numbers down go on.
      counters.add('hello-repeated');
      this.#readings.repeatReceipt();
      return;
    }
    const entry = gate.entry!;
    if (entry.down === undefined) {
      // This keyring can verify the device but not answer it.
      counters.add('hello-unanswerable');
      this.#shared.log.warn('no-down-key', { device: entry.id, link: this.link.name });
      return;
    }
    this.#open(entry, entry.down, buffer);
  }

  /** Forged, or a device that this keyring has lost sight of: only its owner can tell, and help. */
  #tellTooFar(): void {
    if (this.#toldTooFar) return;
    this.#toldTooFar = true;
    const { gate, log } = this.#shared;
    const { epoch } = gate.message;
    const remedy = 'if it is genuine: sovereign device resync';
    log.warn('epoch-too-far', { device: gate.entry?.id, link: this.link.name, epoch, remedy });
  }

  #open(entry: KeyringEntry, down: Uint8Array, buffer: Uint8Array): void {
    const { devices, digest, clock, log, counters } = this.#shared;
    const { message } = this.#shared.gate;
    const device = devices.of(entry.id);
    const nonces: SessionNonces = {
      gateway: buffer.slice(message.gwNonceAt, message.gwNonceAt + NONCE_BYTES),
      device: buffer.slice(message.devNonceAt, message.devNonceAt + NONCE_BYTES),
    };
    const hello: HelloFacts = {
      epoch: message.epoch,
      next: message.next,
      oldestEpoch: message.oldestEpoch,
      oldestSeq: message.oldestSeq,
      backlog: message.backlog,
      losses: message.losses,
      firmware: fromUtf8(buffer, message.firmwareAt, message.firmwareEnd) ?? '',
      restart: fromUtf8(buffer, message.restartAt, message.restartEnd) ?? '',
      configVersion: message.configVersion,
      at: clock.now(),
    };
    this.#nonces.opened(nonces.gateway, nonces.device);
    const before = device.speaker;
    if (before !== undefined && before !== this.session) before.superseded();
    if (this.session !== undefined && this.session.device !== device) this.endSession();
    const session = this.#session(device, entry, digest.hmac(down), nonces, hello);
    this.session = session;
    device.speaker = session;
    device.hello = hello;
    device.backlog = hello.backlog;
    device.losses = hello.losses;
    this.#shared.seen(device);
    this.#timer?.cancel();
    counters.add('sessions');
    log.info('session', {
      link: this.link.name,
      device: device.id,
      epoch: hello.epoch,
      next: hello.next,
      backlog: hello.backlog,
      restart: hello.restart,
    });
    this.#opened(this);
    this.#readings.begin(session);
  }

  #session(
    device: Device,
    entry: KeyringEntry,
    downMac: Mac,
    nonces: SessionNonces,
    hello: HelloFacts,
  ): Session {
    return {
      link: this.link,
      linkName: this.link.name,
      device,
      hello,
      idBytes: device.idBytes,
      nonces,
      downMac,
      counter: 0,
      entry,
      sealEpoch: -1,
      sealMac: undefined,
      timeAnsweredMs: Number.NEGATIVE_INFINITY,
      sendReceipt: () => this.#readings.sendReceipt(),
      superseded: () => {
        this.#shared.log.info('session-moved', { link: this.link.name, device: device.id });
        this.endSession();
      },
    };
  }

  #timeRequest(buffer: Uint8Array, from: number, to: number): void {
    const { gate, clock, counters, down } = this.#shared;
    const { message } = gate;
    const { session } = this;
    if (session === undefined || !this.#isPresent(buffer)) {
      this.refuse('nonce', buffer, from, to);
      this.challenge();
      return;
    }
    const now = clock.monotonic();
    if (now - session.timeAnsweredMs < TIME_INTERVAL_MS) {
      counters.add('time-limited');
      return;
    }
    session.timeAnsweredMs = now;
    if (clock.synchronised === false) {
      // A wrong time would be sealed into readings; the device asks again.
      counters.add('time-unknown');
      return;
    }
    const reason = gate.up(this.#helloBudget);
    if (reason !== '') {
      this.refuse(reason, buffer, from, to);
      return;
    }
    const { requestNonceAt } = message;
    const requestNonce = buffer.slice(requestNonceAt, requestNonceAt + REQUEST_NONCE_BYTES);
    this.#shared.seen(session.device);
    counters.add('time-answers');
    down.time(session, requestNonce, clock.now());
  }

  /** Whether the message that was parsed last belongs to the present session, by device and both nonces. */
  #isPresent(buffer: Uint8Array): boolean {
    const { session } = this;
    const { message } = this.#shared.gate;
    return (
      session !== undefined &&
      sameId(session.idBytes, buffer, message.idAt) &&
      equalBytes(session.nonces.gateway, 0, buffer, message.gwNonceAt, NONCE_BYTES) &&
      equalBytes(session.nonces.device, 0, buffer, message.devNonceAt, NONCE_BYTES)
    );
  }
}
