import { crc32 } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { Crc32 } from '../../firmware/seal/index.js';

test('agrees with zlib on any part of any bytes', t => {
  const crc = new Crc32();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), fc.nat(600), (bytes, a, b) => {
      const from = Math.min(a, b, bytes.length);
      const to = Math.min(Math.max(a, b), bytes.length);
      t.is(crc.compute(bytes, from, to) >>> 0, crc32(bytes.subarray(from, to)));
    }),
  );
});
