/**
 * Everything that was ever sealed, byte by byte, and what became of it: what all that comes out elsewhere is compared
 * with. It also holds the device to its own guarantees: no number is used twice, a reading is only let go on a
 * receipt that is true, and what is lost is counted and named.
 */
import { createHash } from 'node:crypto';
import { EnvelopeReader } from '../../../firmware/seal/envelope.js';
import { Kind, readRecords } from '../../../firmware/seal/index.js';
import { readSdkPayload } from '../../../host/journal/payload.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';

export class Sealed {
  readonly device: string;
  /** -1 for a sovereign-sdk frame: the gateway gives those their epoch. */
  readonly epoch: number;
  readonly seq: number;
  readonly kind: number;
  /** The envelope, or the frame without its line feed. */
  readonly bytes: Buffer;
  readonly sealedMs: number;
  /** When its device let it go on a receipt; -1: it did not. */
  receiptedMs = -1;
  /** The device has given it up. */
  lost = false;
  readonly sdk: boolean;
  /** First 8 bytes of the tag, hex. */
  readonly tag8: string;

  constructor(
    device: string,
    epoch: number,
    seq: number,
    kind: number,
    bytes: Buffer,
    nowMs: number,
    sdk: boolean,
  ) {
    this.device = device;
    this.epoch = epoch;
    this.seq = seq;
    this.kind = kind;
    this.bytes = bytes;
    this.sealedMs = nowMs;
    this.sdk = sdk;
    this.tag8 = sdk
      ? bytes.toString('latin1', bytes.lastIndexOf(',"s":"') + 6, bytes.lastIndexOf(',"s":"') + 22)
      : bytes.toString('hex', bytes.length - 32, bytes.length - 24);
  }

  get final(): boolean {
    return this.kind === Kind.final;
  }

  toString(): string {
    return `${this.device} ${this.epoch}:${this.seq} ${this.tag8}`;
  }
}

/** What the gateway's journal says when it is asked. */
export interface DurableJournals {
  /** A device has let a reading go on a receipt. Finds out itself whether that was right. */
  receipted(device: string, epoch: number, seq: number, tag8: string): void;
  /** A device has let a reading go because the gateway refuses it. */
  refused?(device: string, epoch: number, seq: number, tag8: string): void;
  /** It was in the journal at some time. */
  wasDurable?(device: string, epoch: number, seq: number, tag8: string): boolean;
}

/** Where one board's memory stands. A copy of it goes on from there, beside the other. */
export class Lineage {
  epoch = -1;
  next = 0;
  /** Since the last boot, and of these those that were when the reading before the last one was sealed. */
  lost = 0;
  lostBefore = 0;
  /** What the last loss reading has counted. */
  named = 0;

  /** What a device counts, it counts since its boot. */
  booted(): void {
    this.lost = this.lostBefore = this.named = 0;
  }

  copy(): Lineage {
    const copy = new Lineage();
    copy.epoch = this.epoch;
    copy.next = this.next;
    return copy;
  }
}

export interface LedgerCounts {
  sealed: number;
  sealedSdk: number;
  receipted: number;
  lost: number;
  /** Receipted a second time, after a restart that forgot the first. */
  receiptedAgain: number;
}

export class Ledger {
  readonly counts: LedgerCounts = { sealed: 0, sealedSdk: 0, receipted: 0, lost: 0, receiptedAgain: 0 };
  journals: DurableJournals | undefined;
  readonly #world: World;
  /** By device, epoch and sequence; several when forked. */
  readonly #devices = new Map<string, Map<number, Sealed[][]>>();
  readonly #digests = new Map<string, Sealed>();
  readonly #frames = new Map<string, Sealed>();
  readonly #forked = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  devices(): Iterable<string> {
    return this.#devices.keys();
  }

  /** Whether two memories of one device have existed. */
  forked(device: string): boolean {
    return this.#forked.has(device);
  }

  fork(device: string): void {
    this.#forked.add(device);
  }

  /** All that was sealed for this place: two when forked. */
  all(device: string, epoch: number, seq: number): readonly Sealed[] {
    return this.#devices.get(device)?.get(epoch)?.[seq] ?? [];
  }

  /** All readings of a device, in the order of their places. */
  *readings(device: string): Iterable<Sealed> {
    const epochs = this.#devices.get(device);
    if (epochs === undefined) return;
    for (const epoch of [...epochs.keys()].sort((a, b) => a - b))
      for (const place of epochs.get(epoch)!) if (place !== undefined) yield* place;
  }

  /** The last epoch that a device has sealed in, -1 before the first. */
  lastEpoch(device: string): number {
    let last = -1;
    for (const epoch of this.#devices.get(device)?.keys() ?? []) if (epoch > last) last = epoch;
    return last;
  }

  /** What has exactly these bytes: an envelope, or a wrapped sovereign-sdk frame. undefined: altered or forged. */
  find(payload: Uint8Array): Sealed | undefined {
    const digest = createHash('sha256').update(payload).digest('binary');
    const known = this.#digests.get(digest);
    if (known !== undefined) return known;
    const wrapped = readSdkPayload(payload);
    if (wrapped === undefined) return undefined;
    const { frame } = wrapped;
    const text = Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString('latin1');
    const found = this.#frames.get(text);
    if (found !== undefined) this.#digests.set(digest, found);
    return found;
  }

  /** The same by hex digest. A wrapped frame is known once `find` has seen it, which is when it is journalled. */
  findDigest(sha256: string): Sealed | undefined {
    return this.#digests.get(Buffer.from(sha256, 'hex').toString('latin1'));
  }

  /** A board has sealed and retained a reading. */
  sealed(
    device: string,
    lineage: Lineage,
    epoch: number,
    seq: number,
    kind: number,
    buffer: Uint8Array,
    from: number,
    to: number,
  ): Sealed {
    const fits = epoch === lineage.epoch ? seq === lineage.next : epoch > lineage.epoch && seq === 0;
    if (!fits)
      throw new Violation(
        'a number is used once',
        `${device} seals ${epoch}:${seq} after ${lineage.epoch}:${lineage.next - 1}`,
      );
    lineage.epoch = epoch;
    lineage.next = seq + 1;
    const bytes = Buffer.from(buffer.subarray(from, to));
    const place = this.#place(device, epoch, seq);
    if (place.length > 0 && !this.#forked.has(device))
      throw new Violation('a number is used once', `${device} seals ${epoch}:${seq} again`);
    // Two copies may seal the same at the same time since their start: that is one reading.
    const sealed =
      place.find(other => other.bytes.equals(bytes)) ??
      new Sealed(device, epoch, seq, kind, bytes, this.#world.nowMs, false);
    if (!place.includes(sealed)) place.push(sealed);
    this.#digests.set(createHash('sha256').update(bytes).digest('binary'), sealed);
    this.counts.sealed++;
    if (kind === Kind.loss) this.#checkLoss(sealed, lineage);
    lineage.lostBefore = lineage.lost;
    return sealed;
  }

  /** A sovereign-sdk sensor has made a frame. */
  sealedFrame(device: string, seq: number, frame: Buffer): Sealed {
    const sealed = new Sealed(device, -1, seq, 0, frame, this.#world.nowMs, true);
    this.#place(device, -1, seq).push(sealed);
    this.#frames.set(frame.toString('latin1'), sealed);
    this.counts.sealedSdk++;
    return sealed;
  }

  /** A board frees a reading, as the gateway's word that it is durable demands. */
  receipted(
    device: string,
    epoch: number,
    seq: number,
    buffer: Uint8Array,
    from: number,
    to: number,
  ): Sealed {
    const sealed = this.exact(device, epoch, seq, buffer, from, to);
    if (sealed === undefined)
      throw new Violation('a backlog keeps what was sealed', `${device} ${epoch}:${seq} has other bytes`);
    // What one copy gave up, the gateway has taken for lost: to the other one, its receipts say the same.
    if (!sealed.lost || !this.#forked.has(device)) this.journals?.receipted(device, epoch, seq, sealed.tag8);
    if (sealed.receiptedMs >= 0) this.counts.receiptedAgain++;
    else {
      sealed.receiptedMs = this.#world.nowMs;
      this.counts.receipted++;
    }
    return sealed;
  }

  /** A board gives a reading up. @param refused since the gateway will never take it */
  lost(
    device: string,
    lineage: Lineage,
    epoch: number,
    seq: number,
    refused: string | undefined,
  ): readonly Sealed[] {
    lineage.lost++;
    this.counts.lost++;
    const place = this.all(device, epoch, seq);
    for (const sealed of place) sealed.lost = true;
    if (place.length === 0)
      throw new Violation('losses are true', `${device} loses ${epoch}:${seq}, which it never sealed`);
    if (refused === undefined) return place;
    // One that the journal has, sent again after a restart that forgot the receipt, and too old for the gateway to know.
    const known = this.journals?.wasDurable?.(device, epoch, seq, refused) ?? false;
    if (!this.#forked.has(device) && !known)
      throw new Violation('only forks are refused', `${device} ${epoch}:${seq} ${refused}`);
    this.journals?.refused?.(device, epoch, seq, refused);
    return place;
  }

  #place(device: string, epoch: number, seq: number): Sealed[] {
    let epochs = this.#devices.get(device);
    if (epochs === undefined) {
      epochs = new Map();
      this.#devices.set(device, epochs);
    }
    let places = epochs.get(epoch);
    if (places === undefined) {
      places = [];
      epochs.set(epoch, places);
    }
    places[seq] ??= [];
    return places[seq];
  }

  /** The reading for this place with exactly these bytes. */
  exact(
    device: string,
    epoch: number,
    seq: number,
    buffer: Uint8Array,
    from: number,
    to: number,
  ): Sealed | undefined {
    for (const sealed of this.all(device, epoch, seq)) {
      const { bytes } = sealed;
      if (bytes.length === to - from && bytes.compare(buffer, from, to) === 0) return sealed;
    }
    return undefined;
  }

  /** A loss reading: its count is what was lost since boot, and what it names was lost. */
  #checkLoss(sealed: Sealed, lineage: Lineage): void {
    const envelope = new EnvelopeReader();
    envelope.parse(sealed.bytes, 0, sealed.bytes.length);
    for (const { n, v, vs } of readRecords(sealed.bytes, envelope.recordsAt, envelope.recordsEnd)) {
      // What is lost to make room for this very reading comes after its count.
      if (n === 'lost') lineage.named = v!;
      if (n === 'lost' && !(v! >= lineage.lostBefore && v! <= lineage.lost))
        throw new Violation('losses are counted', `${sealed} says ${v}, lost are ${lineage.lost}`);
      if (n !== 'lost-range') continue;
      const [epoch, first, last] = (vs ?? '').split(/[:-]/).map(Number);
      for (let seq = first; seq <= last; seq++)
        if (!this.all(sealed.device, epoch, seq).some(({ lost }) => lost))
          throw new Violation('losses are true', `${sealed} names ${epoch}:${seq}, which is not lost`);
    }
  }
}
