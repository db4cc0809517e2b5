/** COSE_Mac0 messages for the fuzzers: around any payload, and taken apart by the plain CBOR reader as a second opinion. */
import { type CborValue, decodeValue, encodeValue, Mac0Writer } from '../../firmware/seal/index.js';
import { ensure } from './core.js';
import { words } from './mutate.js';
import { FREE_MAC } from './values.js';

const WRITER = new Mac0Writer(4074);

/** A sound COSE_Mac0 around bytes that may be anything; undefined when they are too long. */
export function wrapped(id: Uint8Array, payload: Uint8Array): Uint8Array | undefined {
  WRITER.identify(id);
  WRITER.begin();
  WRITER.payload.raw(payload);
  const length = WRITER.finish(FREE_MAC);
  return length === 0 ? undefined : WRITER.buffer.slice(WRITER.start, WRITER.start + length);
}

/** Where the payload stands in a message that a writer of ours has made. */
export function payloadOf(message: Uint8Array): Uint8Array {
  const value = decodeValue(message);
  ensure('value' in value, 'a written message is no CBOR');
  return (value.value as readonly Uint8Array[])[2];
}

export interface PlainMac0 {
  readonly id: Uint8Array;
  readonly payload: CborValue;
  readonly tag: Uint8Array;
}

/** What plain CBOR makes of a message; undefined when it is no COSE_Mac0 of this format, of at most so many bytes. */
export function plain(bytes: Uint8Array, maxBytes: number): PlainMac0 | undefined {
  if (bytes.length > maxBytes) return undefined;
  const outer = cborOf(bytes);
  if (!Array.isArray(outer) || outer.length !== 4) return undefined;
  const [head, unprotected, body, tag] = outer;
  if (!(unprotected instanceof Map) || unprotected.size !== 0) return undefined;
  if (!isBytes(head) || !isBytes(body) || !isBytes(tag, 32)) return undefined;
  const header = cborOf(head);
  if (!(header instanceof Map) || header.size !== 2 || header.get(1) !== 5) return undefined;
  const id: unknown = header.get(4);
  const payload = cborOf(body);
  return isBytes(id, 8) && payload !== undefined ? { id, payload, tag } : undefined;
}

function cborOf(bytes: Uint8Array): CborValue | undefined {
  const decoded = decodeValue(bytes);
  if (!('value' in decoded)) return undefined;
  ensure(Buffer.compare(encodeValue(decoded.value), bytes) === 0, 'not the one encoding');
  return decoded.value;
}

export const isBytes = (value: unknown, size?: number): value is Uint8Array =>
  value instanceof Uint8Array && (size === undefined || value.length === size);
export const isUint = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

export const CBOR_WORDS = words(
  [0x00],
  [0x01],
  [0x02],
  [0x05, 0x48],
  [0x06, 0x81],
  [0x07, 0x03],
  [0x0a, 0x00],
  [0x18, 0x18],
  [0x19, 0x01, 0x00],
  [0x1b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x20],
  [0x40],
  [0x48, 0, 0, 0, 0, 0, 0, 0, 0],
  [0x50],
  [0x58, 0x20],
  [0x59, 0xff, 0xff],
  [0x60],
  [0x61, 0x61],
  [0x80],
  [0x81],
  [0x9f],
  [0xa0],
  [0xa1, 0x00],
  [0xa2, 0x00, 0x61, 0x61, 0x02, 0x00],
  [0xa3, 0x00, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02, 0x00],
  [0xf4],
  [0xf5],
  [0xf6],
  [0xf9, 0x3e, 0x00],
  [0x84, 0x4d, 0xa2, 0x01, 0x05, 0x04, 0x48],
);
