/**
 * Puts damaged lines that stand side by side together, and finds out which offsets can have stood in them: those
 * between the sound lines before and behind. Memory is bounded, however much is damaged.
 */
import { type Damage, type DamageReason, MAX_OFFSET } from './entry.js';

/** What a damaged line still looks like; its checksum doesn't vouch for it. */
export interface Resemblance {
  offset: number;
  device: string;
  epoch: number;
  seq: number;
}

export interface DamagedRange {
  number: number;
  reason: DamageReason;
  segment: string;
  at: number;
  bytes: number;
  missingBytes: number;
  detail: string;
  /** `[from, to)`: only entries with these offsets can have stood here; none when both are equal. */
  offsets: [from: number, to: number];
  /** False: how far they go is not known, since no sound line follows. */
  bounded: boolean;
  looksLike: Resemblance[];
  /** repair has noted it before, and can do no more about it. */
  noted: boolean;
}

/** Ranges wait for the sound line behind them; more than this are told without it. */
const MAX_WAITING = 64;
const MAX_RESEMBLANCES = 8;
const READING =
  /"o":(\d{1,16}),"t":\d+,"l":"[^"]{0,768}","d":"([0-9a-f]{16})","e":(\d{1,16}),"q":(\d{1,16})\D/g;

export class DamagedRanges {
  readonly #waiting: DamagedRange[] = [];

  /** Takes one in; returns those that can wait no longer. */
  add(damage: Damage, noted: boolean): DamagedRange[] {
    const { number, reason, segment, at, bytes, missingBytes, detail, after, copy } = damage;
    const last = this.#waiting[this.#waiting.length - 1];
    if (last?.number === number) {
      last.bytes += bytes;
      last.missingBytes += missingBytes;
      if (last.detail !== detail) last.detail = 'no line here can be believed';
      resemblances(copy, last.looksLike);
      return [];
    }
    const range: DamagedRange = {
      ...{ number, reason, segment, at, bytes, missingBytes, detail, noted },
      offsets: [after + 1, MAX_OFFSET],
      bounded: false,
      looksLike: [],
    };
    resemblances(copy, range.looksLike);
    const told = this.#waiting.length < MAX_WAITING ? [] : this.#waiting.splice(0);
    this.#waiting.push(range);
    return told;
  }

  /**
   * A sound line with this offset, or a segment that begins with it: nothing at or behind it stood before. Ranges that
   * begin behind it wait on: what a header shows to be lost can be told after them.
   */
  until(offset: number): DamagedRange[] {
    if (this.#waiting.length === 0) return this.#waiting;
    const behind = this.#waiting.findIndex(({ offsets }) => offsets[0] > offset);
    const told = this.#waiting.splice(0, behind < 0 ? this.#waiting.length : behind);
    for (const range of told) {
      range.offsets[1] = offset;
      range.bounded = true;
    }
    return told;
  }

  /** At the end. */
  rest(): DamagedRange[] {
    return this.#waiting.splice(0);
  }
}

function resemblances(copy: Uint8Array, into: Resemblance[]): void {
  if (into.length >= MAX_RESEMBLANCES || copy.length === 0) return;
  const text = Buffer.from(copy.buffer, copy.byteOffset, copy.length).toString('latin1');
  for (const [, offset, device, epoch, seq] of text.matchAll(READING)) {
    if (into.length >= MAX_RESEMBLANCES) return;
    into.push({ offset: Number(offset), device, epoch: Number(epoch), seq: Number(seq) });
  }
}
