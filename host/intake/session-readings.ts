/**
 * The readings of one link: gates, verdict, and what the device is told about each.
 */
import { fromHex, Kind, readRecords, SHORT_TAG_BYTES, toHex } from '../../firmware/seal/index.js';
import type { DerivationBudget } from '../keyring/budget.js';
import { SettingsSender } from './device-settings.js';
import type { Session, SessionLink } from './session.js';
import type { Shared } from './shared.js';

/** A receipt is repeated no faster. */
const REPEAT_MS = 20;
const ADVANCE_MS = 1_000;
/** A past reading that a device sends so often, for so long, is one that no receipt makes it let go. */
const STUCK_TIMES = 4;
const STUCK_MS = 3_000;
/** A past reading that did not come again for so long was not stuck. */
const STUCK_FORGET_MS = 20_000;

interface PastReading {
  epoch: number;
  seq: number;
  times: number;
  sinceMs: number;
  lastMs: number;
}

/**
 * Past readings that the device was told to let go by name, one behind the other. When what follows them comes, it has heard,
 * and holds past readings without the one that a receipt names: its memory was set back. Any other may be somebody's recording.
 */
interface Released {
  readonly epoch: number;
  readonly from: number;
  to: number;
}

export class SessionReadings {
  readonly #shared: Shared;
  readonly #link: SessionLink;
  readonly #budget: DerivationBudget;
  readonly #settings: SettingsSender;
  #repeatedMs = Number.NEGATIVE_INFINITY;
  #past: PastReading | undefined;
  #released: Released | undefined;
  #toldTooOld = false;
  #advancedMs = Number.NEGATIVE_INFINITY;
  /** The latest epoch of which this session has brought something new. */
  #reachedEpoch = -1;

  constructor(shared: Shared, link: SessionLink, budget: DerivationBudget) {
    this.#shared = shared;
    this.#link = link;
    this.#budget = budget;
    this.#settings = new SettingsSender(shared);
  }

  /** A session has just been opened. */
  begin(session: Session): void {
    this.#past = undefined;
    this.#released = undefined;
    this.#toldTooOld = false;
    this.#advancedMs = Number.NEGATIVE_INFINITY;
    this.#reachedEpoch = -1;
    this.sendReceipt();
    this.#advanceIfBehind(session);
    this.#settings.begin(session);
  }

  take(bytes: Uint8Array, from: number, to: number): void {
    const { gate, counters, acceptor } = this.#shared;
    const session = this.#link.session;
    const reason = gate.reading(bytes, from, to, session, this.#budget);
    if (reason !== '') {
      this.#link.refuse(reason, bytes, from, to);
      if (reason === 'epoch-too-old' && session !== undefined) this.#tellTooOld(session);
      return;
    }
    const { envelope } = gate;
    if (session === undefined || session.entry !== gate.entry) {
      // Authentic, but whether it is new or a recording nobody knows: the device is asked for a hello first.
      counters.add('no-session');
      this.#link.challenge();
      return;
    }
    const { device } = session;
    this.#shared.seen(device);
    const verdict = acceptor.take(device, envelope, bytes, from, to, session.linkName, session.hello);
    device.count(verdict);
    counters.add(verdict);
    switch (verdict) {
      case 'next':
      case 'gap':
        this.#past = undefined;
        this.#released = undefined;
        this.#reachedEpoch = envelope.epoch;
        device.clockSet = envelope.unixMs >= 0;
        if (envelope.kind === Kind.heartbeat) {
          this.#settings.heartbeat(session, bytes, envelope);
          device.told(readRecords(bytes, envelope.recordsAt, envelope.recordsEnd));
        }
        return; // the receipt follows when the journal says that it is durable
      case 'busy':
        return; // no receipt: the device keeps it and sends it again
      case 'fork':
        void this.#contradiction(session, 'fork', bytes, from, to);
        return;
      case 'early':
        this.repeatReceipt();
        return;
      default:
        this.#pastReading(session, verdict, bytes, from, to);
    }
  }

  /** Nobody can verify these, and the device keeps them until somebody can: only the keyring's owner can help. */
  #tellTooOld(session: Session): void {
    if (this.#toldTooOld) return;
    this.#toldTooOld = true;
    const { epoch } = this.#shared.gate.envelope;
    const fields = { device: session.device.id, link: session.linkName, epoch, base: session.entry.epoch };
    this.#shared.log.warn('epoch-before-keyring', fields);
  }

  /** Tells the device how far the journal is durable. */
  sendReceipt(): void {
    const { session } = this.#link;
    if (session === undefined) return;
    session.device.count('receipts');
    // From the durable position, never the tentative one: what this says, no power cut can take back.
    this.#shared.down.receipt(session, session.device.positions.durable);
  }

  repeatReceipt(): void {
    const now = this.#shared.clock.monotonic();
    if (now - this.#repeatedMs < REPEAT_MS) return;
    this.#repeatedMs = now;
    this.sendReceipt();
  }

  #pastReading(
    session: Session,
    verdict: 'replay' | 'stale',
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    const { epoch, seq } = this.#shared.gate.envelope;
    if (verdict === 'replay' && !session.device.positions.isDurable(epoch, seq)) {
      this.repeatReceipt(); // the disk is slow: no wonder that it comes again
      return;
    }
    this.#advanceIfBehind(session); // that word may have been lost
    const released = this.#releasedWith(epoch, seq);
    if (released === undefined && !this.#isStuck(epoch, seq)) {
      this.repeatReceipt();
      return;
    }
    if (verdict === 'stale') void this.#contradiction(session, 'stale', bytes, from, to);
    else if (!this.#exactReceipt(session, epoch, seq)) return;
    this.#past = undefined;
    if (released === undefined) this.#released = { epoch, from: seq, to: seq };
    else released.to = Math.max(released.to, seq);
  }

  /**
   * For a device that can't tell from a receipt of a later reading that this one is durable: names this one.
   * @returns false when it is not sent: too soon after another
   */
  #exactReceipt(session: Session, epoch: number, seq: number): boolean {
    const now = this.#shared.clock.monotonic();
    const { positions } = session.device;
    const remembered = positions.remembered(epoch, seq);
    if (now - this.#repeatedMs < REPEAT_MS || !remembered || !positions.isDurable(epoch, seq)) return false;
    this.#repeatedMs = now;
    session.device.count('receipts');
    this.#shared.down.receipt(session, { epoch, seq, tag8: remembered.tag8 }); // durable: asked just above
    return true;
  }

  /** Those that it is one of, again, if the device has not heard, or that it follows. */
  #releasedWith(epoch: number, seq: number): Released | undefined {
    const released = this.#released;
    const belongs = released?.epoch === epoch && seq >= released.from && seq <= released.to + 1;
    return belongs ? released : undefined;
  }

  #isStuck(epoch: number, seq: number): boolean {
    const now = this.#shared.clock.monotonic();
    const past = this.#past;
    if (past === undefined || now - past.lastMs > STUCK_FORGET_MS) {
      this.#past = { epoch, seq, times: 1, sinceMs: now, lastMs: now };
      return false;
    }
    if (past.epoch !== epoch || past.seq !== seq) return false;
    past.times++;
    past.lastMs = now;
    return past.times >= STUCK_TIMES && now - past.sinceMs >= STUCK_MS;
  }

  /** Keeps the reading as evidence and, once that is durable, has the device drop it. */
  async #contradiction(
    session: Session,
    verdict: 'fork' | 'stale',
    bytes: Uint8Array,
    from: number,
    to: number,
  ): Promise<void> {
    const { gate, acceptor, counters, down } = this.#shared;
    const { epoch, seq, tagAt } = gate.envelope;
    const tag8 = toHex(bytes, tagAt, tagAt + SHORT_TAG_BYTES);
    const copy = bytes.slice(from, to); // the decoder's buffer moves on while the disk works
    const { device } = session;
    const outcome = await acceptor.contradiction(device, verdict, session.linkName, epoch, seq, copy, tag8);
    counters.add(`evidence:${outcome}`);
    // Only evidence that is durable, or whose like is, lets the reading go; else the device sends it again.
    if (outcome === 'failed' || this.#link.session !== session) return;
    down.refuse(session, { epoch, seq, tag8: fromHex(tag8)! });
    // Its next readings would contradict too, as long as it goes on in an epoch that another has written in.
    if (this.#deviceEpoch(session) <= epoch) this.#advance(session);
    else this.#advanceIfBehind(session);
  }

  /** A device whose epoch is before one that was accepted of it has had its memory set back. */
  #advanceIfBehind(session: Session): void {
    const last = session.device.positions.tentative;
    if (last && this.#deviceEpoch(session) < last.epoch) this.#advance(session);
  }

  /** The latest epoch in which the device is known to seal. */
  #deviceEpoch(session: Session): number {
    return Math.max(session.hello.epoch, this.#reachedEpoch);
  }

  /** Says it again while the device has not come there, once a second. */
  #advance(session: Session): void {
    const now = this.#shared.clock.monotonic();
    const last = session.device.positions.tentative;
    if (last === undefined || now - this.#advancedMs < ADVANCE_MS) return;
    this.#advancedMs = now;
    const epoch = last.epoch + 1;
    this.#shared.counters.add('advances');
    this.#shared.log.warn('advance', { device: session.device.id, link: session.linkName, epoch });
    this.#shared.down.advance(session, epoch);
  }
}
