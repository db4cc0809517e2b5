/**
 * What a backup holds: README.md has the list. The two members that this program makes itself are JSON, `manifest.json` (what
 * stands where) and `state.json` (where the gateway stood); everything else is a copy of a file.
 */
import type { OffsetRange } from '../journal/cursor.js';
import { type DevicePosition, GATEWAY_NAME, MAX_OFFSET } from '../journal/entry.js';
import type { Checkpoint } from '../journal/handover.js';
import type { PreviousSegment } from '../journal/line-writer.js';
import { formFault } from './tar.js';

export const MANIFEST = 'manifest.json';
export const CONFIG = 'config.yaml';
export const KEYRING = 'keyring.yaml';
export const STATE = 'state.json';
export const STATUS = 'status.json';
export const SUMS = 'SHA256SUMS';
/** Members that are files of the data directory, by their names there. */
export const DATA_FILES = ['device-settings.json', 'handover.json'] as const;
export const DATA_FOLDERS = ['evidence', 'journal'] as const;
export const FILES = 'files/';

/** Of members that are held in memory as a whole. */
export const MAX_MEMBER_BYTES = 64 * 1024 * 1024;
export const FORMAT = 1;

export interface BackupManifest {
  readonly backup: typeof FORMAT;
  /** Of the program that made it. */
  readonly version: string;
  /** Unix ms. */
  readonly at: number;
  readonly site: string;
  readonly gateway: string;
  /** Where it lay, absolute. */
  readonly config: string;
  readonly keyring: string;
  readonly data: string;
  /** Files that the configuration names. */
  readonly files: readonly ManifestFile[];
  /** The journal's segments are in it. */
  readonly journal: boolean;
}

export interface ManifestFile {
  readonly member: string;
  /** Absolute. */
  readonly path: string;
  /** Where the configuration names it: `uplink.ca`. */
  readonly setting: string;
}

export interface CursorPlace {
  readonly offset: number;
  readonly ranges: readonly OffsetRange[];
}

/** Where a gateway stands at one instant, by what is durable. */
export interface GatewayPlace extends Checkpoint {
  /** How far each uplink has got, by its cursor's name. */
  readonly cursors: Readonly<Record<string, CursorPlace>>;
}

type PositionRow = readonly [
  device: string,
  epoch: number,
  seq: number,
  tag8: string,
  final: 0 | 1,
  readings: number,
  gaps: number,
];

/** As it goes over the control socket and into `state.json`. */
export interface PlaceObject {
  readonly positions: readonly PositionRow[];
  readonly nextOffset: number;
  readonly durableOffset: number;
  readonly segments: readonly number[];
  readonly previous: PreviousSegment | null;
  readonly cursors: Readonly<Record<string, CursorPlace>>;
}

export function placeObject({ positions, cursors, ...rest }: GatewayPlace): PlaceObject {
  return {
    ...rest,
    cursors: Object.fromEntries(
      Object.entries(cursors).map(([name, { offset, ranges }]) => [name, { offset, ranges: [...ranges] }]),
    ),
    positions: [...positions].map(([device, { epoch, seq, tag8, final, readings, gaps }]) => [
      device,
      epoch,
      seq,
      tag8,
      final ? 1 : 0,
      readings,
      gaps,
    ]),
  };
}

/** @throws Fault `backup-form` when it is no such object */
export function readPlace(value: unknown): GatewayPlace {
  const { positions, nextOffset, durableOffset, segments, previous, cursors } = record(value, STATE);
  const wrong = (what: string) => formFault(`${STATE} has no sound ${what}`);
  if (!Array.isArray(positions)) throw wrong('positions');
  const read = new Map<string, DevicePosition>();
  for (const row of positions) {
    if (!isRow(row) || read.has(row[0])) throw wrong('positions');
    const [device, epoch, seq, tag8, final, readings, gaps] = row;
    read.set(device, { epoch, seq, tag8, final: final === 1, readings, gaps });
  }
  if (!isOffset(nextOffset) || !isOffset(durableOffset) || durableOffset > nextOffset) throw wrong('offsets');
  if (
    !Array.isArray(segments) ||
    !segments.every((first, i) => isOffset(first) && (i === 0 || first > segments[i - 1]))
  )
    throw wrong('segments');
  if (previous !== null && !isPrevious(previous, segments)) throw wrong('end of the journal');
  const places: Record<string, CursorPlace> = {};
  for (const [name, place] of Object.entries(record(cursors, STATE))) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name) || !isCursor(place)) throw wrong('cursors');
    places[name] = { offset: place.offset, ranges: place.ranges.map(([from, to]) => [from, to]) };
  }
  return { positions: read, nextOffset, durableOffset, segments, previous, cursors: places };
}

/** @throws Fault `backup-form`, `backup-newer` */
export function readManifest(value: unknown): BackupManifest {
  const { backup, version, at, site, gateway, config, keyring, data, files, journal } = record(
    value,
    MANIFEST,
  );
  const wrong = (what: string) => formFault(`${MANIFEST} has no sound ${what}`);
  if (backup !== FORMAT) throw formFault(`it is of form ${String(backup)}, and this version knows ${FORMAT}`);
  if (typeof version !== 'string') throw wrong('version');
  if (!isOffset(at)) throw wrong('time');
  if (!isName(site) || !isName(gateway)) throw wrong('site and gateway');
  if (!isPath(config) || !isPath(keyring) || !isPath(data)) throw wrong('paths');
  if (!Array.isArray(files) || !files.every(isManifestFile)) throw wrong('files');
  return { backup, version, at, site, gateway, config, keyring, data, files, journal: journal === true };
}

export function parseJson(bytes: Uint8Array, member: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw formFault(`${member} is no JSON`);
  }
}

function record(value: unknown, member: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw formFault(`${member} holds no object`);
  return value as Record<string, unknown>;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isOffset = (value: unknown): value is number => isWhole(value) && value <= MAX_OFFSET;
const isName = (value: unknown): value is string => typeof value === 'string' && GATEWAY_NAME.test(value);
/** Absolute, and nothing in it leads back up. */
const isPath = (value: unknown): value is string =>
  typeof value === 'string' && /^\/[^\0]{0,4095}$/.test(value) && !/\/\.{1,2}(\/|$)/.test(value);
const isId = (value: unknown) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);

function isRow(row: unknown): row is PositionRow {
  if (!Array.isArray(row) || row.length !== 7) return false;
  const [device, epoch, seq, tag8, final, readings, gaps] = row;
  const tagged = tag8 === '' || isId(tag8);
  return (
    isId(device) && tagged && (final === 0 || final === 1) && [epoch, seq, readings, gaps].every(isWhole)
  );
}

function isPrevious(value: unknown, segments: readonly number[]): value is PreviousSegment {
  if (typeof value !== 'object' || value === null) return false;
  const { first, last, bytes } = value as Partial<PreviousSegment>;
  return first === segments.at(-1) && isOffset(last) && isWhole(bytes);
}

function isCursor(value: unknown): value is CursorPlace {
  if (typeof value !== 'object' || value === null) return false;
  const { offset, ranges } = value as Partial<CursorPlace>;
  const pair = (range: unknown) => Array.isArray(range) && range.length === 2 && range.every(isOffset);
  return isOffset(offset) && Array.isArray(ranges) && ranges.every(pair);
}

function isManifestFile(value: unknown): value is ManifestFile {
  if (typeof value !== 'object' || value === null) return false;
  const { member, path, setting } = value as Partial<ManifestFile>;
  return (
    typeof member === 'string' &&
    /^files\/\d{1,3}-[A-Za-z0-9._-]{1,64}$/.test(member) &&
    isPath(path) &&
    typeof setting === 'string' &&
    /^[A-Za-z]{1,32}(\.[A-Za-z]{1,32}){1,4}$/.test(setting)
  );
}
