/**
 * What subscribers ask for and what a gateway answers, as JSON (RFC 8259, UTF-8).
 *
 * On `sovereign/1/<site>/gateway/<gateway>/fetch`, QoS 1: a request, of at most 32 KiB and 128 ranges,
 *
 *   {"id":"5f0c…","asker":"me","ranges":[{"device":"0101010101010101","epoch":3,"from":17,"to":42},…]}
 *
 * or one such range, or an array of them. `id` (told again in the answer) and `asker` (one share of the gateway's time for
 * each) are names of 1 to 64 letters, digits, "-", "_" and "."; both may be absent. A range is from reading `from` of
 * `epoch` up to, not including, reading `to` of `toEpoch`; without `toEpoch` in the same epoch; without `to` whatever
 * comes after. Fields that are not known are for later versions.
 *
 * The readings come on their sealed topics, the oldest of a range first, marked as historical: on MQTT 5 by the user property of
 * that name, on 3.1.1 by `/historical` at the end of the topic. Then, on `sovereign/1/<site>/gateway/<gateway>/fetched`, what became of the ranges, in one message
 * or several:
 *
 *   {"gateway":"gw","site":"cellar","id":"5f0c…","done":true,"ranges":[{"device":…,"epoch":3,"from":17,"to":42,
 *    "sent":20,"reached":[3,42],"last":[3,50],"missing":[{"from":[3,20],"to":[3,25],"why":"lost"}]}]}
 *
 * Of the range, all below `reached` was sent and acknowledged by the broker, or is missing; ask again for what lies above.
 * With `"busy":true` and no ranges, the gateway has too many requests: ask again later.
 *
 * `last` is the device's last reading here; absent: it was never heard here. `why`:
 *
 * | why | the journal does not hold it because |
 * |---|---|
 * | `never` | the device did not deliver it here: it lost it, or began later |
 * | `lost` | the medium has destroyed it |
 * | `removed` | retention has let it go |
 * | `later` | the device's last reading here comes before it |
 * | `unread` | the disk did not give it just now: ask again |
 * | `queued` | it does, and it has not been published yet: it comes by itself |
 */
import { comparePlaces } from '../../journal/entry.js';

export type Place = readonly [epoch: number, seq: number];

export interface FetchRange {
  /** 16 hex digits. */
  readonly device: string;
  readonly from: Place;
  /** Not included; undefined: whatever comes after. */
  readonly to: Place | undefined;
}

export interface FetchRequest {
  /** '' when there is none. */
  readonly id: string;
  readonly asker: string;
  readonly ranges: readonly FetchRange[];
}

export type Why = 'never' | 'lost' | 'removed' | 'later' | 'unread' | 'queued';

export interface Missing {
  readonly from: Place;
  /** Not included. */
  readonly to: Place;
  readonly why: Why;
}

/** What became of one range. */
export interface FetchResult {
  readonly range: FetchRange;
  readonly sent: number;
  readonly reached: Place;
  readonly last: Place | undefined;
  readonly missing: readonly Missing[];
}

export interface Fetched {
  readonly gateway: string;
  readonly site: string;
  readonly id: string;
  /** Nothing more follows on this request. */
  readonly done: boolean;
  /** The request was not taken: there are too many. */
  readonly busy: boolean;
  readonly results: readonly FetchResult[];
}

/** Why bytes are no request. */
export type RequestFault = 'too-long' | 'json' | 'form' | 'name' | 'ranges' | 'device' | 'place' | 'empty';

export const MAX_REQUEST_BYTES = 32 * 1024;
export const MAX_RANGES = 128;
/** Of one result. */
export const MAX_MISSING = 32;
/** Of one message. */
export const MAX_RESULTS = 64;
export const MAX_FETCHED_BYTES = 256 * 1024;

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const DEVICE = /^[0-9a-f]{16}$/;
const WHYS: ReadonlySet<unknown> = new Set([
  'never',
  'lost',
  'removed',
  'later',
  'unread',
  'queued',
] satisfies Why[]);

/** Negative, zero or positive as a stands before, at or after b; undefined comes after everything. */
export function compare(a: Place | undefined, b: Place | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? 1 : -1;
  return comparePlaces(a[0], a[1], b[0], b[1]);
}

export function earlier(a: Place, b: Place | undefined): Place {
  return b === undefined || compare(a, b) <= 0 ? a : b;
}

export function encodeRequest({ id, asker, ranges }: FetchRequest): Uint8Array {
  return Buffer.from(JSON.stringify({ ...names({ id, asker }), ranges: ranges.map(rangeFields) }));
}

export function decodeRequest(bytes: Uint8Array): FetchRequest | RequestFault {
  if (bytes.length > MAX_REQUEST_BYTES) return 'too-long';
  const value = parse(bytes);
  if (value === undefined) return 'json';
  if (Array.isArray(value)) return withRanges('', '', value);
  if (typeof value !== 'object' || value === null) return 'form';
  const { id = '', asker = '', ranges } = value as Record<string, unknown>;
  if (!isName(id) || !isName(asker)) return 'name';
  if (ranges === undefined) return withRanges(id, asker, [value]);
  return Array.isArray(ranges) ? withRanges(id, asker, ranges) : 'form';
}

export function encodeFetched({ gateway, site, id, done, busy, results }: Fetched): Uint8Array {
  const ranges = results.map(({ range, sent, reached, last, missing }) => ({
    ...rangeFields(range),
    sent,
    reached,
    ...(last && { last }),
    missing,
  }));
  return Buffer.from(
    JSON.stringify({ gateway, site, ...names({ id }), done, ...(busy && { busy }), ranges }),
  );
}

/** Undefined when the bytes are no such message. */
export function decodeFetched(bytes: Uint8Array): Fetched | undefined {
  if (bytes.length > MAX_FETCHED_BYTES) return undefined;
  const value = parse(bytes);
  if (typeof value !== 'object' || value === null) return undefined;
  const { gateway, site, id = '', done, busy, ranges } = value as Record<string, unknown>;
  if (typeof gateway !== 'string' || typeof site !== 'string' || !isName(id)) return undefined;
  if (!Array.isArray(ranges) || ranges.length > MAX_RESULTS) return undefined;
  const results: FetchResult[] = [];
  for (const item of ranges) {
    const result = decodeResult(item);
    if (result === undefined) return undefined;
    results.push(result);
  }
  return { gateway, site, id, done: done === true, busy: busy === true, results };
}

function decodeResult(item: unknown): FetchResult | undefined {
  const range = decodeRange(item);
  if (typeof range === 'string') return undefined;
  const { sent, reached, last, missing } = item as Record<string, unknown>;
  if (!whole(sent) || !isPlace(reached) || !(last === undefined || isPlace(last))) return undefined;
  if (!Array.isArray(missing) || missing.length > MAX_MISSING) return undefined;
  const known: Missing[] = [];
  for (const part of missing) {
    if (typeof part !== 'object' || part === null) return undefined;
    const { from, to, why } = part;
    if (!isPlace(from) || !isPlace(to) || compare(from, to) >= 0 || !WHYS.has(why)) return undefined;
    known.push({ from, to, why }); // and nothing else that may stand there
  }
  return { range, sent, reached, last, missing: known };
}

function withRanges(id: string, asker: string, items: readonly unknown[]): FetchRequest | RequestFault {
  if (items.length === 0 || items.length > MAX_RANGES) return 'ranges';
  const ranges: FetchRange[] = [];
  for (const item of items) {
    const range = decodeRange(item);
    if (typeof range === 'string') return range;
    ranges.push(range);
  }
  return { id, asker, ranges };
}

function decodeRange(item: unknown): FetchRange | RequestFault {
  if (typeof item !== 'object' || item === null) return 'form';
  const { device, epoch, from, toEpoch = epoch, to } = item as Record<string, unknown>;
  if (typeof device !== 'string' || !DEVICE.test(device)) return 'device';
  if (!whole(epoch) || !whole(from) || !whole(toEpoch)) return 'place';
  if (to === undefined) return { device, from: [epoch, from], to: undefined };
  if (!whole(to)) return 'place';
  return comparePlaces(epoch, from, toEpoch, to) >= 0
    ? 'empty'
    : { device, from: [epoch, from], to: [toEpoch, to] };
}

function rangeFields({ device, from: [epoch, from], to }: FetchRange): Record<string, unknown> {
  if (to === undefined) return { device, epoch, from };
  return to[0] === epoch
    ? { device, epoch, from, to: to[1] }
    : { device, epoch, from, toEpoch: to[0], to: to[1] };
}

function names(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(given).filter(([, name]) => name !== ''));
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    return undefined;
  }
}

function isName(value: unknown): value is string {
  return value === '' || (typeof value === 'string' && NAME.test(value));
}

function whole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPlace(value: unknown): value is Place {
  return Array.isArray(value) && value.length === 2 && whole(value[0]) && whole(value[1]);
}
