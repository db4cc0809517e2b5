/**
 * Writes the lines of a segment (README.md gives every byte).
 *
 * Readings, which come by the hundred thousand a second, go straight into the batch's buffer as bytes; the
 * rarer lines are built as text.
 */
import { crc32 } from 'node:zlib';
import { writeBase64Url } from './base64url.js';
import type { DevicePosition, Entry, GapEntry, HandoverEntry, ReadingEntry } from './entry.js';
import { GATEWAY_NAME, MAX_LINK_CHARS, MAX_PAYLOAD_BYTES } from './entry.js';

export const FORMAT = 1;
/** `,"c":"xxxxxxxx"}` and the line feed. */
export const TRAILER_BYTES = 17;
/** Every mark has the same length, so that its place can be kept free until its value is known. */
export const MARK_BYTES = 36;
/** No shorter line holds an offset. */
export const MIN_ENTRY_BYTES = 64;
/** The longest line: payload in base64url, link name with every character escaped, numbers at their longest. */
export const MAX_LINE_BYTES = Math.ceil((MAX_PAYLOAD_BYTES * 4) / 3) + MAX_LINK_CHARS * 6 + 384;

/** What a header says of the segment before it: `bytes` of it were synced, with offsets up to `last`. */
export interface PreviousSegment {
  first: number;
  last: number;
  bytes: number;
}

const HEX = Uint8Array.from('0123456789abcdef', c => c.charCodeAt(0));
const MAX_KNOWN_LINKS = 1024;
const OFFSET_KEY = Buffer.from('{"o":');
const TIME_KEY = Buffer.from(',"t":');
const DEVICE_KEY = Buffer.from(',"d":"');
const EPOCH_KEY = Buffer.from('","e":');
const SEQ_KEY = Buffer.from(',"q":');
const FINAL_KEY = Buffer.from(',"f":1');
const BYTES_KEY = Buffer.from(',"b":"');

export class LineWriter {
  readonly #links = new Map<string, Buffer>();

  /**
   * Writes one entry's line at `at` and returns where it ends. There must be `MAX_LINE_BYTES` of room.
   */
  entry(into: Buffer, at: number, offset: number, entry: Entry): number {
    if (entry.kind === 'reading') return this.#reading(into, at, offset, entry);
    return text(into, at, entry.kind === 'gap' ? gapText(offset, entry) : handoverText(offset, entry));
  }

  #reading(into: Buffer, from: number, offset: number, entry: ReadingEntry): number {
    let at = put(into, from, OFFSET_KEY);
    at = decimal(into, at, offset);
    at = put(into, at, TIME_KEY);
    at = decimal(into, at, entry.at);
    at = put(into, at, this.#link(entry.link));
    at = put(into, at, DEVICE_KEY);
    const { device, bytes } = entry;
    for (let i = 0; i < 16; i++) into[at++] = device.charCodeAt(i);
    at = put(into, at, EPOCH_KEY);
    at = decimal(into, at, entry.epoch);
    at = put(into, at, SEQ_KEY);
    at = decimal(into, at, entry.seq);
    if (entry.final) at = put(into, at, FINAL_KEY);
    at = put(into, at, BYTES_KEY);
    at = writeBase64Url(into, at, bytes);
    into[at++] = 0x22;
    return seal(into, from, at);
  }

  /** `,"l":"…"`: devices come over the same few links all day. */
  #link(name: string): Buffer {
    let known = this.#links.get(name);
    if (known) return known;
    if (this.#links.size >= MAX_KNOWN_LINKS) this.#links.clear();
    known = Buffer.from(`,"l":${linkText(name)}`);
    this.#links.set(name, known);
    return known;
  }
}

/** Says at the begin of a batch that the first `synced` bytes of this segment are durable. */
export function writeMark(into: Buffer, at: number, synced: number): void {
  text(into, at, markText(synced));
}

/** The lines that begin a segment: header, then one line a device. */
export function headerText(
  first: number,
  at: number,
  previous: PreviousSegment | null,
  positions: ReadonlyMap<string, DevicePosition>,
): Buffer {
  const parts = [sealText(segmentText(first, at, previous, positions.size))];
  for (const [device, position] of positions) parts.push(sealText(deviceText(device, position)));
  return Buffer.from(parts.join(''), 'latin1');
}

// The rarer lines, up to their checksum. The reader takes a line only if it is what stands here.

export function markText(synced: number): string {
  return `{"s":${String(synced).padStart(14, ' ')}`;
}

export function segmentText(
  first: number,
  at: number,
  previous: PreviousSegment | null,
  devices: number,
): string {
  const prev = previous && `{"first":${previous.first},"last":${previous.last},"bytes":${previous.bytes}}`;
  return `{"journal":${FORMAT},"first":${first},"at":${at},"prev":${prev},"devices":${devices}`;
}

export function deviceText(device: string, p: DevicePosition): string {
  return `{"d":"${device}","e":${p.epoch},"q":${p.seq},"g":"${p.tag8}","f":${p.final ? 1 : 0},"n":${p.readings},"m":${p.gaps}`;
}

export function gapText(offset: number, { at, link, device, from, to }: Omit<GapEntry, 'offset'>): string {
  return `{"o":${offset},"t":${at},"l":${linkText(link)},"d":"${device}","from":[${from[0]},${from[1]}],"to":[${to[0]},${to[1]}]`;
}

export function handoverText(
  offset: number,
  { at, from, to, backupAt, next }: Omit<HandoverEntry, 'offset'>,
): string {
  return `{"o":${offset},"t":${at},"handover":{"from":"${from}","to":"${to}","at":${backupAt},"next":${next}}`;
}

/** ASCII only, so that a cut can't fall inside a character. */
export function linkText(name: string): string {
  return JSON.stringify(name.slice(0, MAX_LINK_CHARS)).replace(
    /[\u007f-\uffff]/g,
    c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function sealText(line: string): string {
  return `${line},"c":"${(crc32(line) >>> 0).toString(16).padStart(8, '0')}"}\n`;
}

function text(into: Buffer, at: number, line: string): number {
  return seal(into, at, at + into.write(line, at, 'latin1'));
}

/** Ends the line that stands in [from, at) with its checksum. */
function seal(into: Buffer, from: number, end: number): number {
  const crc = crc32(into.subarray(from, end));
  let at = end;
  into[at++] = 0x2c; // ,"c":"
  into[at++] = 0x22;
  into[at++] = 0x63;
  into[at++] = 0x22;
  into[at++] = 0x3a;
  into[at++] = 0x22;
  for (let shift = 28; shift >= 0; shift -= 4) into[at++] = HEX[(crc >>> shift) & 15];
  into[at++] = 0x22;
  into[at++] = 0x7d;
  into[at++] = 0x0a;
  return at;
}

function put(into: Buffer, at: number, bytes: Buffer): number {
  const { length } = bytes;
  for (let i = 0; i < length; i++) into[at + i] = bytes[i];
  return at + length;
}

function decimal(into: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound && digits < 16; bound *= 10) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    into[i] = 48 + (rest - next * 10);
    rest = next;
  }
  return at + digits;
}

/** @throws RangeError for an entry that no caller may make: numbers, device or payload out of bounds */
export function checkEntry(entry: Entry): void {
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 0;
  let sound = whole(entry.at);
  if (entry.kind === 'handover') {
    sound &&= GATEWAY_NAME.test(entry.from) && GATEWAY_NAME.test(entry.to);
    sound &&= whole(entry.backupAt) && whole(entry.next);
  } else if (entry.kind === 'reading') {
    sound &&= isDevice(entry.device) && whole(entry.epoch) && whole(entry.seq);
    sound &&= entry.bytes.length > 0 && entry.bytes.length <= MAX_PAYLOAD_BYTES;
    sound &&= entry.tag8 === '' || isDevice(entry.tag8); // 8 bytes as well
  } else {
    sound &&=
      isDevice(entry.device) &&
      whole(entry.from[0]) &&
      whole(entry.from[1]) &&
      whole(entry.to[0]) &&
      whole(entry.to[1]);
  }
  if (!sound) throw new RangeError(`journal entry out of bounds: ${JSON.stringify(entry).slice(0, 200)}`);
}

export function isDevice(id: unknown): id is string {
  if (typeof id !== 'string' || id.length !== 16) return false;
  for (let i = 0; i < 16; i++) {
    const c = id.charCodeAt(i);
    if (!((c >= 48 && c <= 57) || (c >= 97 && c <= 102))) return false;
  }
  return true;
}
