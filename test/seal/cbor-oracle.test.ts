/**
 * `cbor2`, with its options for common deterministic encoding, with long floats rejected and with the refusals
 * of this format on top, is an independent witness: it must agree with the writer byte for byte, and with the
 * reader about every byte string, over 100,000 generated cases.
 */
import test from 'ava';
import { cdeEncodeOptions, decode, encode, Simple, Tag } from 'cbor2';
import fc from 'fast-check';
import type { CborValue } from '../../firmware/seal/index.js';
import { CborReader, CborWriter, decodeValue, encodeValue, MAX_DEPTH } from '../../firmware/seal/index.js';
import { LooseWriter } from './loose-writer.js';
import { toHex } from './support.js';

/** What cbor2 takes and this format refuses. */
function refusedOnTop(value: unknown, depth: number): boolean {
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || Object.is(value, -0)) return true;
    return Number.isInteger(value) && !Number.isSafeInteger(value);
  }
  if (typeof value === 'bigint' || value === undefined) return true;
  if (value instanceof Tag || value instanceof Simple) return true;
  if (value instanceof Map) {
    return depth >= MAX_DEPTH || [...value].some(pair => pair.some(item => refusedOnTop(item, depth + 1)));
  }
  if (Array.isArray(value)) return depth >= MAX_DEPTH || value.some(item => refusedOnTop(item, depth + 1));
  return false;
}

const DECODE_OPTIONS = { cde: true, rejectLongFloats: true, preferMap: true, ignoreGlobalTags: true };

/** The value, or undefined when cbor2 or one of the refusals on top says no. */
function oracle(bytes: Uint8Array): CborValue | undefined {
  try {
    const value = decode(bytes, DECODE_OPTIONS);
    return refusedOnTop(value, 0) ? undefined : (value as CborValue);
  } catch {
    return undefined;
  }
}

const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(
    0,
    23,
    24,
    255,
    256,
    65535,
    65536,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    -24,
    -25,
    -(2 ** 32) - 1,
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -2048, max: 2048 }).map(n => n / 64),
  fc.tuple(fc.integer({ min: 1, max: 2047 }), fc.nat(14)).map(([m, e]) => m * 2 ** -24 * 2 ** e),
);
/** Sometimes refused: the writer must say so. */
const anyNumber = fc.oneof(
  { weight: 30, arbitrary: number },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, -0, 2 ** 53, -(2 ** 53), 1e300, -1e20) },
);
const scalar = (numbers: fc.Arbitrary<number>): fc.Arbitrary<CborValue> =>
  fc.oneof(
    { weight: 6, arbitrary: numbers },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
    { weight: 1, arbitrary: fc.string({ minLength: 20, maxLength: 300 }) },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 30 }) },
    { weight: 2, arbitrary: fc.constantFrom(true, false, null) },
  );

function valuesWith(numbers: fc.Arbitrary<number>): fc.Arbitrary<CborValue> {
  return fc.letrec<{ value: CborValue }>(tie => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      { weight: 3, arbitrary: scalar(numbers) },
      { weight: 1, arbitrary: fc.array(tie('value'), { maxLength: 4 }) },
      {
        weight: 2,
        arbitrary: fc
          .uniqueArray(fc.tuple(scalar(numbers), tie('value')), {
            maxLength: 6,
            selector: ([key]) => mapKey(key),
          })
          .map(pairs => new Map(pairs)),
      },
    ),
  })).value;
}

/** Keys that encode alike are alike, also when they are two objects. */
function mapKey(key: CborValue): string {
  return key instanceof Uint8Array ? `b${toHex(key)}` : `${typeof key} ${String(key)}`;
}

test('the writer and cbor2 agree byte for byte', t => {
  fc.assert(
    fc.property(valuesWith(anyNumber), value => {
      let ours: string | undefined;
      try {
        ours = toHex(encodeValue(value));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
      const theirs = refusedOnTop(value, 0) ? undefined : toHex(encode(value, cdeEncodeOptions));
      t.is(ours, theirs);
    }),
    { numRuns: 30_000 },
  );
});

test('every number alone: the writer and cbor2 agree', t => {
  const writer = new CborWriter(new Uint8Array(9));
  fc.assert(
    fc.property(anyNumber, value => {
      writer.reset();
      writer.number(value);
      const ours = writer.fault === '' ? toHex(writer.buffer, 0, writer.position) : undefined;
      t.is(ours, refusedOnTop(value, 0) ? undefined : toHex(encode(value, cdeEncodeOptions)));
    }),
    { numRuns: 20_000 },
  );
});

/** Zero is a choice to do something unusual. */
const choices = fc.oneof(fc.constant([]), fc.array(fc.nat(19), { minLength: 5, maxLength: 40 }));
const loose = fc.tuple(valuesWith(number), choices).map(([value, list]) => {
  const writer = new LooseWriter(list);
  writer.write(value);
  return Uint8Array.from(writer.out);
});
const mutated = fc
  .tuple(loose, fc.array(fc.tuple(fc.nat(60), fc.nat(3), fc.nat(255)), { minLength: 1, maxLength: 3 }))
  .map(([bytes, edits]) => {
    const list = [...bytes];
    for (const [at, how, byte] of edits) {
      const i = at % (list.length + 1);
      if (how === 0) list[i] = (list[i] ?? 0) ^ (1 << (byte & 7));
      else if (how === 1) list.splice(i, 1);
      else if (how === 2) list.splice(i, 0, byte);
      else list[i] = byte;
    }
    return Uint8Array.from(list);
  });
const heads = fc.array(
  fc.oneof(
    fc.constantFrom(
      0x18,
      0x19,
      0x1a,
      0x1b,
      0x38,
      0x3b,
      0x41,
      0x58,
      0x61,
      0x78,
      0x81,
      0x82,
      0x98,
      0xa1,
      0xa2,
      0xb8,
      0xc0,
      0xf4,
    ),
    fc.constantFrom(0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xff, 0x00, 0x20, 0x3c, 0x7c, 0x80, 0x9f, 0xbf),
    fc.nat(255),
  ),
  { maxLength: 12 },
);

function agree(
  t: { is(a: unknown, b: unknown, m?: string): void },
  bytes: Uint8Array,
  reader: CborReader,
): boolean {
  const ours = decodeValue(bytes);
  const theirs = oracle(bytes);
  const verdict = 'fault' in ours ? ours.fault : '';
  reader.reset(bytes);
  reader.skip();
  reader.finish();
  if ((verdict === '') !== (theirs !== undefined) || reader.fault !== verdict) {
    t.is(verdict, theirs === undefined ? 'a refusal' : 'a value', toHex(bytes));
  }
  if ('fault' in ours || theirs === undefined) return false;
  // Whatever is taken is the one encoding of its value.
  t.is(toHex(encodeValue(ours.value)), toHex(bytes));
  t.is(toHex(encode(theirs, cdeEncodeOptions)), toHex(bytes));
  return true;
}

for (const [name, arbitrary, numRuns] of [
  ['encodings right and wrong', loose, 20_000],
  ['altered encodings', mutated, 20_000],
  ['heads and numbers at random', heads.map(list => Uint8Array.from(list)), 20_000],
] as const) {
  test(`the reader and cbor2 agree about ${name}`, t => {
    const reader = new CborReader();
    let taken = 0;
    fc.assert(
      fc.property(arbitrary, bytes => {
        if (agree(t, bytes, reader)) taken++;
      }),
      { numRuns },
    );
    t.log(`${taken} of ${numRuns} taken`);
    t.true(taken > numRuns / 100 && taken < numRuns * 0.9, 'both verdicts must be tried');
  });
}
