/**
 * The device: sample, stamp, seal, retain, send. It runs the same on a board, in `sovereign simulate` and in
 * the tests: time, chance, flash, memory and the wire are given to it, and it does nothing but when it is
 * called. `poll` says how long it can be left alone; `receive`, `linkUp` and `linkDown` want a `poll` after
 * them. Sampling, sealing and sending a reading allocates nothing.
 */
import { Configuration } from './configuration.js';
import { DEVICE_LIMITS, type DeviceLimits } from './limits.js';
import { Outbox } from './outbox.js';
import type { Board, Observer, Random, Rtc, Uptime, Wire } from './ports.js';
import { Retained } from './retained.js';
import { Rotation } from './rotation.js';
import type { Digest, Hello, Mac, RecordWriter } from './seal/index.js';
import { FrameDecoder, Kind, label, MAX_MESSAGE_BYTES, NONCE_BYTES, Sealer, utf8 } from './seal/index.js';
import type { MessageReader } from './seal/message-reader.js';
import { Sender } from './sender.js';
import type { Source } from './sensors/source.js';
import { Session, type SessionHandler } from './session.js';
import type { Backlog } from './store/backlog.js';
import type { KeyStore } from './store/key-store.js';
import { TimeSync } from './time-sync.js';

/** What comes down is short; COBS and checksum take the rest. */
const MAX_DOWN_FRAME_BYTES = MAX_MESSAGE_BYTES + 16;

export interface DevicePorts {
  readonly digest: Digest;
  readonly uptime: Uptime;
  readonly random: Random;
  readonly wire: Wire;
  readonly board: Board;
  /** Loaded and `ready`. */
  readonly keys: KeyStore;
  /** Holds at least four of the longest envelopes. */
  readonly backlog: Backlog;
  readonly sources: readonly Source[];
  /** A clock chip, if the board has one. */
  readonly rtc?: Rtc;
  readonly observer?: Observer;
}

export interface DeviceSettings {
  /** Name and version of the firmware; at most 64 bytes of UTF-8. */
  readonly firmware: string;
  /** Why it restarted: power-on, watchdog, a fault's text; at most 128 bytes of UTF-8. */
  readonly restart: string;
  readonly limits?: Partial<DeviceLimits>;
}

export class Device implements SessionHandler {
  /** While true, the device makes no readings of its own accord: it only delivers what it holds. */
  quiet = false;
  readonly session: Session;
  readonly sender: Sender;
  readonly retained: Retained;
  readonly time: TimeSync;
  readonly rotation: Rotation;
  readonly configuration: Configuration;
  readonly #ports: DevicePorts;
  readonly #settings: DeviceSettings;
  readonly #limits: DeviceLimits;
  readonly #sealer: Sealer;
  readonly #outbox: Outbox;
  readonly #decoder: FrameDecoder;
  readonly #labels = {
    reason: label('reason'),
    firmware: label('firmware'),
    nonce: label('nonce'),
    next: label('next-sequence', 'count'),
    memory: label('free-memory', 'B'),
    backlog: label('backlog', 'count'),
    losses: label('losses', 'count'),
  };
  readonly #reasons: { restart: Uint8Array; rotation: Uint8Array; advance: Uint8Array; firmware: Uint8Array };
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  #started = false;
  #heartbeatAtMs = 0;
  #lossAtMs = 0;
  #deadlocks = 0;
  #receiptMs = 0;
  /** The session is new: what its hello named as the oldest has not gone out yet. */
  #named = false;
  /** Readings sealed since boot. */
  sealed = 0;
  /** Readings that a source made and the sealer could not take. */
  unsealable = 0;

  /** @throws Error when the key store has no key to seal under: ask its `load` first */
  constructor(ports: DevicePorts, settings: DeviceSettings) {
    if (ports.keys.slots.epoch < 0) throw new Error('device: no valid key slot');
    const limits = { ...DEVICE_LIMITS, ...settings.limits };
    this.#ports = ports;
    this.#settings = settings;
    this.#limits = limits;
    const { id, down } = ports.keys.identity;
    const { digest, random } = ports;
    this.#sealer = new Sealer(digest, id, limits.maxEnvelopeBytes);
    this.#outbox = new Outbox(ports.wire, Math.max(limits.maxEnvelopeBytes, MAX_MESSAGE_BYTES));
    this.sender = new Sender(ports.backlog, this.#outbox, limits);
    this.retained = new Retained(ports.backlog, this.sender, ports.observer);
    this.rotation = new Rotation(digest, ports.keys.slots, this.#sealer, limits);
    this.configuration = new Configuration(ports.sources);
    this.time = new TimeSync(random, limits.timeAnswerMs, ports.rtc);
    const sessionPorts = { digest, random, outbox: this.#outbox, time: this.time };
    this.session = new Session(id, down, sessionPorts, limits, this);
    this.#decoder = new FrameDecoder((type, buffer, from, to) => {
      this.session.frame(type, buffer, from, to, this.#ports.uptime.nowMs());
    }, MAX_DOWN_FRAME_BYTES);
    this.#reasons = {
      restart: utf8(settings.restart, 128),
      rotation: utf8('rotation'),
      advance: utf8('advance'),
      firmware: utf8(settings.firmware, 64),
    };
  }

  /**
   * Begins the first epoch of this boot: one flash write, then its start reading.
   * @returns '' or what failed; it may be called again then
   */
  start(): string {
    const nowMs = this.#ports.uptime.nowMs();
    const fault = this.rotation.begin(nowMs);
    if (fault !== '') return fault;
    this.#started = true;
    this.time.start(nowMs);
    this.#heartbeatAtMs = nowMs + this.#limits.heartbeatMs;
    this.#sealStart(nowMs, this.#reasons.restart);
    return '';
  }

  get epoch(): number {
    return this.#sealer.epoch;
  }

  /** The sequence that the next reading will have. */
  get nextSeq(): number {
    return this.#sealer.nextSeq;
  }

  /** Seals what the gateway must be able to verify as this device's in this epoch. */
  get up(): Mac {
    return this.rotation.up;
  }

  /** A way to the gateway is there, with nothing on it yet. */
  linkUp(): void {
    this.#decoder.reset();
    this.session.linkUp(this.#ports.uptime.nowMs());
    this.#outbox.delimit();
  }

  linkDown(): void {
    this.session.linkDown();
    this.sender.restart();
  }

  /** Takes what came down the wire. */
  receive(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#decoder.push(bytes, from, to);
  }

  /** Does what is due. @returns ms until it wants to be called again; sooner after anything else happened */
  poll(): number {
    if (!this.#started) return Number.POSITIVE_INFINITY;
    const nowMs = this.#ports.uptime.nowMs();
    // With a full backlog each sample displaces the oldest reading, and the gateway takes none but the one that the
    // hello named: that goes out first, or no hello is ever true for long enough.
    if (this.#named && this.session.open) {
      this.sender.poll(nowMs);
      this.#named = this.retained.count > 0 && this.sender.inFlight === 0;
    }
    let waitMs = this.#pollEpoch(nowMs);
    if (!this.quiet) {
      waitMs = Math.min(waitMs, this.#sample(nowMs));
      waitMs = Math.min(waitMs, this.#heartbeat(nowMs));
    }
    waitMs = Math.min(waitMs, this.#loss(nowMs), this.session.poll(nowMs));
    const { open } = this.session;
    const away = !open || nowMs - this.#receiptMs >= this.#limits.awayMs;
    // Nothing held: nothing is due to be receipted.
    if (away && this.#ports.backlog.count === 0) this.#receiptMs = nowMs;
    waitMs = Math.min(waitMs, this.#ports.backlog.tend(nowMs, away));
    if (open) {
      waitMs = Math.min(waitMs, this.sender.poll(nowMs));
      if (this.sender.silentResends >= this.#limits.silentResends) {
        // From now on each further resend asks again.
        this.sender.silentResends = this.#limits.silentResends - 1;
        this.session.knock();
        waitMs = 0;
      }
    }
    return waitMs;
  }

  hello(): Hello {
    const { backlog } = this.#ports;
    const oldest = this.retained.oldest() ? { epoch: backlog.epoch, seq: backlog.seq } : undefined;
    return {
      epoch: this.#sealer.epoch,
      next: this.#sealer.nextSeq,
      oldest,
      backlog: this.retained.count,
      losses: this.retained.losses.total,
      firmware: this.#settings.firmware,
      restart: this.#settings.restart,
      configVersion: this.configuration.version,
    };
  }

  opened(nowMs: number): void {
    this.#deadlocks = 0;
    this.#receiptMs = nowMs;
    this.#named = true;
    this.sender.restart();
  }

  receipt(message: MessageReader, nowMs: number): void {
    this.sender.silentResends = 0;
    const { epoch, seq, hasPosition } = message;
    if (!hasPosition) {
      // The gateway holds nothing of this device.
      if (this.retained.oldest() && this.#ports.backlog.seq > 0) this.#mendHole();
      this.sender.noProgress(nowMs);
      return;
    }
    const freed = this.retained.receipted(epoch, seq, message.bytes, message.tag8At);
    if (freed) {
      this.#deadlocks = 0;
      this.#receiptMs = nowMs;
      this.sender.progress(nowMs);
    }
    // The gateway has what this device never sealed: its memory was set back, or another one has its keys.
    const ahead = epoch > this.epoch || (epoch === this.epoch && seq >= this.nextSeq);
    if (ahead) this.rotation.advance(epoch + 1);
    this.#checkNext(epoch, seq, freed, nowMs);
  }

  refuse(message: MessageReader): void {
    this.sender.silentResends = 0;
    const { epoch, seq, bytes, tag8At } = message;
    if (!this.retained.refuse(epoch, seq, bytes, tag8At)) return;
    this.#deadlocks = 0;
    // What follows can be taken only once a hello says that this one is gone.
    this.#mendHole();
  }

  advance(message: MessageReader): void {
    this.sender.silentResends = 0;
    this.rotation.advance(message.epoch);
  }

  config(message: MessageReader): void {
    this.configuration.take(message.configVersion, message.bytes, message.settingsAt, message.settingsEnd);
  }

  /** After a receipt for (epoch, seq): is the oldest reading held one that the gateway can take? */
  #checkNext(epoch: number, seq: number, freed: boolean, nowMs: number): void {
    const { backlog } = this.#ports;
    if (!this.retained.oldest()) return;
    const held = backlog.epoch > epoch || (backlog.epoch === epoch && backlog.seq > seq);
    // An epoch that began without a word, after an advance, lies beyond what the hello said of this one.
    const follows =
      backlog.epoch === epoch
        ? backlog.seq === seq + 1
        : backlog.seq === 0 && !this.session.said(epoch, seq + 1);
    if (held && !follows) this.#mendHole();
    if (freed || !this.sender.noProgress(nowMs) || held) return;
    // Receipts lie beyond what is held, yet neither free it nor is it refused: no one will ever take it.
    this.#deadlocks++;
    if (this.#deadlocks < this.#limits.deadlockResends) return;
    this.#deadlocks = 0;
    this.retained.giveUp(epoch, seq);
    this.#mendHole();
  }

  /** Something between the gateway's position and what is held is gone: unless it has been told so, tell it. */
  #mendHole(): void {
    const { backlog } = this.#ports;
    if (this.retained.oldest() && !this.session.said(backlog.epoch, backlog.seq)) this.session.knock();
  }

  #pollEpoch(nowMs: number): number {
    const { rotation } = this;
    // A loss is named also by a quiet device; in an epoch that is full there is no room for that.
    const quiet = this.quiet && !(rotation.full && this.retained.losses.unnamed);
    const due = rotation.due(nowMs, quiet);
    if (due === 'rotate') {
      const records = this.#begin(nowMs, Kind.final);
      records.text(this.#labels.reason, this.#reasons.rotation);
      this.#seal(Kind.final);
      rotation.start(nowMs);
      this.#sealStart(nowMs, this.#reasons.rotation);
    } else if (due === 'advance') {
      rotation.start(nowMs);
      this.#sealStart(nowMs, this.#reasons.advance);
    }
    return rotation.waitMs(nowMs, quiet);
  }

  #sample(nowMs: number): number {
    const sources = this.#ports.sources;
    let waitMs = Number.POSITIVE_INFINITY;
    let left = this.#limits.samplesPerPoll;
    for (let i = 0; i < sources.length; i++) {
      const source = sources[i];
      let sourceMs = source.poll(nowMs);
      while (sourceMs <= 0 && left > 0 && !this.quiet && !this.rotation.full) {
        left--;
        const kind = source.kind;
        source.write(this.#begin(nowMs, kind));
        this.#seal(kind);
        sourceMs = source.poll(nowMs);
      }
      waitMs = Math.min(waitMs, Math.max(0, sourceMs));
    }
    return waitMs;
  }

  #heartbeat(nowMs: number): number {
    if (nowMs >= this.#heartbeatAtMs && !this.rotation.full) {
      this.#heartbeatAtMs = nowMs + this.#limits.heartbeatMs;
      const labels = this.#labels;
      const records = this.#begin(nowMs, Kind.heartbeat);
      records.number(labels.next, this.#sealer.nextSeq + 1);
      const memory = this.#ports.board.freeMemoryBytes();
      if (memory >= 0) records.number(labels.memory, memory);
      records.number(labels.backlog, this.retained.count);
      records.number(labels.losses, this.retained.losses.total);
      this.configuration.write(records);
      this.#seal(Kind.heartbeat);
    }
    return this.#heartbeatAtMs - nowMs;
  }

  #loss(nowMs: number): number {
    const { losses } = this.retained;
    if (!losses.unnamed) return Number.POSITIVE_INFINITY;
    const dueMs = this.#lossAtMs + (this.session.open ? this.#limits.lossMs : this.#limits.awayLossMs);
    if (nowMs < dueMs) return dueMs - nowMs;
    if (this.rotation.full) return 0;
    this.#lossAtMs = nowMs;
    const seq = this.#sealer.nextSeq;
    losses.write(this.#begin(nowMs, Kind.loss));
    // Before it is retained: if that costs another reading, the next loss names it.
    losses.namedBy(this.#sealer.epoch, seq);
    this.#seal(Kind.loss);
    return Number.POSITIVE_INFINITY;
  }

  #sealStart(nowMs: number, reason: Uint8Array): void {
    const records = this.#begin(nowMs, Kind.start);
    records.text(this.#labels.reason, reason);
    records.text(this.#labels.firmware, this.#reasons.firmware);
    // Two boards that began with one memory never seal alike: a receipt for one of them frees nothing of the other.
    this.#ports.random.fill(this.#nonce);
    records.data(this.#labels.nonce, this.#nonce);
    this.#seal(Kind.start);
  }

  #begin(nowMs: number, kind: number): RecordWriter {
    return this.#sealer.begin(nowMs, this.time.unixMs(nowMs), kind);
  }

  #seal(kind: number): void {
    const sealer = this.#sealer;
    const seq = sealer.nextSeq;
    const length = sealer.seal();
    if (length === 0) {
      this.unsealable++;
      return;
    }
    this.sealed++;
    this.retained.add(sealer.epoch, seq, kind, sealer.buffer, sealer.start, sealer.start + length);
  }
}
