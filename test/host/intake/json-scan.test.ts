import test from 'ava';
import fc from 'fast-check';
import { MAX_JSON_DEPTH, pythonRepr, scanValue } from '../../../host/intake/json-scan.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const accepts = (text: string) => {
  const bytes = bytesOf(text);
  return scanValue(bytes, 0, bytes.length) === bytes.length;
};

const TAKEN = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '23',
  '12345678901234567890123',
  '0.0',
  '-0.0',
  '23.0',
  '1e-07',
  '1.5e-07',
  '0.0001',
  '-4.25',
  '1e+16',
  '1e+100',
  '5e-324',
  '1.7976931348623157e+308',
  '1000000000000000.0',
  '123456789012345.6',
  '""',
  '"a|b"',
  '"°C"',
  '"\u2028\u2029\u0085\u007f🌡"',
  '"/"',
  '"\\"\\\\\\b\\f\\n\\r\\t"',
  '"\\u0000\\u001f\\u000b"',
  '{}',
  '[]',
  '[[],{}]',
  '{"":1}',
  '{"a":1,"b":[1,2.5,"x"]}',
  '{"A":1,"a":2}',
  '{"\uffff":1,"\u{10000}":2}', // by code point, not by UTF-16 unit
  '{"\\n":1," ":2}',
];
const REFUSED = [
  '',
  ' 1',
  '1 ',
  '-0',
  '00',
  '01',
  '+1',
  '1.',
  '.5',
  '-',
  '1.50',
  '1e5',
  '1E-07',
  '1e-7',
  '1e-007',
  '1.0e-07',
  '0.00001',
  '1e+15',
  '10000000000000000.0',
  '100000.00',
  '0.10000000000000001',
  '1e+400',
  '1--2',
  '1.2.3',
  'NaN',
  'Infinity',
  '-Infinity',
  'nul',
  'True',
  "'a'",
  '"',
  '"a',
  '"\n"',
  '"\\/"',
  '"\\u0041"',
  '"\\u000a"',
  '"\\u001F"',
  '"\\u2028"',
  '"\\ud800"',
  '"\\x41"',
  '"\\u00"',
  '{',
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{a:1}',
  '{"a": 1}',
  '{"a":1 }',
  '{"b":1,"a":2}',
  '{"a":1,"a":2}',
  '{"\u{10000}":1,"\uffff":2}',
  '{" ":1,"\\n":2}',
  '[1,]',
  '[1 ,2]',
  '[,1]',
  '[1',
];

for (const text of TAKEN) test(`takes ${text}`, t => t.true(accepts(text)));
for (const text of REFUSED) test(`refuses ${JSON.stringify(text)}`, t => t.false(accepts(text)));

test('depth is limited', t => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  t.true(accepts(nested(MAX_JSON_DEPTH)));
  t.false(accepts(nested(MAX_JSON_DEPTH + 1)));
  t.false(accepts(nested(100_000)));
});

test('a number is limited before it is looked at', t => {
  t.true(accepts('9'.repeat(64)));
  t.false(accepts('9'.repeat(65)));
  t.false(accepts(`0.${'1'.repeat(100_000)}`));
});

test('prints floats as Python does', t => {
  t.deepEqual(
    [23, 1e-7, 0.1, -0, 1e16, 1e15, 123456.789, 1e-4, 1e-5, 2 ** 53, 1e22, 1.5e300].map(pythonRepr),
    [
      '23.0',
      '1e-07',
      '0.1',
      '-0.0',
      '1e+16',
      '1000000000000000.0',
      '123456.789',
      '0.0001',
      '1e-05',
      '9007199254740992.0',
      '1e+22',
      '1.5e+300',
    ],
  );
});

/** The sender's form of a value, written without the scanner's rules: sorts and prints, as Python would. */
function print(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(print).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const keys = Object.keys(value).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const object = value as Record<string, unknown>;
    return `{${keys.map(key => `${string(key)}:${print(object[key])}`).join(',')}}`;
  }
  if (typeof value === 'string') return string(value);
  return typeof value === 'number' ? pythonRepr(value) : JSON.stringify(value);
}
const string = (text: string) => JSON.stringify(text);

const json = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.string({ unit: 'grapheme' }), tie('value'), { maxKeys: 4 }),
  ),
})).value;

test('takes whatever the sender can print, whole, and nothing with a byte changed into a space', t => {
  fc.assert(
    fc.property(json, fc.nat(), (value, place) => {
      const text = print(value);
      const bytes = bytesOf(text);
      if (scanValue(bytes, 0, bytes.length) !== bytes.length) return false;
      const at = place % (bytes.length + 1);
      const padded = new Uint8Array([...bytes.subarray(0, at), 0x20, ...bytes.subarray(at)]);
      const end = scanValue(padded, 0, padded.length);
      // A space is harmless only within a string.
      return end !== padded.length || text.includes('"');
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
