/**
 * Finds out which readings are gone, when offsets are.
 *
 * Offsets have legal holes (every attempt to write burns its own), so a hole alone means nothing: only when the
 * next line of a device after a hole isn't the successor of the one before it, something was lost. Without a
 * hole nothing can have been lost, whatever the sequence says.
 */
import { comparePlaces, type DevicePosition, type Entry, type GapEntry, JOURNAL_LINK } from './entry.js';

interface Place {
  /** What comes next if nothing is missing. */
  epoch: number;
  seq: number;
  /** The epoch has ended: sequence 0 of the next one comes next. */
  final: boolean;
  /** How many holes there had been when this was noted. */
  holes: number;
}

export class LossFinder {
  readonly #places = new Map<string, Place>();
  #holes = 0;
  /** The number of holes when a snapshot named every device; -1: some may be unknown. */
  #namedAt = -1;
  #begun = false;

  /** Offsets are missing here, or a line is damaged. */
  hole(): void {
    this.#holes++;
  }

  /** A sound header: its snapshot follows, and what it doesn't name hasn't been there before. */
  header(): void {
    this.#namedAt = this.#holes;
  }

  /** The snapshot is damaged: an unknown device need not be a new one. */
  incomplete(): void {
    this.#namedAt = -1;
  }

  /** A line of a header's snapshot; the gap before it, if the lines before don't reach up to it. */
  snapshot(device: string, position: DevicePosition, at: number, offset: number): GapEntry | undefined {
    const { epoch, seq, final } = position;
    const known = this.#places.get(device);
    if (known && comparePlaces(known.epoch, known.seq, epoch, seq + 1) >= 0) {
      known.holes = this.#holes;
      return undefined;
    }
    const lost = known ? known.holes !== this.#holes : this.#begun && this.#holes > 0;
    const from = this.#from(known, epoch);
    this.#places.set(device, { epoch, seq: seq + 1, final, holes: this.#holes });
    return lost
      ? { kind: 'gap', at, link: JOURNAL_LINK, device, from, to: [epoch, seq + 1], offset }
      : undefined;
  }

  /** An entry; the gap before it, if some are missing. */
  entry(entry: Entry): GapEntry | undefined {
    const { device, at, offset } = entry;
    this.#begun = true;
    const known = this.#places.get(device);
    const [epoch, seq] = entry.kind === 'gap' ? entry.from : [entry.epoch, entry.seq];
    const from = this.#isLoss(known, epoch, seq) ? this.#from(known, epoch) : undefined;
    this.#note(device, known, entry);
    if (!from) return undefined;
    return { kind: 'gap', at, link: JOURNAL_LINK, device, from, to: [epoch, seq], offset };
  }

  #note(device: string, known: Place | undefined, entry: Entry): void {
    const reading = entry.kind === 'reading';
    const epoch = reading ? entry.epoch : entry.to[0];
    const seq = reading ? entry.seq + 1 : entry.to[1];
    const final = reading && entry.final;
    if (!known) {
      this.#places.set(device, { epoch, seq, final, holes: this.#holes });
      return;
    }
    known.holes = this.#holes;
    if (comparePlaces(epoch, seq, known.epoch, known.seq) <= 0) return;
    known.epoch = epoch;
    known.seq = seq;
    known.final = final;
  }

  #isLoss(known: Place | undefined, epoch: number, seq: number): boolean {
    if (!known) return this.#namedAt >= 0 && this.#holes > this.#namedAt && seq > 0;
    if (known.holes === this.#holes || comparePlaces(epoch, seq, known.epoch, known.seq) <= 0) return false;
    return !(known.final && epoch === known.epoch + 1 && seq === 0);
  }

  #from(known: Place | undefined, epoch: number): [number, number] {
    if (!known) return [epoch, 0];
    return known.final ? [known.epoch + 1, 0] : [known.epoch, known.seq];
  }
}
