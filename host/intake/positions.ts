/**
 * How far a device has got, twice: what has been handed to the journal (tentative) decides what comes next, so
 * that readings can follow one another while the disk is busy; what the journal has said is durable decides
 * what a receipt may say.
 */
import {
  comparePositions,
  fromHex,
  type Memory,
  type Position,
  type Receipted,
} from '../../firmware/seal/index.js';
import { RecentTags } from './recent-tags.js';

/** How many of a device's latest readings can be told apart from forks. */
export const REMEMBERED_TAGS = 512;

class MutablePosition implements Position {
  epoch = 0;
  seq = 0;
  readonly tag8 = new Uint8Array(8);
  final = false;
}

export class Positions {
  readonly #recent = new RecentTags(REMEMBERED_TAGS);
  readonly #tentative = new MutablePosition();
  #hasTentative = false;
  #durable: { epoch: number; seq: number; tag8: string } | undefined;
  /** A gap that has been journalled ends here, although the reading behind it was not taken. */
  #gapEpoch = -1;
  #gapSeq = -1;

  /** The last reading handed to the journal; the same object every time. */
  get tentative(): Position | undefined {
    return this.#hasTentative ? this.#tentative : undefined;
  }

  /** The last durable reading, for a receipt. */
  get durable(): Receipted | undefined {
    const last = this.#durable;
    return last && { epoch: last.epoch, seq: last.seq, tag8: fromHex(last.tag8)! };
  }

  get durableEpoch(): number {
    return this.#durable?.epoch ?? -1;
  }

  get durableSeq(): number {
    return this.#durable?.seq ?? -1;
  }

  /** What the journal holds from before this run: the last reading, and the tags of some before it, in order. */
  restore(
    recent: readonly { epoch: number; seq: number; tag8: string }[],
    last: { epoch: number; seq: number; tag8: string; final: boolean },
  ): void {
    let [epoch, seq] = [-1, -1];
    for (const tag of recent) {
      if (comparePositions(tag.epoch, tag.seq, epoch, seq) <= 0) continue; // a copy of one before
      if (comparePositions(tag.epoch, tag.seq, last.epoch, last.seq) >= 0) break;
      this.#recent.add(tag.epoch, tag.seq, fromHex(tag.tag8)!, 0, -1);
      [epoch, seq] = [tag.epoch, tag.seq];
    }
    this.appended(last.epoch, last.seq, fromHex(last.tag8)!, 0, last.final);
    this.#durable = { epoch: last.epoch, seq: last.seq, tag8: last.tag8 };
  }

  /** Whether (epoch, seq) is later than everything handed to the journal. */
  isBefore(epoch: number, seq: number): boolean {
    const last = this.tentative;
    return last === undefined || comparePositions(last.epoch, last.seq, epoch, seq) < 0;
  }

  /** The journal has taken a reading: `tags[tagAt, tagAt + 8)`. */
  appended(epoch: number, seq: number, tags: Uint8Array, tagAt: number, final: boolean): void {
    const position = this.#tentative;
    position.epoch = epoch;
    position.seq = seq;
    for (let i = 0; i < 8; i++) position.tag8[i] = tags[tagAt + i];
    position.final = final;
    this.#hasTentative = true;
    this.#recent.add(epoch, seq, tags, tagAt, -1);
  }

  /** The journal says that a reading is durable, at this offset. */
  synced(epoch: number, seq: number, tag8: string, offset: number): void {
    const last = this.#durable;
    // The journal may repeat what it recovered; a receipt never steps back.
    if (last === undefined) this.#durable = { epoch, seq, tag8 };
    else if (comparePositions(epoch, seq, last.epoch, last.seq) > 0) {
      last.epoch = epoch;
      last.seq = seq;
      last.tag8 = tag8;
    }
    const slot = this.#recent.find(epoch, seq);
    if (slot >= 0) this.#recent.setOffset(slot, offset);
  }

  memoryOf(epoch: number, seq: number, tags: Uint8Array, tagAt: number): Memory {
    const slot = this.#recent.find(epoch, seq);
    if (slot < 0) return 'none';
    return this.#recent.tagMatches(slot, tags, tagAt) ? 'same' : 'other';
  }

  /** What is remembered of a reading: its tag, and its offset in the journal (-1: unknown or not yet durable). */
  remembered(epoch: number, seq: number): { tag8: Uint8Array; offset: number } | undefined {
    const slot = this.#recent.find(epoch, seq);
    return slot < 0 ? undefined : { tag8: this.#recent.tag8(slot), offset: this.#recent.offset(slot) };
  }

  /** Whether (epoch, seq) is durable. */
  isDurable(epoch: number, seq: number): boolean {
    const last = this.#durable;
    return last !== undefined && comparePositions(epoch, seq, last.epoch, last.seq) <= 0;
  }

  gapNoted(epoch: number, seq: number): boolean {
    return this.#gapEpoch === epoch && this.#gapSeq === seq;
  }

  noteGap(epoch: number, seq: number): void {
    this.#gapEpoch = epoch;
    this.#gapSeq = seq;
  }
}
