/**
 * Says of each line of a journal whether it may be believed where it stands, and what is missing between them.
 *
 * Readers and tools share it, so that what `check` names is what the gateway doesn't serve. A checksum alone isn't
 * enough: a block that the medium wrote to a wrong place is full of sound lines.
 */
import type { Damage, DamageReason, Entry, GapEntry } from './entry.js';
import type { DeviceLine, HeaderLine } from './line-reader.js';
import { MIN_ENTRY_BYTES } from './line-writer.js';
import { type FoundLoss, type LossCause, LossFinder, type UnknownLoss } from './loss.js';
import { segmentName } from './names.js';
import type { Scanned, Scanner } from './scanner.js';

/** Few lines are shorter. */
const USUAL_ENTRY_BYTES = 110;

export interface JudgeListener {
  entry(entry: Entry): void;
  damage(damage: Damage): void;
  /** Comes before the entry, or after the header, that shows it; `gap.offset` is theirs. */
  loss(gap: GapEntry, cause: LossCause): void;
  unknown(loss: UnknownLoss): void;
}

/** What is known of a segment before its lines are looked at. */
export interface SegmentFacts {
  first: number;
  /** First offset of the next segment, which none here may reach. */
  limit: number;
  /** Lines from here on need not have been synced … */
  bound: number;
  /** … and count only up to this offset: bytes put in or cut out before move them across the bound. 0: not known. */
  last: number;
}

export class LineJudge {
  readonly #listener: JudgeListener;
  #losses = new LossFinder();
  #facts: SegmentFacts = { first: 0, limit: 0, bound: 0, last: 0 };
  #header: HeaderLine | undefined;
  /**
   * Lines of the snapshot: sound ones, and how many are damaged or blank. Positions count only together: a line of
   * another snapshot would be a false position.
   */
  #snapshot: DeviceLine[] = [];
  #unsound = 0;
  /** The snapshot is over: a line that belongs here has followed it, or a damaged one. */
  #body = false;
  /** Its header speaks of another segment: so does its snapshot. */
  #foreign = false;
  /** The segment before; 0: none. */
  #passed = 0;
  /** Offset of the last sound line. */
  #last = 0;
  /** The highest offset of a line that stands in a wrong place: lines up to it have been there. */
  #highest = 0;
  #damages = 0;
  /** Where the last damaged range ends, so that the next one may go on with it. */
  #damageEnd = { first: 0, at: -1 };
  /** Bytes without a sound line since the last offset. */
  #dark = 0;

  constructor(listener: JudgeListener) {
    this.#listener = listener;
  }

  /** Offset of the last sound line. */
  get last(): number {
    return this.#last;
  }

  begin(facts: SegmentFacts): void {
    const { first } = facts;
    // The name alone says this much, whatever has become of the header.
    if (this.#last > 0 && first !== this.#last + 1) this.#losses.hole();
    this.#last = Math.max(this.#last, first);
    this.#dark = 0;
    this.#facts = facts;
    this.#header = undefined;
    this.#snapshot = [];
    this.#unsound = 0;
    this.#body = false;
    this.#foreign = false;
  }

  /** Whether the offset leaps over more lines than the damage since the last one is likely to have held. */
  leaps(line: Scanned): line is Entry {
    if (typeof line !== 'object' || !('offset' in line) || !this.#fits(line.offset)) return false;
    return (line.offset - this.#last - 1) * USUAL_ENTRY_BYTES > this.#dark;
  }

  /**
   * @param misplaced a sound line whose offset belongs further behind
   * @returns false: it need not have been synced, and nothing is said of it
   */
  line(line: Scanned, scanner: Scanner, misplaced = false): boolean {
    if (this.#isBeyond(line, scanner)) {
      if (line === 'blank') this.#losses.blank();
      return false;
    }
    if (line === 'damaged' || line === 'torn') {
      const reason = scanner.at === 0 ? 'header' : this.#inSnapshot() ? 'device' : 'line';
      if (reason !== 'line') this.#lostOfSnapshot();
      // What the whole snapshot shows to be lost was lost before it, and not here.
      else if (this.#header) this.#endSnapshot(scanner.at);
      this.damaged(reason, scanner, 'fails its checksum');
    } else if (line === 'blank') {
      const marksSnapshot = scanner.bytes === 1 && !this.#body;
      if (scanner.at === 0 || this.#inSnapshot() || marksSnapshot) this.#lostOfSnapshot();
      this.#dark += scanner.bytes;
      this.#losses.blank();
    } else if (line.kind === 'header') {
      this.#onHeader(line, scanner);
    } else if (line.kind === 'device') {
      this.#onDevice(line, scanner);
    } else if (line.kind !== 'mark') {
      this.#onEntry(line, scanner, misplaced);
    }
    if (scanner.feed !== 'sound') this.#badFeed(scanner);
    return true;
  }

  /** A line past what is known to be synced, which the gateway takes up when it opens the journal; false: it doesn't. */
  tail(entry: Entry, scanner: Scanner): boolean {
    if (!this.#fits(entry.offset)) return false;
    this.#onEntry(entry, scanner, false);
    return true;
  }

  /** A line of the header past what is known to be synced; false: it doesn't belong there. */
  tailHeader(line: HeaderLine | DeviceLine, scanner: Scanner): boolean {
    // However many came before: how many stood in damaged ones can't be told.
    let belongs = !this.#body && !this.#foreign;
    if (line.kind === 'header') belongs = scanner.at === 0 && line.first === this.#facts.first;
    if (!belongs) return false;
    if (line.kind === 'header') this.#onHeader(line, scanner);
    else this.#onDevice(line, scanner);
    return true;
  }

  /** A line past what is known to be synced that can't be read: normal after a crash. */
  torn({ at }: Scanner): void {
    if (at === 0 || this.#inSnapshot()) this.#lostOfSnapshot();
  }

  /** At the end of a segment: `end` is how far it could be read. */
  end(end: number, expectedBytes: number): void {
    this.#endSnapshot(end);
    const { first } = this.#facts;
    const missing = expectedBytes - end;
    if (missing > 0) this.report('bounds', end, missing, `the file ends ${missing} bytes too early`);
    this.#passed = first;
  }

  /** At the end of the journal: tells what nothing has settled. */
  finish(): void {
    // The last segment may end within its snapshot: then there may have been devices that nothing names.
    this.#endSnapshot(this.#facts.bound);
    if (this.#dark >= MIN_ENTRY_BYTES || this.#highest > this.#last) this.#losses.hole();
    for (const loss of this.#losses.unknown()) this.#listener.unknown(loss);
  }

  /** The segments up to here are gone by right: what comes is a journal's begin. */
  restart(): void {
    this.#losses = new LossFinder(this.#damages);
    this.#last = 0;
    this.#passed = 0;
  }

  /** A segment that is in the directory can't be read from `at` on, or is not there any more. */
  lost(reason: 'io' | 'missing', first: number, at: number, bytes: number, detail: string): void {
    this.#facts = { ...this.#facts, first };
    this.#losses.incomplete();
    this.report(reason, at, bytes, detail);
    this.#dark += Math.max(bytes, MIN_ENTRY_BYTES);
    this.#passed = first;
  }

  damaged(reason: DamageReason, scanner: Scanner, detail: string): void {
    this.#dark += scanner.bytes;
    this.report(reason, scanner.at, scanner.bytes, detail, scanner.copy());
  }

  report(
    reason: DamageReason,
    at: number,
    bytes: number,
    detail: string,
    copy: Uint8Array = new Uint8Array(0),
    missingBytes = 0,
  ): void {
    const { first } = this.#facts;
    const { first: lastFirst, at: lastAt } = this.#damageEnd;
    if (bytes === 0 || lastFirst !== first || lastAt !== at) {
      this.#damages++;
      this.#losses.damage();
    }
    this.#damageEnd = { first, at: at + bytes };
    this.#dark += missingBytes;
    const segment = segmentName(first);
    const number = this.#damages;
    this.#listener.damage({
      ...{ reason, segment, number, at, bytes, missingBytes, after: this.#last, detail, copy },
    });
  }

  /** What was never synced, or what was copied into the next segment. */
  #isBeyond(line: Scanned, { at }: Scanner): boolean {
    const { bound, last } = this.#facts;
    const isEntry = typeof line === 'object' && 'offset' in line;
    if (isEntry) return line.offset > last && (at >= bound || last > 0);
    // As long as the last synced line has not come, it may stand here, behind bytes that were put in.
    return at >= bound && this.#last >= last;
  }

  /** Less of the snapshot has come than the header announces. */
  #inSnapshot(): boolean {
    const header = this.#header;
    return header !== undefined && !this.#body && this.#snapshot.length + this.#unsound < header.devices;
  }

  #lostOfSnapshot(): void {
    this.#unsound++;
    this.#losses.incomplete();
  }

  #endSnapshot(at: number): void {
    if (this.#body) return;
    this.#body = true;
    const [header, snapshot] = [this.#header, this.#snapshot];
    this.#snapshot = [];
    if (!header) return;
    const { first, bound } = this.#facts;
    if (this.#unsound === 0 && snapshot.length === header.devices) {
      for (const { device, position } of snapshot) {
        this.#found(this.#losses.snapshot(device, position, header.at, first));
      }
      return;
    }
    this.#losses.incomplete();
    if (this.#unsound > 0 || at >= bound) return;
    const detail = `the header announces ${header.devices} devices, ${snapshot.length} are there`;
    // A blank line of one byte in its place says afterwards that it isn't whole.
    this.report('counts', at, 0, detail, undefined, 1);
  }

  #onHeader(header: HeaderLine, scanner: Scanner): void {
    const { first } = this.#facts;
    if (scanner.at !== 0 || header.first !== first) {
      if (this.#inSnapshot() || scanner.at === 0) this.#lostOfSnapshot();
      this.#foreign ||= scanner.at === 0;
      this.damaged('header', scanner, `a header of segment ${header.first} stands here`);
      return;
    }
    this.#header = header;
    const { previous } = header;
    if (this.#passed > 0 && previous && previous.first > this.#passed) {
      const detail = `the segment before, ${segmentName(previous.first)}, with offsets to ${previous.last}`;
      this.report('missing', 0, 0, `${detail}, is not there`);
    }
    this.#losses.header();
  }

  #onDevice(line: DeviceLine, scanner: Scanner): void {
    if (this.#foreign || this.#body) {
      this.damaged('device', scanner, 'belongs to the snapshot of another segment');
      return;
    }
    this.#snapshot.push(line);
  }

  /** Whether an offset may stand here. */
  #fits(offset: number): boolean {
    return offset > this.#last && offset < this.#facts.limit;
  }

  #onEntry(entry: Entry, scanner: Scanner, misplaced: boolean): void {
    const { offset } = entry;
    if (misplaced || !this.#fits(offset)) {
      const { limit } = this.#facts;
      this.#highest = Math.max(this.#highest, offset);
      this.damaged('order', scanner, `offset ${offset} does not belong between ${this.#last} and ${limit}`);
      return;
    }
    // Only now: a snapshot and the mark behind it may belong to another segment, and then its own follows.
    this.#endSnapshot(scanner.at);
    if (offset !== this.#last + 1) this.#losses.hole();
    this.#last = offset;
    this.#dark = 0;
    this.#found(this.#losses.entry(entry));
    this.#listener.entry(entry);
  }

  #found(found: FoundLoss | undefined): void {
    if (!found) return;
    const { device, gap, cause, before } = found;
    if (gap) this.#listener.loss(gap, cause);
    if (before) this.#listener.unknown({ device, before, cause });
  }

  #badFeed({ at, bytes, feed }: Scanner): void {
    const cut = feed === 'cut';
    const detail = 'the line feed; the lines on both sides are whole';
    this.report('feed', cut ? at + bytes : at + bytes - 1, cut ? 0 : 1, detail, undefined, cut ? 1 : 0);
  }
}
