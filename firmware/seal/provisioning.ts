/**
 * Provisioning: how a board gets its identity, keys and settings over a cable. Plain CBOR (RFC 8949, core
 * deterministic) in the frames of `frame.ts`, with types of their own. Nothing here is authenticated or hidden:
 * whoever holds the cable holds the board.
 *
 *   16 who          host → board   empty
 *   17 board        board → host   [1, board: tstr, firmware: tstr, state: tstr, open: bool, id: bstr .size 8 / null]
 *   18 provision    host → board   [1, id: bstr .size 8, chain 0: bstr .size 32, down: bstr .size 32, settings]
 *   19 provisioned  board → host   [1, id: bstr .size 8, check: bstr .size 8] / [0, reason: tstr]
 *
 *   state    = "unprovisioned" / "provisioned" / "fault"
 *   settings = { 0: name: tstr, ? 1: Wi-Fi SSID: tstr, ? 2: Wi-Fi password: tstr,
 *                ? 3: gateway host: tstr, ? 4: gateway port: uint,
 *                ? 5: MQTT host: tstr, ? 6: MQTT port: uint, ? 7: MQTT user: tstr, ? 8: MQTT password: tstr }
 *
 * `open` says whether the board would take keys now: it has none, or its button was held at power-on. `check` is
 * the beginning of SHA-256("sovereign/1 check" || id || chain 0 || down) over what the board has read back from
 * its flash, so that a board that answers has the very keys that the host keeps.
 */
import { utf8 } from './bytes.js';
import { type CborValue, decodeValue, encodeValue } from './cbor-value.js';
import type { Digest } from './digest.js';
import { ID_BYTES, KEY_BYTES, VERSION } from './limits.js';

/** The first byte of a frame; below are those of `FrameType`. */
export const ProvisioningType = Object.freeze({
  who: 16,
  board: 17,
  provision: 18,
  provisioned: 19,
} as const);

export type BoardState = 'unprovisioned' | 'provisioned' | 'fault';

/** What a board says of itself. */
export interface BoardAnswer {
  readonly board: string;
  readonly firmware: string;
  readonly state: BoardState;
  /** It would take keys now. */
  readonly open: boolean;
  /** Absent while it has none, or can't read it. */
  readonly id?: Uint8Array;
}

/** What a board is told besides its keys. Lengths are bytes of UTF-8. */
export interface BoardSettings {
  /** An alias for people, 1 to 256 bytes. */
  readonly name: string;
  /** 1 to 32 bytes. */
  readonly ssid?: string;
  /** 8 to 64 bytes; absent: an open network. */
  readonly wifiPassword?: string;
  /** A name or an address, with its port: where the gateway listens for TCP. */
  readonly gatewayHost?: string;
  readonly gatewayPort?: number;
  /** A broker in place of the gateway's own listener. */
  readonly mqttHost?: string;
  readonly mqttPort?: number;
  readonly mqttUser?: string;
  readonly mqttPassword?: string;
}

export interface Provision {
  readonly id: Uint8Array;
  readonly chain: Uint8Array;
  readonly down: Uint8Array;
  readonly settings: BoardSettings;
}

export type Provisioned =
  | { readonly ok: true; readonly id: Uint8Array; readonly check: Uint8Array }
  | { readonly ok: false; readonly reason: string };

export const CHECK_BYTES = 8;
/** The largest of these messages: a provision with every setting as long as it may be. */
export const MAX_PROVISIONING_BYTES = 1536;

/** Number, key and bounds of each setting: bytes of a text, or the value of a number. */
const SETTINGS = Object.freeze([
  Object.freeze({ key: 0, name: 'name', kind: 'text', min: 1, max: 256 } as const),
  Object.freeze({ key: 1, name: 'ssid', kind: 'text', min: 1, max: 32 } as const),
  Object.freeze({ key: 2, name: 'wifiPassword', kind: 'text', min: 8, max: 64 } as const),
  Object.freeze({ key: 3, name: 'gatewayHost', kind: 'text', min: 1, max: 253 } as const),
  Object.freeze({ key: 4, name: 'gatewayPort', kind: 'number', min: 1, max: 65535 } as const),
  Object.freeze({ key: 5, name: 'mqttHost', kind: 'text', min: 1, max: 253 } as const),
  Object.freeze({ key: 6, name: 'mqttPort', kind: 'number', min: 1, max: 65535 } as const),
  Object.freeze({ key: 7, name: 'mqttUser', kind: 'text', min: 1, max: 128 } as const),
  Object.freeze({ key: 8, name: 'mqttPassword', kind: 'text', min: 1, max: 128 } as const),
] as const);

/** The map of settings, or why these settings have none. Secrets don't stand in the reason. */
export function encodeSettings(settings: BoardSettings): Uint8Array | string {
  const map = new Map<CborValue, CborValue>();
  for (const rule of SETTINGS) {
    const value = settings[rule.name];
    if (value === undefined) continue;
    if (!fits(rule, value)) return `${rule.name}: ${expected(rule)}`;
    map.set(rule.key, value);
  }
  const fault = togetherFault(map);
  return fault === '' ? encodeValue(map) : fault;
}

/** Settings from `bytes[from, to)`, or why there are none. Strict: an unknown key is refused, not ignored. */
export function decodeSettings(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): BoardSettings | string {
  const decoded = decodeValue(bytes, from, to);
  return 'fault' in decoded ? `settings: ${decoded.fault}` : settingsOf(decoded.value);
}

function settingsOf(value: CborValue): BoardSettings | string {
  if (!(value instanceof Map)) return 'settings: no map';
  const settings: Record<string, string | number> = {};
  for (const [key, item] of value as ReadonlyMap<CborValue, CborValue>) {
    const rule = typeof key === 'number' ? SETTINGS.find(one => one.key === key) : undefined;
    if (rule === undefined) return `settings: key ${typeof key === 'number' ? key : '?'} is unknown`;
    if ((typeof item !== 'string' && typeof item !== 'number') || !fits(rule, item))
      return `${rule.name}: ${expected(rule)}`;
    settings[rule.name] = item;
  }
  const fault = togetherFault(value as ReadonlyMap<CborValue, CborValue>);
  return fault === '' ? (settings as unknown as BoardSettings) : fault;
}

function fits(rule: (typeof SETTINGS)[number], value: string | number): boolean {
  if (rule.kind === 'number')
    return typeof value === 'number' && value % 1 === 0 && value >= rule.min && value <= rule.max;
  if (typeof value !== 'string') return false;
  const { length } = utf8(value);
  return length >= rule.min && length <= rule.max;
}

const expected = (rule: (typeof SETTINGS)[number]) =>
  rule.kind === 'number'
    ? `expected a whole number from ${rule.min} to ${rule.max}`
    : `expected ${rule.min} to ${rule.max} bytes`;

function togetherFault(map: ReadonlyMap<CborValue, CborValue>): string {
  if (!map.has(0)) return 'name: is missing';
  if (map.has(2) && !map.has(1)) return 'wifiPassword: needs ssid';
  if (map.has(3) !== map.has(4)) return 'gatewayHost and gatewayPort go together';
  if (map.has(5) !== map.has(6)) return 'mqttHost and mqttPort go together';
  if (map.has(7) && !map.has(5)) return 'mqttUser: needs mqttHost';
  if (map.has(8) && !map.has(7)) return 'mqttPassword: needs mqttUser';
  return '';
}

export function encodeBoard(answer: BoardAnswer): Uint8Array {
  const { board, firmware, state, open, id } = answer;
  return encodeValue([VERSION, board, firmware, state, open, id ?? null]);
}

export function decodeBoard(bytes: Uint8Array, from = 0, to: number = bytes.length): BoardAnswer | undefined {
  const items = itemsOf(bytes, from, to, 6);
  if (items === undefined || items[0] !== VERSION) return undefined;
  const [, board, firmware, state, open, id] = items;
  if (typeof board !== 'string' || typeof firmware !== 'string' || typeof open !== 'boolean')
    return undefined;
  if (state !== 'unprovisioned' && state !== 'provisioned' && state !== 'fault') return undefined;
  if (id !== null && !isBytes(id, ID_BYTES)) return undefined;
  return { board, firmware, state, open, ...(id !== null && { id }) };
}

/** @throws RangeError when a setting has no encoding: ask `encodeSettings` first */
export function encodeProvision(provision: Provision): Uint8Array {
  const { id, chain, down, settings } = provision;
  const map = encodeSettings(settings);
  if (typeof map === 'string') throw new RangeError(map);
  const decoded = decodeValue(map);
  return encodeValue([VERSION, id, chain, down, 'value' in decoded ? decoded.value : null]);
}

/** The provision, or why it is none, in words for the host. */
export function decodeProvision(bytes: Uint8Array, from = 0, to: number = bytes.length): Provision | string {
  const items = itemsOf(bytes, from, to, 5);
  if (items === undefined) return 'not understood';
  if (items[0] !== VERSION) return 'another version of provisioning';
  const [, id, chain, down, map] = items;
  if (!isBytes(id, ID_BYTES) || !isBytes(chain, KEY_BYTES) || !isBytes(down, KEY_BYTES))
    return 'id or keys have a wrong size';
  const settings = settingsOf(map);
  return typeof settings === 'string' ? settings : { id, chain, down, settings };
}

export function encodeProvisioned(answer: Provisioned): Uint8Array {
  return encodeValue(answer.ok ? [1, answer.id, answer.check] : [0, answer.reason]);
}

export function decodeProvisioned(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Provisioned | undefined {
  const [word, first, check] = itemsOf(bytes, from, to, 3) ?? itemsOf(bytes, from, to, 2) ?? [];
  if (word === 0 && typeof first === 'string' && check === undefined) return { ok: false, reason: first };
  if (word === 1 && isBytes(first, ID_BYTES) && isBytes(check, CHECK_BYTES))
    return { ok: true, id: first, check };
  return undefined;
}

/** What both sides compute over the keys. */
export function keyCheck(digest: Digest, id: Uint8Array, chain: Uint8Array, down: Uint8Array): Uint8Array {
  const prefix = utf8('sovereign/1 check');
  const all = new Uint8Array(prefix.length + id.length + chain.length + down.length);
  all.set(prefix);
  all.set(id, prefix.length);
  all.set(chain, prefix.length + id.length);
  all.set(down, prefix.length + id.length + chain.length);
  const sum = new Uint8Array(32);
  digest.sha256(all, 0, all.length, sum, 0);
  all.fill(0);
  return sum.slice(0, CHECK_BYTES);
}

function itemsOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  count: number,
): readonly CborValue[] | undefined {
  if (to - from > MAX_PROVISIONING_BYTES) return undefined;
  const decoded = decodeValue(bytes, from, to);
  const value = 'value' in decoded ? decoded.value : undefined;
  return Array.isArray(value) && value.length === count ? value : undefined;
}

const isBytes = (value: unknown, length: number): value is Uint8Array =>
  value instanceof Uint8Array && value.length === length;
