/**
 * Readings of sovereign-sdk sensors: gates and order. The format knows no acknowledgement and the sender does
 * not resend, so what is missing is a gap at once, and nothing is ever told to the sender.
 *
 * The epoch is the gateway's word: 1 at first, and one more each time that the sequence falls back with the
 * operator's leave. Which is which:
 *
 *   sequence after the last one           accept, after a gap if it is not the next
 *   known sequence, same MAC              replay: counted
 *   1, or a sequence no longer known      the counter fell back
 *   the last sequence, another MAC        fork: evidence
 *   a known sequence between, another MAC the counter fell back if that is allowed or has been seen, else fork
 *
 * A gateway that was restored from a backup knows of no epochs that the old one has begun since. So where the sequence may fall
 * back, it begins one of its own at once, far above: (epoch, sequence) never names two readings.
 */
import { type Digest, type Mac, SHORT_TAG_BYTES } from '../../firmware/seal/index.js';
import { encodeSdkPayload } from '../journal/payload.js';
import type { KeyringEntry, KeyringView } from '../keyring/entry.js';
import type { Log } from '../ports.js';
import type { Acceptor } from './acceptor.js';
import type { Counters } from './counters.js';
import type { Device, Devices } from './devices.js';
import type { GateReason } from './gate.js';
import type { Quarantine } from './quarantine.js';
import { SdkFrameReader } from './sdk-frame.js';

const FIRST_EPOCH = 1;
const FIRST_SEQUENCE = 1;
/** Epochs for each time that the journal was restored from a backup: the half of them, one a second, lasts for 68 years. */
const EPOCHS_PER_ERA = 2 ** 32;
/** What connections may hold together while the journal takes nothing. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

export interface SdkShared {
  readonly log: Log;
  readonly digest: Digest;
  readonly keyring: KeyringView;
  readonly devices: Devices;
  readonly acceptor: Acceptor;
  readonly quarantine: Quarantine;
  readonly counters: Counters;
  seen(device: Device): void;
}

/**
 * The first epoch that this gateway begins, once it was restored: no other gateway's, neither of those that it goes on for
 * (they are of earlier eras) nor, but for chance, of another one that was restored from the same backup.
 */
export function firstSdkEpoch(era: number, gateway: string, digest: Digest): number {
  if (era === 0) return 0;
  const name = new TextEncoder().encode(gateway);
  const sum = new Uint8Array(32);
  digest.sha256(name, 0, name.length, sum, 0);
  return era * EPOCHS_PER_ERA + (new DataView(sum.buffer).getUint32(0) >>> 1);
}

/** `authentic`: taken, or known already. `refused`: failed a gate. `busy`: the journal takes nothing now; give the same line again. */
export type SdkOutcome = 'authentic' | 'refused' | 'busy';

/** What became of a line that had been kept aside. */
export type SdkRetaken =
  | { readonly refused: GateReason }
  | { readonly verdict: SdkVerdict; readonly device: Device; readonly epoch: number; readonly seq: number };

export type SdkVerdict = 'next' | 'gap' | 'replay' | 'fork' | 'busy';

type Order = 'next' | 'replay' | 'fork' | 'fallen';

export class SdkIntake {
  readonly #shared: SdkShared;
  /** Of those that begin in this era. */
  readonly #firstEpoch: number;
  readonly #reader = new SdkFrameReader();
  readonly #macs = new WeakMap<KeyringEntry, Mac>();
  /** Devices whose counter fell back without leave: where it stands. */
  readonly #fallen = new Map<string, number>();
  #heldBytes = 0;
  /** What came out of the line that was taken last: where it stands in the order, or why it was refused. */
  #said: SdkVerdict | GateReason = 'busy';
  /** The line was kept aside before: a refusal leaves it there. */
  #again = false;

  /** @param firstEpoch see `firstSdkEpoch` */
  constructor(shared: SdkShared, firstEpoch = 0) {
    this.#shared = shared;
    this.#firstEpoch = firstEpoch;
  }

  /** One line without its LF: `bytes[from, to)`. */
  take(bytes: Uint8Array, from: number, to: number, link: string): SdkOutcome {
    const { keyring, devices } = this.#shared;
    const reader = this.#reader;
    const fault = reader.parse(bytes, from, to);
    if (fault !== '') return this.#refuse('malformed', bytes, from, to, link, undefined, fault);
    const entry = keyring.byNode(reader.node);
    if (entry?.sdk === undefined) return this.#refuse('unknown-device', bytes, from, to, link);
    if (!reader.verify(this.#mac(entry, entry.sdk.key)))
      return this.#refuse('mac', bytes, from, to, link, entry.id);
    const device = devices.of(entry.id);
    this.#said = 'busy';
    const order = this.#order(device, entry.sdk.allowReset);
    switch (order) {
      case 'next':
        return this.#append(device, this.#epochNow(device, entry.sdk.allowReset), bytes, from, to, link);
      case 'replay':
        return this.#count(device, 'replay');
      case 'fork':
        return this.#fork(device, bytes, from, to, link);
      default:
        return this.#reset(device, entry.sdk.allowReset, bytes, from, to, link);
    }
  }

  /** What the gates say of a line; '' when it is authentic. */
  judge(bytes: Uint8Array): GateReason | '' {
    const reader = this.#reader;
    if (reader.parse(bytes, 0, bytes.length) !== '') return 'malformed';
    const entry = this.#shared.keyring.byNode(reader.node);
    if (entry?.sdk === undefined) return 'unknown-device';
    return reader.verify(this.#mac(entry, entry.sdk.key)) ? '' : 'mac';
  }

  /** As `take`, for a line that has been kept aside. */
  retake(bytes: Uint8Array, link: string): SdkRetaken {
    this.#again = true;
    const outcome = this.take(bytes, 0, bytes.length, link);
    this.#again = false;
    const entry = this.#shared.keyring.byNode(this.#reader.node);
    if (outcome === 'refused' || entry === undefined) return { refused: this.#said as GateReason };
    const device = this.#shared.devices.of(entry.id);
    const epoch = device.positions.tentative?.epoch ?? FIRST_EPOCH;
    return { verdict: this.#said as SdkVerdict, device, epoch, seq: this.#reader.sequence };
  }

  /** Room for bytes that wait for the journal; false when all connections together hold too many. */
  reserve(bytes: number): boolean {
    if (this.#heldBytes + bytes > MAX_HELD_BYTES) return false;
    this.#heldBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** The epoch of a reading that comes next. */
  #epochNow({ positions }: Device, allowReset: boolean): number {
    const epoch = positions.tentative?.epoch ?? FIRST_EPOCH;
    return allowReset ? Math.max(epoch, this.#firstEpoch) : epoch;
  }

  #order(device: Device, allowReset: boolean): Order {
    const { sequence, tag } = this.#reader;
    const last = device.positions.tentative;
    if (last === undefined || sequence > last.seq) return 'next';
    const memory = device.positions.memoryOf(last.epoch, sequence, tag, 0);
    if (memory === 'same') return 'replay';
    if (memory === 'none' || sequence === FIRST_SEQUENCE) return 'fallen';
    if (sequence === last.seq) return this.#follows(device, sequence) ? 'fallen' : 'fork';
    return allowReset || this.#follows(device, sequence) ? 'fallen' : 'fork';
  }

  /** Whether the counter is known to have fallen back and not to be past this yet. */
  #follows(device: Device, sequence: number): boolean {
    return sequence >= (this.#fallen.get(device.id) ?? Number.POSITIVE_INFINITY);
  }

  #append(
    device: Device,
    epoch: number,
    bytes: Uint8Array,
    from: number,
    to: number,
    link: string,
  ): SdkOutcome {
    const { acceptor, counters } = this.#shared;
    const { node, sequence, tag } = this.#reader;
    const { positions } = device;
    const last = positions.tentative;
    const expected = last !== undefined && last.epoch === epoch ? last.seq + 1 : FIRST_SEQUENCE;
    if (sequence > expected) {
      const missing = { fromEpoch: epoch, fromSeq: expected, toEpoch: epoch, toSeq: sequence };
      if (!acceptor.gap(device, link, missing)) return 'busy';
    }
    const payload = encodeSdkPayload(node, epoch, bytes.subarray(from, to));
    if (!acceptor.append(device, link, epoch, sequence, payload, this.#tag8(), false)) {
      counters.add('sdk:busy');
      return 'busy';
    }
    positions.appended(epoch, sequence, tag, 0, false);
    this.#fallen.delete(device.id);
    return this.#count(device, sequence > expected ? 'gap' : 'next');
  }

  /** The sender has lost its counter: a new epoch if the operator allows that, quarantine if not. */
  #reset(
    device: Device,
    allowed: boolean,
    bytes: Uint8Array,
    from: number,
    to: number,
    link: string,
  ): SdkOutcome {
    const { sequence } = this.#reader;
    const last = device.positions.tentative!;
    if (allowed) {
      const epoch = Math.max(last.epoch + 1, this.#firstEpoch);
      const outcome = this.#append(device, epoch, bytes, from, to, link);
      if (outcome === 'authentic')
        this.#shared.log.warn('sdk-new-epoch', { device: device.id, link, epoch, sequence });
      return outcome;
    }
    if (!this.#fallen.has(device.id))
      this.#shared.log.warn('sequence-reset', { device: device.id, link, sequence, last: last.seq });
    this.#fallen.set(device.id, Math.min(sequence, this.#fallen.get(device.id) ?? sequence));
    this.#shared.seen(device);
    device.count('sequence-reset');
    this.#shared.counters.add('refused:sequence-reset');
    this.#said = 'sequence-reset';
    const suspect = { reason: 'sequence-reset', device: device.id, link, authentic: true };
    if (!this.#again) this.#shared.quarantine.add(suspect, bytes, from, to);
    return 'refused';
  }

  #fork(device: Device, bytes: Uint8Array, from: number, to: number, link: string): SdkOutcome {
    const { acceptor, counters } = this.#shared;
    const { sequence, node } = this.#reader;
    const { epoch } = device.positions.tentative!;
    const payload = encodeSdkPayload(node, epoch, bytes.subarray(from, to));
    void acceptor
      .contradiction(device, 'fork', link, epoch, sequence, payload, this.#tag8())
      .then(outcome => counters.add(`evidence:${outcome}`));
    return this.#count(device, 'fork');
  }

  #count(device: Device, what: 'next' | 'gap' | 'replay' | 'fork'): SdkOutcome {
    this.#said = what;
    this.#shared.seen(device);
    device.count(what);
    this.#shared.counters.add(`sdk:${what}`);
    return 'authentic';
  }

  #refuse(
    reason: GateReason,
    bytes: Uint8Array,
    from: number,
    to: number,
    link: string,
    device?: string,
    detail = '',
  ): SdkOutcome {
    this.#shared.counters.add(`refused:${reason}`);
    this.#said = reason;
    if (!this.#again)
      this.#shared.quarantine.add({ reason, device, detail, link, authentic: false }, bytes, from, to);
    return 'refused';
  }

  #tag8(): string {
    return Buffer.from(this.#reader.tag.subarray(0, SHORT_TAG_BYTES)).toString('hex');
  }

  #mac(entry: KeyringEntry, key: Uint8Array): Mac {
    let mac = this.#macs.get(entry);
    if (mac === undefined) {
      mac = this.#shared.digest.hmac(key);
      this.#macs.set(entry, mac);
    }
    return mac;
  }
}
