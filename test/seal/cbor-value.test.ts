import test from 'ava';
import type { CborValue } from '../../firmware/seal/index.js';
import { decodeValue, encodeValue, toHex } from '../../firmware/seal/index.js';

test('maps are sorted by their encoded keys', t => {
  const map = new Map<CborValue, CborValue>([
    [false, 0],
    [[-1], 0],
    ['aa', 0],
    ['z', 0],
    [-1, 0],
    [100, 0],
    [10, 0],
  ]);
  t.is(toHex(encodeValue(map)), 'a70a001864002000617a006261610081200 0f400'.replace(' ', ''));
});

test('what has no encoding throws and says why', t => {
  const deep = (n: number): CborValue => (n === 0 ? 0 : [deep(n - 1)]);
  const cases: [CborValue, string][] = [
    [NaN, 'not-finite'],
    [[Infinity], 'not-finite'],
    [-0, 'negative-zero'],
    [2 ** 53, 'integer-too-large'],
    ['\ud800', 'invalid-utf8'],
    [deep(17), 'too-deep'],
    [
      new Map([
        [[1], 1],
        [[1], 2],
      ] as [CborValue, CborValue][]),
      'duplicate-key',
    ],
    [new Map([[NaN, 1]]), 'not-finite'],
  ];
  for (const [value, why] of cases) {
    t.throws(() => encodeValue(value), {
      instanceOf: RangeError,
      message: `no encoding for this value: ${why}`,
    });
  }
  t.notThrows(() => encodeValue(deep(16)));
});

test('byte strings are copies', t => {
  const bytes = encodeValue(new Uint8Array([1, 2]));
  const decoded = decodeValue(bytes);
  bytes.fill(9);
  t.deepEqual(decoded, { value: new Uint8Array([1, 2]) });
});
