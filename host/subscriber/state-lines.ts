/**
 * What a line of a subscriber's state may say. Its checksum proves that it was written whole, not that it was written
 * by a subscriber of this version: what doesn't make sense costs that line, and nothing else.
 */
import { type DeviceSnapshot, MAX_EPOCHS, MAX_GAPS, MAX_RANGES } from './history.js';

export type Run = [device: string, epoch: number, from: number, to: number, final: 0 | 1, sdk: 0 | 1];
export type PlaceLine = [device: string, epoch: number, seq: number];
export type GapLine = [device: string, fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number];
export type HeldLine = [number: number, device: string, site: string, base64url: string];

/** Readings of one line; a batch, with the held envelopes that a new keyring sets free, is far below that. */
export const MAX_LINE_READINGS = 16_384;
const MAX_SITE_CHARS = 128;
const DEVICE = /^[0-9a-f]{16}$/;
/** Past the last sequence or epoch: the end of a range may stand there. */
const END = 2 ** 53;

const whole = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= END && Math.floor(value) === value;
const bit = (value: unknown) => value === 0 || value === 1;
const isDevice = (value: unknown) => typeof value === 'string' && DEVICE.test(value);
const list = (value: unknown, min: number, max: number): value is unknown[] =>
  Array.isArray(value) && value.length >= min && value.length <= max;

export function isSnapshot(line: object): line is DeviceSnapshot {
  const { d, k, f, t, e, g } = line as Record<string, unknown>;
  return (
    isDevice(d) &&
    bit(k) &&
    whole(f) &&
    (t === null || (list(t, 3, 3) && whole(t[0]) && whole(t[1]) && bit(t[2]))) &&
    list(e, 0, MAX_EPOCHS) &&
    e.every(isEpoch) &&
    list(g, 0, MAX_GAPS) &&
    g.every(isSnapshotGap)
  );
}

/** Number, floor, and pairs of ranges that rise. */
function isEpoch(value: unknown): boolean {
  if (!list(value, 2, 2 + 2 * MAX_RANGES) || value.length % 2 !== 0 || !value.every(whole)) return false;
  for (let i = 3; i < value.length; i++) if (value[i] <= value[i - 1]) return false;
  return true;
}

function isSnapshotGap(value: unknown): boolean {
  if (!list(value, 4, 5) || !value.every(whole)) return false;
  return value.length === 4 || value[4] === 1 || value[4] === 2;
}

export function isRuns(value: unknown): value is Run[] {
  if (!list(value, 1, MAX_LINE_READINGS)) return false;
  let readings = 0;
  for (const run of value) {
    if (!list(run, 6, 6) || !isDevice(run[0]) || !bit(run[4]) || !bit(run[5])) return false;
    const [, epoch, from, to] = run;
    if (!whole(epoch) || !whole(from) || !whole(to) || to <= from) return false;
    readings += to - from;
    if (readings > MAX_LINE_READINGS) return false;
  }
  return true;
}

export function isPlace(value: unknown): value is PlaceLine {
  return list(value, 3, 3) && isDevice(value[0]) && whole(value[1]) && whole(value[2]);
}

export function isGap(value: unknown): value is GapLine {
  return list(value, 5, 5) && isDevice(value[0]) && value.slice(1).every(whole);
}

export function isHeld(value: unknown): value is HeldLine {
  if (!list(value, 4, 4)) return false;
  const [number, device, site, text] = value;
  if (!whole(number) || number === 0 || number === END || !isDevice(device)) return false;
  if (typeof site !== 'string' || site.length > MAX_SITE_CHARS || typeof text !== 'string') return false;
  return Buffer.from(text, 'base64url').toString('base64url') === text;
}

export function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(whole);
}
