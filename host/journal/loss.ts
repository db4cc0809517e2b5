/**
 * Finds out which readings are gone, when offsets are.
 *
 * Offsets have legal holes (every attempt to write burns its own), so a hole alone means nothing: only when the
 * next line of a device after a hole isn't the successor of the one before it, something was lost. Without a
 * hole nothing can have been lost, whatever the sequence says.
 */
import {
  comparePlaces,
  type DeviceEntry,
  type DevicePosition,
  type Entry,
  type GapEntry,
  JOURNAL_LINK,
} from './entry.js';

/** How many of each there had been at some line. */
interface Seen {
  holes: number;
  damages: number;
  blanks: number;
}

interface Place extends Seen {
  /** What comes next if nothing is missing. */
  epoch: number;
  seq: number;
  /** The epoch has ended: sequence 0 of the next one comes next. */
  final: boolean;
}

/** What stands between the last line before a loss and the one where it was noticed. */
export interface LossCause {
  /** Numbers of the damaged ranges, first and last; undefined: none. */
  damages: [first: number, last: number] | undefined;
  /** Damage that repair has taken out stands there. */
  blanks: boolean;
}

/** What can't be told: readings of the device beyond this place may have stood in the damage. */
export interface UnknownLoss {
  /** undefined: of a device that no sound line names. */
  device: string | undefined;
  /** All before this place, or this one and all after it; neither for an unnamed device. */
  before?: [epoch: number, seq: number];
  from?: [epoch: number, seq: number];
  cause: LossCause;
}

export interface FoundLoss {
  device: string;
  gap?: GapEntry;
  cause: LossCause;
  /** Readings before this place may be gone too: nothing sound names the device earlier. */
  before?: [epoch: number, seq: number];
}

export class LossFinder {
  readonly #places = new Map<string, Place>();
  readonly #seen: Seen = { holes: 0, damages: 0, blanks: 0 };
  /** What there had been when a snapshot named every device; undefined: some may be unknown. */
  #named: Seen | undefined;
  /** What there had been at the last sound header: its snapshot says how things stood then. */
  #atHeader: Seen = this.#seen;
  #begun = false;

  /** @param damages numbers that are used up already */
  constructor(damages = 0) {
    this.#seen.damages = damages;
    this.#first = damages;
  }

  readonly #first: number;

  /** Offsets are missing here. */
  hole(): void {
    this.#seen.holes++;
  }

  /** A damaged range, with the next number. */
  damage(): void {
    this.#seen.damages++;
  }

  /** A range that repair has taken out. */
  blank(): void {
    this.#seen.blanks++;
  }

  /** A sound header: its snapshot follows, and what it doesn't name hasn't been there before. */
  header(): void {
    this.#atHeader = { ...this.#seen };
    this.#named = this.#atHeader;
  }

  /** The snapshot is damaged: an unknown device need not be a new one. */
  incomplete(): void {
    this.#named = undefined;
  }

  /** A line of a header's snapshot; the gap before it, if the lines before don't reach up to it. */
  snapshot(device: string, position: DevicePosition, at: number, offset: number): FoundLoss | undefined {
    const { epoch, seq, final } = position;
    const known = this.#places.get(device);
    if (known && comparePlaces(known.epoch, known.seq, epoch, seq + 1) >= 0) {
      Object.assign(known, this.#atHeader);
      return undefined;
    }
    const lost = known ? known.holes !== this.#seen.holes : this.#begun && this.#seen.holes > 0;
    const from = this.#from(known, epoch);
    const cause = this.#cause(known, this.#atHeader);
    this.#places.set(device, { epoch, seq: seq + 1, final, ...this.#atHeader });
    // Nothing sound before it: what there was of the device isn't known.
    if (!lost)
      return !known && this.#seen.holes > 0 ? { device, cause, before: [epoch, seq + 1] } : undefined;
    const gap: GapEntry = { kind: 'gap', at, link: JOURNAL_LINK, device, from, to: [epoch, seq + 1], offset };
    return !known && epoch > 0 ? { device, gap, cause, before: [epoch, 0] } : { device, gap, cause };
  }

  /** An entry; the gap before it, if some are missing. */
  entry(entry: Entry): FoundLoss | undefined {
    this.#begun = true;
    if (entry.kind === 'handover') return undefined;
    const { device, at, offset } = entry;
    const known = this.#places.get(device);
    const [epoch, seq] = entry.kind === 'gap' ? entry.from : [entry.epoch, entry.seq];
    const lost = this.#isLoss(known, epoch, seq);
    const doubt = !known && this.#seen.holes > (this.#named?.holes ?? 0) && (epoch > 0 || (seq > 0 && !lost));
    if (!lost && !doubt) {
      this.#note(device, known, entry);
      return undefined;
    }
    const found: FoundLoss = { device, cause: this.#cause(known) };
    const from = this.#from(known, epoch);
    this.#note(device, known, entry);
    if (doubt) found.before = lost ? [epoch, 0] : [epoch, seq];
    if (lost) found.gap = { kind: 'gap', at, link: JOURNAL_LINK, device, from, to: [epoch, seq], offset };
    return found;
  }

  /** At the end: what no later line has settled. */
  *unknown(): Generator<UnknownLoss> {
    for (const [device, place] of this.#places) {
      if (place.holes === this.#seen.holes) continue;
      const from: [number, number] = place.final ? [place.epoch + 1, 0] : [place.epoch, place.seq];
      yield { device, from, cause: this.#cause(place) };
    }
    if (this.#seen.holes > (this.#named?.holes ?? 0)) {
      yield { device: undefined, cause: this.#cause(this.#named) };
    }
  }

  #note(device: string, known: Place | undefined, entry: DeviceEntry): void {
    const reading = entry.kind === 'reading';
    const epoch = reading ? entry.epoch : entry.to[0];
    const seq = reading ? entry.seq + 1 : entry.to[1];
    const final = reading && entry.final;
    if (!known) {
      this.#places.set(device, { epoch, seq, final, ...this.#seen });
      return;
    }
    known.holes = this.#seen.holes;
    known.damages = this.#seen.damages;
    known.blanks = this.#seen.blanks;
    if (comparePlaces(epoch, seq, known.epoch, known.seq) <= 0) return;
    known.epoch = epoch;
    known.seq = seq;
    known.final = final;
  }

  #isLoss(known: Place | undefined, epoch: number, seq: number): boolean {
    const { holes } = this.#seen;
    if (!known) return this.#named !== undefined && holes > this.#named.holes && seq > 0;
    if (known.holes === holes || comparePlaces(epoch, seq, known.epoch, known.seq) <= 0) return false;
    return !(known.final && epoch === known.epoch + 1 && seq === 0);
  }

  #from(known: Place | undefined, epoch: number): [number, number] {
    if (!known) return [epoch, 0];
    return known.final ? [known.epoch + 1, 0] : [known.epoch, known.seq];
  }

  #cause(since: Seen | undefined, { damages, blanks } = this.#seen): LossCause {
    const first = (since?.damages ?? this.#first) + 1;
    return {
      damages: first <= damages ? [first, damages] : undefined,
      blanks: blanks > (since?.blanks ?? 0),
    };
  }
}
