/** CBOR: `decodeValue`, `CborReader` with every method in any order, `encodeValue`. */
import { deepStrictEqual } from 'node:assert';
import type { CborValue } from '../../firmware/seal/index.js';
import { CborReader, decodeValue, encodeValue, MAX_DEPTH, Token } from '../../firmware/seal/index.js';
import { LooseWriter } from '../seal/loose-writer.js';
import { ensure, made, mutated, same, type Target } from './core.js';
import { words } from './mutate.js';
import { cborValue } from './values.js';

const HEADS = words(
  [0x18, 0x17],
  [0x19, 0x01, 0x00],
  [0x1b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0],
  [0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
  [0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
  [0x9a, 0x7f, 0xff, 0xff, 0xff],
  [0xba, 0x7f, 0xff, 0xff, 0xff],
  [0x81],
  [0xa1],
  [0x82],
  [0xa1, 0x00],
  [0x80],
  [0xa0],
  [0x61, 0xff],
  [0x9f],
  [0xc0],
  [0xf6],
  [0xf7],
  [0xf9, 0x7c, 0x00],
  [0xf9, 0x3e, 0x00],
  [0xfa, 0x3f, 0xc0, 0x00, 0x00],
  [0xfb, 0x3f, 0xf8, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xfb, 0x40, 0x59, 0x06, 0x66, 0x60, 0x00, 0x00, 0x00],
  [0xf9, 0x80, 0x00],
  [0xfa, 0x47, 0xc3, 0x50, 0x00],
  [0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
);

class CountingReader extends CborReader {
  items = 0;
  override next(): number {
    this.items++;
    return super.next();
  }
}

/** What a value holds in all; a reader may not build more than its input has bytes. */
function weigh(value: CborValue, depth: number): { items: number; bytes: number } {
  ensure(depth <= MAX_DEPTH, `nested ${depth} deep`);
  if (typeof value === 'string') return { items: 1, bytes: Buffer.byteLength(value) };
  if (value instanceof Uint8Array) return { items: 1, bytes: value.length };
  if (typeof value !== 'object' || value === null) return { items: 1, bytes: 0 };
  const sum = { items: 1, bytes: 0 };
  const inner = value instanceof Map ? [...value].flat() : (value as readonly CborValue[]);
  for (const item of inner) {
    const { items, bytes } = weigh(item as CborValue, depth + 1);
    sum.items += items;
    sum.bytes += bytes;
  }
  return sum;
}

const values = mutated('any bytes give a value that encodes to them, or a reason', {
  pool: dice =>
    Array.from({ length: 200 }, () => {
      const value = cborValue(dice);
      if (!dice.oneIn(4)) return encodeValue(value);
      const loose = new LooseWriter(Array.from({ length: 20 }, () => dice.below(20)));
      loose.write(value);
      return Uint8Array.from(loose.out);
    }),
  mixed: true,
  words: HEADS,
  maxBytes: 2048,
  check(bytes, dice) {
    const decoded = decodeValue(bytes);
    const reader = new CountingReader();
    // Within a larger array the same comes out, and nothing around it is looked at.
    const from = dice.below(5);
    const around = dice.bytes(bytes.length + from + 9);
    around.set(bytes, from);
    reader.reset(around, from, from + bytes.length);
    reader.skip();
    reader.finish();
    // Past a fault each open map asks for one value more, which costs nothing.
    ensure(reader.items <= bytes.length + MAX_DEPTH + 2, `${reader.items} items were looked at`);
    if ('fault' in decoded) {
      ensure(/^[a-z0-9-]+$/.test(decoded.fault), `no reason: ${decoded.fault}`);
      ensure(reader.fault === decoded.fault, `skip says ${reader.fault}, decodeValue ${decoded.fault}`);
      return false;
    }
    ensure(reader.ok, `skip says ${reader.fault}`);
    const { items, bytes: held } = weigh(decoded.value, 0);
    ensure(items + held <= bytes.length, `${items} items and ${held} bytes were built`);
    const again = encodeValue(decoded.value);
    ensure(same(again, bytes), `encodes as ${Buffer.from(again).toString('hex')}`);
    return true;
  },
});

const walks = mutated('any order of calls on any bytes: never past the end, and the first fault stays', {
  pool: dice => Array.from({ length: 200 }, () => encodeValue(cborValue(dice))),
  mixed: true,
  words: HEADS,
  maxBytes: 1024,
  check(bytes, dice) {
    const reader = new CborReader();
    const end = bytes.length - dice.below(3);
    reader.reset(bytes, Math.min(dice.below(3), Math.max(0, end)), Math.max(0, end));
    let fault = '';
    for (let calls = dice.below(40); calls > 0; calls--) {
      const before = reader.position;
      step(reader, dice.below(12), dice.below(40));
      ensure(reader.position >= before && reader.position <= reader.end, 'the position is out of bounds');
      ensure(reader.start <= reader.stop && reader.stop <= reader.end, 'content is out of bounds');
      ensure(reader.ok === (reader.fault === ''), 'ok and fault disagree');
      ensure(fault === '' || reader.fault === fault, `${fault} became ${reader.fault}`);
      ensure(fault === '' || reader.position === before, 'read on after a fault');
      fault = reader.fault;
    }
    return fault === '';
  },
});

function step(reader: CborReader, call: number, size: number): void {
  const failed = !reader.ok;
  let got: unknown = 0;
  if (call === 0) got = reader.next();
  else if (call === 1) got = reader.uint();
  else if (call === 2) got = reader.number();
  else if (call === 3) got = reader.bool();
  else if (call === 4) got = reader.fixed(size);
  else if (call === 5) got = reader.data();
  else if (call === 6) got = reader.text();
  else if (call === 7) got = reader.array();
  else if (call === 8) got = reader.map();
  else if (call === 9) reader.key(size);
  else if (call === 10) reader.skip();
  else if (size === 0) reader.finish();
  ensure(!failed || got === 0 || got === false || got === Token.fault, `gave ${got} after a fault`);
  if (call === 1) ensure(Number.isSafeInteger(got) && (got as number) >= 0, `uint gave ${got}`);
}

const inverse = made('what is written is read back', dice => {
  const value = cborValue(dice);
  const decoded = decodeValue(encodeValue(value));
  ensure('value' in decoded, 'refused');
  deepStrictEqual(decoded.value, sorted(value));
});

/** Maps as they come back: in the order of their encoded keys. */
function sorted(value: CborValue): CborValue {
  if (value instanceof Map) {
    const pairs = [...value].sort((a, b) => Buffer.compare(encodeValue(a[0]), encodeValue(b[0])));
    return new Map(pairs.map(([key, item]) => [sorted(key as CborValue), sorted(item as CborValue)]));
  }
  return Array.isArray(value) ? value.map(sorted) : value;
}

export const cbor: Target = { name: 'cbor', properties: [values, walks, inverse] };
