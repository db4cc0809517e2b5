/** One range that somebody asked for, and what has become of it so far. */
import {
  type DeviceEntry,
  type DevicePosition,
  JOURNAL_LINK,
  type ReadingEntry,
} from '../../journal/entry.js';
import { isEnvelope } from '../../journal/payload.js';
import {
  compare,
  earlier,
  type FetchRange,
  type FetchResult,
  MAX_MISSING,
  type Missing,
  type Place,
  type Why,
} from './format.js';

/** Readings sent for one range; for more, ask again from where it has reached. */
export const MAX_SENT = 2000;

export class Job {
  readonly range: FetchRange;
  readonly missing: Missing[] = [];
  /** Everything of the range below is sent or known to be missing. */
  next: Place;
  sent = 0;
  /** Of those sent, not acknowledged yet. */
  unacknowledged = 0;
  /** Nothing more will be sent. */
  over = false;
  /** Segments below have nothing more for it. */
  fromSegment = 0;
  /** The device's first reading in the journal is still to come. */
  unheard = false;
  /** The disk refused what comes next. */
  blind = false;
  /** Of those sent, how many were sent for this range. */
  #own = 0;
  /**
   * A gap that the journal tells of, until the reading that comes next confirms it: when the one behind the gap was lost
   * in a crash, what comes next may lie within.
   */
  #gap: { to: Place; why: Why } | undefined;
  /** A run of readings that was sent for others while this one waited. */
  #noted: { from: Place; to: Place } | undefined;

  constructor(range: FetchRange) {
    this.range = range;
    this.next = range.from;
  }

  get device(): string {
    return this.range.device;
  }

  /**
   * Follows an entry of its device; returns whether it is to be sent.
   * @param passed it has been published
   */
  take(entry: DeviceEntry, passed: boolean): boolean {
    if (this.over) return false;
    if (entry.kind === 'gap') {
      // What lies between is not accounted for: nobody but the medium can have taken it.
      if (compare(entry.from, this.next) > 0) this.pass(entry.from, this.#silence);
      this.#gap = { to: entry.to, why: entry.link === JOURNAL_LINK ? this.#silence : 'never' };
      return false;
    }
    const place: Place = [entry.epoch, entry.seq];
    this.#confirm(place);
    if (this.over) return false;
    if (compare(place, this.next) < 0) {
      this.unheard = false;
      this.came(entry);
      return false;
    }
    // A sovereign-sdk epoch begins at reading 1, after one that ended without a word.
    const begins = !isEnvelope(entry.bytes) && entry.seq === 1;
    if (!begins || this.unheard) this.pass(place, this.#silence);
    this.unheard = false;
    this.blind = false;
    if (!passed) this.pass(after(entry), 'queued');
    if (this.over || !passed) return false;
    const noted = this.#noted;
    const had = noted !== undefined && compare(place, noted.from) >= 0 && compare(place, noted.to) < 0;
    this.#reach(after(entry));
    if (had) return false;
    this.sent++;
    this.#own++;
    if (this.#own >= MAX_SENT) this.over = true;
    return true;
  }

  /** A reading of its device is being sent for others while this one waits; returns whether it is one of its own too. */
  note(entry: ReadingEntry): boolean {
    const place: Place = [entry.epoch, entry.seq];
    if (this.over || compare(place, this.next) < 0 || compare(place, this.range.to) >= 0) return false;
    const to = after(entry);
    const noted = this.#noted;
    // Of what was sent before the last run, some will be sent twice.
    if (noted === undefined || compare(noted.to, place) !== 0) this.#noted = { from: place, to };
    else noted.to = to;
    this.sent++;
    return true;
  }

  /** What lies below `to`, as far as it belongs to the range, is not held. */
  pass(to: Place, why: Why): void {
    if (this.over) return;
    const end = earlier(to, this.range.to);
    if (compare(this.next, end) >= 0) return;
    const last = this.missing.at(-1);
    if (last !== undefined && last.why === why && compare(last.to, this.next) === 0) {
      this.missing[this.missing.length - 1] = { ...last, to: end };
    } else this.missing.push({ from: this.next, to: end, why });
    this.#reach(end);
    if (this.missing.length >= MAX_MISSING) this.over = true;
  }

  /** The device has come as far as this, before what the range lacks: if its epoch ended there, nothing follows in it. */
  came({ epoch, final }: { epoch: number; final: boolean }): void {
    if (final && epoch === this.next[0]) this.#reach([epoch + 1, 0]);
  }

  /** A segment has been gone through in which the device came as far as `to`. */
  missed(to: Place): void {
    if (compare(to, this.next) > 0) this.#confirm(to);
    this.pass(to, this.blind ? 'unread' : 'lost');
    this.blind = false;
  }

  /**
   * The journal has no more of it.
   * @param rest what is said of the rest: `queued` while readings of its device wait to be durable again
   */
  finish(rest: 'later' | 'queued'): void {
    this.#confirm(undefined);
    if (this.range.to !== undefined) this.pass(this.range.to, rest);
    this.over = true;
  }

  result(last: DevicePosition | undefined): FetchResult {
    const { range, sent, next, missing } = this;
    return { range, sent, reached: next, last: last && [last.epoch, last.seq], missing };
  }

  get #silence(): Why {
    return this.blind ? 'unread' : this.unheard ? 'never' : 'lost';
  }

  /** The device has come as far as `to`: so far, at most, a gap went. */
  #confirm(to: Place | undefined): void {
    const gap = this.#gap;
    if (gap === undefined || (to !== undefined && compare(to, this.next) < 0)) return;
    this.#gap = undefined;
    this.pass(earlier(gap.to, to), gap.why);
  }

  #reach(place: Place): void {
    this.next = earlier(place, this.range.to);
    if (compare(this.next, this.range.to) === 0) this.over = true;
  }
}

/** The place after a device's reading. */
export function after({ epoch, seq, final }: { epoch: number; seq: number; final: boolean }): Place {
  return final ? [epoch + 1, 0] : [epoch, seq + 1];
}
