/**
 * Reads one line of a segment. Nothing is believed before the checksum agrees; a line that passes it and still
 * isn't byte for byte what the writer writes for one of the six kinds is refused like a damaged one.
 */
import { crc32 } from 'node:zlib';
import { IdTexts } from '../hex.js';
import { decodeBase64Url } from './base64url.js';
import {
  type DevicePosition,
  type Entry,
  GATEWAY_NAME,
  type GapEntry,
  type HandoverEntry,
  MAX_OFFSET,
  MAX_PAYLOAD_BYTES,
  type ReadingEntry,
} from './entry.js';
import {
  deviceText,
  FORMAT,
  gapText,
  handoverText,
  isDevice,
  linkText,
  markText,
  type PreviousSegment,
  segmentText,
  TRAILER_BYTES,
} from './line-writer.js';
import { payloadTag8 } from './payload.js';

export interface HeaderLine {
  kind: 'header';
  first: number;
  /** When the segment was begun, Unix ms. */
  at: number;
  previous: PreviousSegment | undefined;
  /** How many device lines follow. */
  devices: number;
}

export interface DeviceLine {
  kind: 'device';
  device: string;
  position: DevicePosition;
}

export interface MarkLine {
  kind: 'mark';
  synced: number;
}

export type Line = HeaderLine | DeviceLine | MarkLine | Entry;

/** What a mark has digits for. */
const MARK_END = 1e14;
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CRC_BYTES = TRAILER_BYTES - 1;

/**
 * True when [from, to), without its line feed, ends in the checksum of what precedes it.
 */
export function checksumHolds(bytes: Buffer, from: number, to: number): boolean {
  const at = to - CRC_BYTES;
  if (at <= from || bytes[at] !== 0x2c || bytes[at + 1] !== QUOTE || bytes[at + 2] !== 0x63) return false;
  if (bytes[at + 3] !== QUOTE || bytes[at + 4] !== 0x3a || bytes[at + 5] !== QUOTE) return false;
  if (bytes[to - 2] !== QUOTE || bytes[to - 1] !== 0x7d) return false;
  let claimed = 0;
  for (let i = at + 6; i < at + 14; i++) {
    const c = bytes[i];
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 97 && c <= 102 ? c - 87 : -1;
    if (digit < 0) return false;
    claimed = (claimed << 4) | digit;
  }
  return crc32(bytes.subarray(from, at)) >>> 0 === claimed >>> 0;
}

export class LineReader {
  readonly #tagOf: (bytes: Uint8Array) => string;
  readonly #ids = new IdTexts();
  #linkBytes = Buffer.alloc(0);
  #link = '';
  /** Where the hand-written scanner stands; -1 once something wasn't as expected. */
  #at = 0;

  constructor(tagOf: (bytes: Uint8Array) => string = payloadTag8) {
    this.#tagOf = tagOf;
  }

  /** The line in [from, to), without its line feed; undefined when it isn't sound. */
  parse(bytes: Buffer, from: number, to: number): Line | undefined {
    if (bytes[from] !== 0x7b || !checksumHolds(bytes, from, to)) return undefined;
    // {"o":…,"t":… begins any entry; those that are no readings are found out by their missing payload.
    if (bytes[from + 2] === 0x6f && bytes[from + 3] === QUOTE) {
      return this.#reading(bytes, from, to) ?? this.#other(bytes, from, to);
    }
    return this.#other(bytes, from, to);
  }

  #reading(bytes: Buffer, from: number, to: number): ReadingEntry | undefined {
    this.#at = from;
    this.#skip(bytes, '{"o":');
    const offset = this.#number(bytes);
    this.#skip(bytes, ',"t":');
    const at = this.#number(bytes);
    this.#skip(bytes, ',"l":"');
    const link = this.#text(bytes, to);
    this.#skip(bytes, ',"d":"');
    const deviceAt = this.#at;
    this.#at = deviceAt < 0 ? -1 : deviceAt + 16;
    this.#skip(bytes, '","e":');
    const epoch = this.#number(bytes);
    this.#skip(bytes, ',"q":');
    const seq = this.#number(bytes);
    if (this.#at < 0) return undefined;
    const final = bytes[this.#at + 2] === 0x66;
    if (final) this.#skip(bytes, ',"f":1');
    this.#skip(bytes, ',"b":"');
    const payloadEnd = to - CRC_BYTES - 1;
    if (this.#at < 0 || payloadEnd <= this.#at || bytes[payloadEnd] !== QUOTE) return undefined;
    const device = this.#ids.ofText(bytes, deviceAt);
    const payload = decodeBase64Url(bytes, this.#at, payloadEnd, MAX_PAYLOAD_BYTES);
    if (device === undefined || payload === undefined || offset > MAX_OFFSET) return undefined;
    return {
      kind: 'reading',
      at,
      link,
      device,
      epoch,
      seq,
      bytes: payload,
      tag8: this.#tagOf(payload),
      final,
      offset,
    };
  }

  #number(bytes: Buffer): number {
    let at = this.#at;
    if (at < 0) return 0;
    let value = 0;
    for (; bytes[at] >= 48 && bytes[at] <= 57; at++) value = value * 10 + (bytes[at] - 48);
    const digits = at - this.#at;
    const padded = digits > 1 && bytes[this.#at] === ZERO;
    this.#at = digits === 0 || padded || value > Number.MAX_SAFE_INTEGER ? -1 : at;
    return value;
  }

  #skip(bytes: Buffer, expected: string): void {
    const at = this.#at;
    if (at < 0) return;
    for (let i = 0; i < expected.length; i++) {
      if (bytes[at + i] !== expected.charCodeAt(i)) {
        this.#at = -1;
        return;
      }
    }
    this.#at = at + expected.length;
  }

  /** A string up to and with its closing quote. Links repeat, so the last one is remembered. */
  #text(bytes: Buffer, to: number): string {
    const from = this.#at;
    if (from < 0) return '';
    const known = this.#linkBytes;
    let same = known.length > 0;
    for (let i = 0; same && i < known.length; i++) same = bytes[from + i] === known[i];
    if (same) {
      this.#at = from + known.length;
      return this.#link;
    }
    let end = from;
    while (end < to && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
    if (end >= to) {
      this.#at = -1;
      return '';
    }
    const raw = `"${bytes.toString('latin1', from, end + 1)}`;
    const link = parseJson(raw);
    if (typeof link !== 'string' || linkText(link) !== raw) {
      this.#at = -1;
      return '';
    }
    this.#linkBytes = Buffer.from(bytes.subarray(from, end + 1));
    this.#link = link;
    this.#at = end + 1;
    return link;
  }

  #other(bytes: Buffer, from: number, to: number): Line | undefined {
    const fields = parseJson(bytes.toString('latin1', from, to));
    if (typeof fields !== 'object' || fields === null) return undefined;
    const line = lineOf(fields as Record<string, unknown>);
    return line !== undefined && bytes.toString('latin1', from, to - CRC_BYTES) === textOf(line)
      ? line
      : undefined;
  }
}

type RareLine = Exclude<Line, ReadingEntry>;

function lineOf(fields: Record<string, unknown>): RareLine | undefined {
  if ('s' in fields) {
    return whole(fields.s) && fields.s < MARK_END ? { kind: 'mark', synced: fields.s } : undefined;
  }
  if ('from' in fields) return gap(fields);
  if ('handover' in fields) return handover(fields);
  if ('journal' in fields) return header(fields);
  return 'g' in fields ? device(fields) : undefined;
}

/** What the writer would write. */
function textOf(line: RareLine): string {
  if (line.kind === 'mark') return markText(line.synced);
  if (line.kind === 'gap') return gapText(line.offset, line);
  if (line.kind === 'handover') return handoverText(line.offset, line);
  if (line.kind === 'device') return deviceText(line.device, line.position);
  return segmentText(line.first, line.at, line.previous ?? null, line.devices);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function whole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function offset(value: unknown): value is number {
  return whole(value) && value <= MAX_OFFSET;
}

function place(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && whole(value[0]) && whole(value[1]);
}

function header({ journal, first, at, prev, devices }: Record<string, unknown>): HeaderLine | undefined {
  if (journal !== FORMAT || !offset(first) || !whole(devices) || !Number.isSafeInteger(at)) return undefined;
  let previous: PreviousSegment | undefined;
  if (prev !== null) {
    if (typeof prev !== 'object') return undefined;
    const { first: before, last, bytes } = prev as Record<string, unknown>;
    if (!offset(before) || !offset(last) || !whole(bytes)) return undefined;
    previous = { first: before, last, bytes };
  }
  return { kind: 'header', first, at: at as number, previous, devices };
}

function device({ d, e, q, g, f, n, m }: Record<string, unknown>): DeviceLine | undefined {
  if (!isDevice(d) || !whole(e) || !whole(q) || !whole(n) || !whole(m)) return undefined;
  if (g !== '' && !isDevice(g)) return undefined; // 8 bytes as well
  return {
    kind: 'device',
    device: d,
    position: { epoch: e, seq: q, tag8: g, final: f === 1, readings: n, gaps: m },
  };
}

function gap({ o, t, l, d, from, to }: Record<string, unknown>): GapEntry | undefined {
  if (!offset(o) || !whole(t) || typeof l !== 'string' || !isDevice(d)) return undefined;
  if (!place(from) || !place(to)) return undefined;
  return { kind: 'gap', at: t, link: l, device: d, from, to, offset: o };
}

function handover({ o, t, handover: said }: Record<string, unknown>): HandoverEntry | undefined {
  if (!offset(o) || !whole(t) || typeof said !== 'object' || said === null) return undefined;
  const { from, to, at, next } = said as Record<string, unknown>;
  if (!isGateway(from) || !isGateway(to) || !whole(at) || !offset(next)) return undefined;
  return { kind: 'handover', at: t, from, to, backupAt: at, next, offset: o };
}

function isGateway(value: unknown): value is string {
  return typeof value === 'string' && GATEWAY_NAME.test(value);
}
