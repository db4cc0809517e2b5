/**
 * Reads one line of a segment. Nothing is believed before the checksum agrees; a line that passes it and still
 * isn't one of the five kinds is refused like a damaged one.
 */
import { crc32 } from 'node:zlib';
import { type DevicePosition, type Entry, type GapEntry, MAX_OFFSET, type ReadingEntry } from './entry.js';
import { FORMAT, isDevice, type PreviousSegment, TRAILER_BYTES } from './line-writer.js';
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
    // {"o":…,"t":… begins a reading or a gap; the gaps are found out by their missing payload.
    if (bytes[from + 2] === 0x6f && bytes[from + 3] === QUOTE) {
      return this.#reading(bytes, from, to) ?? this.#other(bytes, from, to);
    }
    return this.#other(bytes, from, to);
  }

  #reading(bytes: Buffer, from: number, to: number): ReadingEntry | undefined {
    this.#at = from + 5;
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
    const device = bytes.toString('latin1', deviceAt, deviceAt + 16);
    if (!isDevice(device)) return undefined;
    const payload = Buffer.from(bytes.toString('latin1', this.#at, payloadEnd), 'base64url');
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
    this.#at = at === this.#at || value > Number.MAX_SAFE_INTEGER ? -1 : at;
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
    this.#linkBytes = Buffer.from(bytes.subarray(from, end + 1));
    this.#link = String(parseJson(`"${this.#linkBytes.toString('latin1')}`) ?? '');
    this.#at = end + 1;
    return this.#link;
  }

  #other(bytes: Buffer, from: number, to: number): Line | undefined {
    const line = parseJson(bytes.toString('latin1', from, to));
    if (typeof line !== 'object' || line === null) return undefined;
    const fields = line as Record<string, unknown>;
    if ('s' in fields) return whole(fields.s) ? { kind: 'mark', synced: fields.s } : undefined;
    if ('from' in fields) return gap(fields);
    if ('journal' in fields) return header(fields);
    if ('g' in fields) return device(fields);
    return undefined;
  }
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
    previous = prev as PreviousSegment;
    if (typeof previous !== 'object' || !offset(previous.first) || !offset(previous.last)) return undefined;
    if (!whole(previous.bytes)) return undefined;
  }
  return { kind: 'header', first, at: at as number, previous, devices };
}

function device({ d, e, q, g, f, n, m }: Record<string, unknown>): DeviceLine | undefined {
  if (!isDevice(d) || !whole(e) || !whole(q) || typeof g !== 'string' || !whole(n) || !whole(m)) {
    return undefined;
  }
  return {
    kind: 'device',
    device: d,
    position: { epoch: e, seq: q, tag8: g, final: f === 1, readings: n, gaps: m },
  };
}

function gap({ o, t, l, d, from, to }: Record<string, unknown>): GapEntry | undefined {
  if (!offset(o) || !Number.isSafeInteger(t) || typeof l !== 'string' || !isDevice(d)) return undefined;
  if (!place(from) || !place(to)) return undefined;
  return { kind: 'gap', at: t as number, link: l, device: d, from, to, offset: o };
}
