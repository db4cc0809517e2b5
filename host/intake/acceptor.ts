/**
 * From an authentic reading to the journal: classify, note what is missing before it, append.
 */
import {
  classify,
  type EnvelopeReader,
  gapBetween,
  type Holding,
  heldOf,
  Kind,
  linkOf,
  SHORT_TAG_BYTES,
  toHex,
  type Verdict,
  whereOf,
} from '../../firmware/seal/index.js';
import type { DeviceEntry, Entry, ReadingEntry } from '../journal/entry.js';
import type { KeyCache } from '../keyring/chains.js';
import type { Clock } from '../ports.js';
import type { Device } from './devices.js';
import type { Evidence, EvidenceOutcome } from './evidence.js';

/** The journal as the intake uses it. */
export interface IntakeJournal {
  /** false: it takes nothing at the moment. */
  append(entry: DeviceEntry): boolean;
  /** Durable entries from an offset on. */
  reader(fromOffset: number): { next(maxEntries: number): Promise<Entry[]>; close(): Promise<void> };
}

/** A range of one device's readings that are missing, exclusive of its end. */
export interface Missing {
  readonly fromEpoch: number;
  readonly fromSeq: number;
  readonly toEpoch: number;
  readonly toSeq: number;
}

export class Acceptor {
  readonly #clock: Clock;
  readonly #journal: IntakeJournal;
  readonly #keys: KeyCache;
  readonly #evidence: Evidence;

  constructor(clock: Clock, journal: IntakeJournal, keys: KeyCache, evidence: Evidence) {
    this.#clock = clock;
    this.#journal = journal;
    this.#keys = keys;
    this.#evidence = evidence;
  }

  /** Judges the reading that `envelope` has found authentic in `bytes[from, to)`, and journals it if it is due. */
  take(
    device: Device,
    envelope: EnvelopeReader,
    bytes: Uint8Array,
    from: number,
    to: number,
    link: string,
    hello: Holding | undefined,
  ): Verdict | 'busy' {
    const { positions } = device;
    const position = positions.tentative;
    const { epoch, seq } = envelope;
    const where = whereOf(position, epoch, seq);
    const verdict = classify({
      where,
      link: where === 'successor' ? linkOf(position, bytes, envelope.prevAt) : 'matches',
      held: where === 'beyond' || where === 'epoch-start' ? heldOf(hello, position, epoch, seq) : 'unsaid',
      memory: where === 'past' ? positions.memoryOf(epoch, seq, bytes, envelope.tagAt) : 'none',
    });
    if (verdict !== 'next' && verdict !== 'gap') return verdict;

    const missing = where === 'successor' ? undefined : gapBetween(position, epoch, seq);
    if (missing !== undefined && !this.gap(device, link, missing)) return 'busy';
    const copy = Buffer.from(bytes.subarray(from, to));
    const final = envelope.kind === Kind.final;
    const tagAt = envelope.tagAt - from;
    if (
      !this.append(
        device,
        link,
        epoch,
        seq,
        copy,
        copy.toString('hex', tagAt, tagAt + SHORT_TAG_BYTES),
        final,
      )
    )
      return 'busy';
    const changed = position === undefined || position.epoch !== epoch;
    positions.appended(epoch, seq, bytes, envelope.tagAt, final);
    if (changed) this.#keys.accepted(device.id, epoch);
    return missing === undefined ? verdict : 'gap';
  }

  /** Journals that readings are missing, once; false when the journal takes nothing. */
  gap(device: Device, link: string, missing: Missing): boolean {
    const { positions } = device;
    if (positions.gapNoted(missing.toEpoch, missing.toSeq)) return true;
    const taken = this.#journal.append({
      kind: 'gap',
      at: this.#clock.now(),
      link,
      device: device.id,
      from: [missing.fromEpoch, missing.fromSeq],
      to: [missing.toEpoch, missing.toSeq],
      offset: -1,
    });
    if (taken) positions.noteGap(missing.toEpoch, missing.toSeq);
    return taken;
  }

  append(
    device: Device,
    link: string,
    epoch: number,
    seq: number,
    bytes: Uint8Array,
    tag8: string,
    final: boolean,
  ): boolean {
    const entry: ReadingEntry = {
      kind: 'reading',
      at: this.#clock.now(),
      link,
      device: device.id,
      epoch,
      seq,
      bytes,
      tag8,
      final,
      offset: -1,
    };
    device.link = link;
    return this.#journal.append(entry);
  }

  /**
   * Puts aside a reading that contradicts what the journal holds; `bytes` is a copy. Resolves when that is
   * durable, or can't be.
   */
  contradiction(
    device: Device,
    verdict: 'fork' | 'stale',
    link: string,
    epoch: number,
    seq: number,
    bytes: Uint8Array,
    tag8: string,
  ): Promise<EvidenceOutcome> {
    const { positions } = device;
    // A reading with a wrong link contradicts the one before it, which the journal has.
    const other = positions.remembered(epoch, seq) ? seq : seq - 1;
    const remembered = positions.remembered(epoch, other);
    return this.#evidence.store({ device: device.id, epoch, seq, verdict, link, tag8, bytes }, async () =>
      remembered === undefined
        ? undefined
        : {
            tag8: toHex(remembered.tag8),
            epoch,
            seq: other,
            offset: remembered.offset,
            bytes: await this.#read(remembered.offset, device.id, epoch, other),
          },
    );
  }

  /** The bytes of a durable reading; undefined when the journal does not give them. */
  async #read(offset: number, device: string, epoch: number, seq: number): Promise<Uint8Array | undefined> {
    if (offset < 0) return undefined;
    const reader = this.#journal.reader(offset);
    try {
      const [entry] = await reader.next(1);
      const same = entry?.kind === 'reading' && entry.device === device && entry.epoch === epoch;
      return same && entry.seq === seq ? entry.bytes : undefined;
    } catch {
      return undefined; // its tag and its offset still stand in the evidence
    } finally {
      await reader.close().catch(() => {});
    }
  }
}
