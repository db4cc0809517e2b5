/**
 * Goes through a journal, or a copy of one that is being written, with one buffer of memory: what is sound, what
 * is damaged, and what the damage costs.
 */
import type { Storage } from '../ports.js';
import { type DamagedRange, DamagedRanges } from './damaged-ranges.js';
import type { Damage, Entry, GapEntry } from './entry.js';
import type { LossCause, UnknownLoss } from './loss.js';
import { ASIDE, lostNoteOffset, missingNote } from './names.js';
import { passThrough, type Tail } from './pass.js';

type Told = void | Promise<void>;

/** What `walk` tells, in the order of the journal. */
export interface WalkListener {
  entry?(entry: Entry): Told;
  /** Comes once the next sound line shows which offsets it concerns. */
  damage?(range: DamagedRange): Told;
  /** Readings that are gone; noticed at the line with this gap's offset. */
  loss?(gap: GapEntry, cause: LossCause): Told;
  /** What can't be told. */
  unknown?(loss: UnknownLoss): Told;
  /** Bytes behind what is known to be synced that can't be read: normal after a crash. */
  torn?(segment: string, at: number, bytes: number): Told;
  /** At each segment, and now and then within. */
  progress?(index: number, count: number, summary: WalkSummary): Told;
}

export interface WalkSummary {
  segments: number;
  bytes: number;
  /** Durable ones. */
  readings: number;
  gaps: number;
  handovers: number;
  firstOffset: number;
  lastOffset: number;
  /** Behind the last sound line, the tail's too. */
  endOffset: number;
  damages: number;
  damagedBytes: number;
  /** Of the damages, those that repair has noted: nothing more can be done about them. */
  noted: number;
  losses: number;
  /** Of the losses, those behind damage that has been taken out, or noted. */
  oldLosses: number;
  lostReadings: number;
  /** Devices with a loss. */
  lostDevices: number;
  /** Losses that reach over epochs: how many readings they are is not known. */
  uncountedLosses: number;
  unknowns: number;
  /** Bytes after the last mark: not known to be synced, written anew when the gateway starts. */
  unprovenBytes: number;
  tail: Tail | undefined;
  /** Segments that retention removed meanwhile. */
  removed: number;
}

/** Whether anything needs attention: damage that stands in the files, or a loss without any trace of it. */
export function isDamaged({ damages, noted, losses, oldLosses }: WalkSummary): boolean {
  return damages > noted || losses > oldLosses;
}

/**
 * Reads every durable entry from `fromOffset` on.
 *
 * @throws the storage's error when the directory can't be listed
 */
export async function walk(
  storage: Storage,
  directory: string,
  fromOffset: number,
  listener: WalkListener,
): Promise<WalkSummary> {
  const notes = new Set(await storage.list(`${directory}/${ASIDE}`));
  const walker = new Walker(listener, fromOffset, notes);
  const passed = await passThrough(storage, directory, fromOffset, walker);
  await walker.end();
  return { ...walker.summary, ...passed, unprovenBytes: passed.tail?.bytes ?? 0 };
}

class Walker {
  readonly summary: WalkSummary = {
    ...{
      segments: 0,
      bytes: 0,
      readings: 0,
      gaps: 0,
      handovers: 0,
      firstOffset: -1,
      lastOffset: -1,
      endOffset: 1,
    },
    ...{ damages: 0, damagedBytes: 0, noted: 0, losses: 0, oldLosses: 0, lostReadings: 0, lostDevices: 0 },
    ...{ uncountedLosses: 0, unknowns: 0, unprovenBytes: 0, tail: undefined, removed: 0 },
  };
  readonly #listener: WalkListener;
  readonly #from: number;
  readonly #notes: ReadonlySet<string>;
  readonly #ranges = new DamagedRanges();
  readonly #devices = new Set<string>();
  /** The highest number of a damage that is not noted. */
  #fresh = 0;
  #last = 0;
  /** What was lost without a trace before this offset has been noted by repair. */
  #notedBefore = 0;

  constructor(listener: WalkListener, from: number, notes: ReadonlySet<string>) {
    this.#listener = listener;
    this.#from = from;
    this.#notes = notes;
    for (const name of notes) this.#notedBefore = Math.max(this.#notedBefore, lostNoteOffset(name));
  }

  entry(entry: Entry): Told {
    const { offset, kind } = entry;
    const told = this.#tell(this.#ranges.until(offset));
    if (offset < this.#from) return told;
    const { summary } = this;
    if (summary.firstOffset < 0) summary.firstOffset = offset;
    summary.lastOffset = offset;
    if (kind === 'reading') summary.readings++;
    else if (kind === 'gap') summary.gaps++;
    else summary.handovers++;
    return told ? told.then(() => this.#listener.entry?.(entry)) : this.#listener.entry?.(entry);
  }

  damage(damage: Damage): Told {
    const { summary } = this;
    const { number, reason, segment, bytes } = damage;
    const noted = reason === 'missing' && this.#notes.has(missingNote(segment));
    if (number !== this.#last) {
      summary.damages++;
      if (noted) summary.noted++;
      else this.#fresh = number;
    }
    this.#last = number;
    summary.damagedBytes += bytes;
    return this.#tell(this.#ranges.add(damage, noted));
  }

  /** What follows the last mark can show what was lost before it. */
  tailEntry({ offset }: Entry): Told {
    return this.#tell(this.#ranges.until(offset));
  }

  async loss(gap: GapEntry, cause: LossCause): Promise<void> {
    await this.#tell(this.#ranges.until(gap.offset));
    if (gap.offset < this.#from) return;
    const { summary } = this;
    summary.losses++;
    if (this.#isOld(gap, cause)) summary.oldLosses++;
    if (gap.from[0] === gap.to[0]) summary.lostReadings += gap.to[1] - gap.from[1];
    else summary.uncountedLosses++;
    this.#devices.add(gap.device);
    summary.lostDevices = this.#devices.size;
    return this.#listener.loss?.(gap, cause);
  }

  async unknown(loss: UnknownLoss): Promise<void> {
    this.summary.unknowns++;
    // What comes at the end comes after all damage.
    if (!loss.before) await this.#tell(this.#ranges.rest());
    return this.#listener.unknown?.(loss);
  }

  torn(segment: string, at: number, bytes: number): Told {
    return this.#listener.torn?.(segment, at, bytes);
  }

  progress(index: number, count: number): Told {
    return this.#listener.progress?.(index, count, this.summary);
  }

  /** Nothing at or behind the begin of the next segment stood in this one. */
  passed(_segment: string, next: number | undefined): Told {
    return next === undefined ? undefined : this.#tell(this.#ranges.until(next));
  }

  async end(): Promise<void> {
    await this.#tell(this.#ranges.rest());
  }

  /** Nothing in the files stands for it any more. */
  #isOld({ offset }: GapEntry, { damages, blanks }: LossCause): boolean {
    if (damages === undefined) return blanks || offset < this.#notedBefore;
    return damages[0] > this.#fresh;
  }

  #tell(ranges: DamagedRange[]): Promise<void> | undefined {
    if (ranges.length === 0) return undefined;
    return (async () => {
      for (const range of ranges) await this.#listener.damage?.(range);
    })();
  }
}
