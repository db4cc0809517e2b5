import { fromUtf8 } from './bytes.js';
import { CborReader, Token } from './cbor-reader.js';
import { CborWriter } from './cbor-writer.js';
import type { SealFault } from './fault.js';
import { MAX_DEPTH } from './limits.js';

/**
 * Whole values to and from core deterministic CBOR, under the rules of `CborReader` and `CborWriter`. Builds
 * objects: for hosts and tests, not for the way of a reading on a device.
 */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<CborValue, CborValue>;

/**
 * The one encoding of a value; maps in any order.
 *
 * @throws RangeError when the value has none: -0, NaN, too large an integer, a lone surrogate, two equal keys,
 *   more than 16 arrays and maps within each other
 */
export function encodeValue(value: CborValue): Uint8Array {
  const writer = new CborWriter(new Uint8Array(sizeBound(value, 0)));
  write(writer, value);
  if (!writer.ok) throw new RangeError(`no encoding for this value: ${writer.fault}`);
  return writer.buffer.slice(0, writer.position);
}

/** The value of `bytes[from, to)`, or why there is none. Byte strings are copies. */
export function decodeValue(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): { value: CborValue } | { fault: SealFault } {
  const reader = new CborReader();
  reader.reset(bytes, from, to);
  const value = read(reader, 0);
  reader.finish();
  return reader.fault === '' ? { value } : { fault: reader.fault };
}

function sizeBound(value: CborValue, depth: number): number {
  if (typeof value === 'string') return 9 + 3 * value.length;
  if (value instanceof Uint8Array) return 9 + value.length;
  if (typeof value !== 'object' || value === null) return 9;
  if (depth >= MAX_DEPTH) throw new RangeError('no encoding for this value: too-deep');
  let size = 9;
  if (value instanceof Map) {
    for (const [key, item] of value) size += sizeBound(key, depth + 1) + sizeBound(item, depth + 1);
  } else for (const item of value as readonly CborValue[]) size += sizeBound(item, depth + 1);
  return size;
}

function write(writer: CborWriter, value: CborValue): void {
  if (typeof value === 'number') writer.number(value);
  else if (typeof value === 'string') writer.text(value);
  else if (typeof value === 'boolean') writer.bool(value);
  else if (value === null) writer.null();
  else if (value instanceof Uint8Array) writer.bytes(value);
  else if (value instanceof Map) writeMap(writer, value);
  else {
    const items = value as readonly CborValue[];
    writer.array(items.length);
    for (const item of items) write(writer, item);
  }
}

function writeMap(writer: CborWriter, map: ReadonlyMap<CborValue, CborValue>): void {
  const pairs = [...map].map(([key, item]) => ({ key: encodeValue(key), item }));
  pairs.sort((a, b) => compareBytes(a.key, b.key));
  writer.map(pairs.length);
  for (let i = 0; i < pairs.length; i++) {
    if (i > 0 && compareBytes(pairs[i - 1].key, pairs[i].key) === 0) {
      throw new RangeError('no encoding for this value: duplicate-key');
    }
    writer.raw(pairs[i].key);
    write(writer, pairs[i].item);
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function read(reader: CborReader, depth: number): CborValue {
  const token = reader.next();
  if (token === Token.number) return reader.value;
  if (token === Token.bool) return reader.value === 1;
  if (token === Token.bytes) return reader.bytes.slice(reader.start, reader.stop);
  if (token === Token.text) return fromUtf8(reader.bytes, reader.start, reader.stop)!;
  if (token !== Token.array && token !== Token.map) return null;
  if (depth >= MAX_DEPTH) {
    reader.refuse('too-deep');
    return null;
  }
  const count = reader.count;
  if (token === Token.array) {
    const items: CborValue[] = [];
    for (let i = 0; i < count && reader.ok; i++) items.push(read(reader, depth + 1));
    return items;
  }
  const map = new Map<CborValue, CborValue>();
  let lastAt = 0;
  let lastEnd = 0;
  for (let i = 0; i < count && reader.ok; i++) {
    const at = reader.position;
    const key = read(reader, depth + 1);
    const end = reader.position;
    if (i > 0 && reader.ok) reader.ascending(lastAt, lastEnd, at);
    lastAt = at;
    lastEnd = end;
    map.set(key, read(reader, depth + 1));
  }
  return map;
}
