/**
 * What the journal holds, and what it tells about what it has lost.
 *
 * Entries belong to the journal once they are appended: neither they nor their bytes may change afterwards.
 */

/** A reading that passed every gate: the sealed bytes with where and when they came in. */
export interface ReadingEntry {
  kind: 'reading';
  /** When the gateway received it, Unix ms. */
  at: number;
  /** Name of the link it came over, at most 128 characters (the rest is cut off). */
  link: string;
  /** Device id, 16 hex digits. */
  device: string;
  epoch: number;
  seq: number;
  /** The envelope, or the wrapped frame of a sovereign-sdk sensor, at most `MAX_PAYLOAD_BYTES`. */
  bytes: Uint8Array;
  /** First 8 bytes of the tag, 16 hex digits. */
  tag8: string;
  /** The epoch ends with this reading. */
  final: boolean;
  /** Place in the journal; set by the journal, -1 before. Rises, with holes, and is never used twice. */
  offset: number;
}

/** Readings of one device that are gone: `[epoch, seq]` from (inclusive) to (exclusive). */
export interface GapEntry {
  kind: 'gap';
  at: number;
  /** The link; `journal` when the journal itself lost them and the reader found out. */
  link: string;
  device: string;
  from: [epoch: number, seq: number];
  to: [epoch: number, seq: number];
  offset: number;
}

/**
 * Here the journal of another gateway goes on, which this one was restored from (`sovereign restore`). What stands before it
 * is that gateway's, up to the backup; what that gateway has taken in after the backup stands nowhere in this journal.
 */
export interface HandoverEntry {
  kind: 'handover';
  /** When it was restored, Unix ms. */
  at: number;
  /** Names of the gateways: the one that was backed up, and this one. */
  from: string;
  to: string;
  /** When the backup was taken, Unix ms of the old gateway. */
  backupAt: number;
  /** The offset that the old gateway would have given next. */
  next: number;
  offset: number;
}

/** What speaks of a device. */
export type DeviceEntry = ReadingEntry | GapEntry;
export type Entry = DeviceEntry | HandoverEntry;

/** The link name of gaps that a reader reports because the medium lost lines. */
export const JOURNAL_LINK = 'journal';

/** The last reading of a device, and what has been counted of it since the journal began. */
export interface DevicePosition {
  epoch: number;
  seq: number;
  tag8: string;
  final: boolean;
  /** Readings journalled, copies not counted. */
  readings: number;
  /** Gaps journalled. */
  gaps: number;
}

/** A reading whose tag is remembered, to tell a replay from a fork. */
export interface RecentTag {
  device: string;
  epoch: number;
  seq: number;
  tag8: string;
}

/**
 * Bytes of a segment that don't say what they should.
 *
 * `line`: fails its checksum or its shape; `header`: the segment doesn't say where it stands; `device`: a line
 * of the header's snapshot; `order`: a sound line in a wrong place; `feed`: a line feed, with sound lines on both
 * sides; `bounds`: bytes that were synced are not there; `counts`: the snapshot doesn't agree with the lines;
 * `missing`: a segment is not there; `io`: the medium refuses to read; `torn`: fails its checksum, but was not known
 * to be synced, which is normal after a crash.
 */
export type DamageReason =
  | 'line'
  | 'header'
  | 'device'
  | 'order'
  | 'feed'
  | 'bounds'
  | 'counts'
  | 'missing'
  | 'io'
  | 'torn';

export interface Damage {
  reason: DamageReason;
  /** File name of the segment. */
  segment: string;
  /** From 1; what follows directly on damage of the same segment has the same number. */
  number: number;
  /** Where in the file, and how many bytes. */
  at: number;
  bytes: number;
  /** Bytes that should stand before `at` and don't. */
  missingBytes: number;
  /** Offset of the last sound line before. */
  after: number;
  /** One sentence for people. */
  detail: string;
  /** The bytes themselves, at most the first 16 KiB of them. */
  copy: Uint8Array;
}

export type DamageListener = (damage: Damage) => void;

/**
 * Offsets stay far below what a number holds exactly: a planted name or cursor near 2^53 would leave none to give
 * out. A million readings a second take 142 years to get there.
 */
export const MAX_OFFSET = 2 ** 52;

/**
 * Offsets of one era: from a multiple of this up to the next. A journal begins in era 0; each restore from a backup begins
 * another, so far above that the old gateway can't have come there since the backup: eras are at least half of this apart
 * from what the backup knows, and at half a million entries a second, more than any gateway takes in, that takes 200 days.
 */
export const ERA_OFFSETS = 2 ** 44;

/** 0: never restored. */
export function eraOf(offset: number): number {
  return Math.floor(offset / ERA_OFFSETS);
}

/** What a gateway may be called, as in the configuration: it stands in topics. */
export const GATEWAY_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Longest payload of one line. A frame is at most 4,096 bytes. */
export const MAX_PAYLOAD_BYTES = 8192;
export const MAX_LINK_CHARS = 128;

/** Negative, zero or positive as (epoch, seq) a stands before, at or after b. */
export function comparePlaces(aEpoch: number, aSeq: number, bEpoch: number, bSeq: number): number {
  return aEpoch === bEpoch ? aSeq - bSeq : aEpoch - bEpoch;
}
