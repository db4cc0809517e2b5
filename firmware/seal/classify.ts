/**
 * What an authentic reading is, beside the last one that was accepted of its device, at (E, S).
 *
 * A device's readings are ordered by (epoch, sequence) and accepted in that order. Four facts decide; which of
 * them matters depends on the first, so the table below holds every combination there is.
 */
import { equalBytes } from './bytes.js';
import { MAX_SAFE, SHORT_TAG_BYTES } from './limits.js';

/** The last reading accepted of a device. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
  /** The first 8 bytes of its tag. */
  readonly tag8: Uint8Array;
  /** Whether it ended its epoch (kind 3). */
  readonly final: boolean;
}

/** `next`: accept. `gap`: accept, and record what is missing before it. The others: do not accept. */
export type Verdict = 'next' | 'gap' | 'early' | 'fork' | 'replay' | 'stale';

/** Where a reading lies. Without a position, sequence 0 is `epoch-start` and everything else `beyond`. */
export type Where =
  /** (E, S + 1) */
  | 'successor'
  /** Sequence 0 of a later epoch. */
  | 'epoch-start'
  /** Any other later one. */
  | 'beyond'
  /** (E, S) or before. */
  | 'past';
/** Whether a successor's link is the tag of the reading at (E, S). */
export type Link = 'matches' | 'differs';
/** What the session's hello says of the readings between (E, S) and this one. */
export type Held =
  /** The device holds none of them any more. */
  | 'gone'
  /** It holds some of them. */
  | 'held'
  /** Nothing: there is no hello, or it was said before they were accepted. */
  | 'unsaid';
/** Whether a past reading has the tag that the gateway remembers for its (epoch, sequence). */
export type Memory = 'same' | 'other' | 'none';

export interface Facts {
  readonly where: Where;
  readonly link: Link;
  readonly held: Held;
  readonly memory: Memory;
}

/**
 * A later epoch's first reading needs no hello that says what became of those before it: a device sends it only
 * when it holds nothing of earlier epochs any more, neither unsent nor without receipt.
 */
const VERDICTS = {
  successor: { matches: 'next', differs: 'fork' },
  'epoch-start': { gone: 'next', held: 'early', unsaid: 'next' },
  beyond: { gone: 'gap', held: 'early', unsaid: 'early' },
  past: { same: 'replay', other: 'fork', none: 'stale' },
} as const;

export function classify(facts: Facts): Verdict {
  if (facts.where === 'successor') return VERDICTS.successor[facts.link];
  if (facts.where === 'past') return VERDICTS.past[facts.memory];
  return VERDICTS[facts.where][facts.held];
}

export function whereOf(position: Position | undefined, epoch: number, seq: number): Where {
  if (position !== undefined) {
    const order = comparePositions(epoch, seq, position.epoch, position.seq);
    if (order <= 0) return 'past';
    if (epoch === position.epoch) return seq === position.seq + 1 ? 'successor' : 'beyond';
  }
  return seq === 0 ? 'epoch-start' : 'beyond';
}

/** `bytes[prevAt, prevAt + 8)` is the link of the reading. */
export function linkOf(position: Position | undefined, bytes: Uint8Array, prevAt: number): Link {
  if (position === undefined) return 'differs';
  return equalBytes(position.tag8, 0, bytes, prevAt, SHORT_TAG_BYTES) ? 'matches' : 'differs';
}

/** The part of a hello that tells what a device still holds. A `MessageReader` has the same fields. */
export interface Holding {
  readonly epoch: number;
  /** The sequence of the next reading. */
  readonly next: number;
  /** The oldest reading held; -1 when none is: then the next one is the oldest to come. */
  readonly oldestEpoch: number;
  readonly oldestSeq: number;
}

export function heldOf(
  hello: Holding | undefined,
  position: Position | undefined,
  epoch: number,
  seq: number,
): Held {
  if (hello === undefined) return 'unsaid';
  const none = hello.oldestEpoch < 0;
  const oldestEpoch = none ? hello.epoch : hello.oldestEpoch;
  const oldestSeq = none ? hello.next : hello.oldestSeq;
  if (comparePositions(oldestEpoch, oldestSeq, epoch, seq) >= 0) return 'gone';
  if (position === undefined) return 'held';
  return comparePositions(oldestEpoch, oldestSeq, position.epoch, position.seq) > 0 ? 'held' : 'unsaid';
}

/** What is missing: from (fromEpoch, fromSeq) up to, not including, (toEpoch, toSeq). */
export interface Gap {
  readonly fromEpoch: number;
  readonly fromSeq: number;
  readonly toEpoch: number;
  readonly toSeq: number;
}

/**
 * What is missing before an accepted reading; undefined when nothing is. What was sealed before the first
 * reading ever accepted of a device is not missing, save in that reading's own epoch.
 */
export function gapBetween(position: Position | undefined, epoch: number, seq: number): Gap | undefined {
  if (position === undefined) {
    return seq === 0 ? undefined : { fromEpoch: epoch, fromSeq: 0, toEpoch: epoch, toSeq: seq };
  }
  // Behind the largest sequence there is nothing left of an epoch either: whoever has a key can seal it.
  // In the epoch itself, one of two memories goes on where the other has ended it.
  const ended = epoch > position.epoch && (position.final || position.seq >= MAX_SAFE);
  const fromEpoch = ended ? position.epoch + 1 : position.epoch;
  const fromSeq = ended ? 0 : position.seq + 1;
  if (comparePositions(fromEpoch, fromSeq, epoch, seq) >= 0) return undefined;
  return { fromEpoch, fromSeq, toEpoch: epoch, toSeq: seq };
}

/** Below 0, 0 or above 0 as (epoch, seq) lies before, at or after the other. */
export function comparePositions(epoch: number, seq: number, otherEpoch: number, otherSeq: number): number {
  return epoch !== otherEpoch ? epoch - otherEpoch : seq - otherSeq;
}
