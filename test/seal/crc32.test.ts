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

test('the checksum of what is copied is that of the copy', t => {
  const crc = new Crc32();
  fc.assert(
    fc.property(fc.nat(255), fc.uint8Array({ maxLength: 600 }), fc.nat(600), (first, bytes, a) => {
      const from = Math.min(a, bytes.length);
      const out = new Uint8Array(bytes.length + 9);
      const value = crc.copy(first, bytes, from, bytes.length, out, 7);
      const copied = Uint8Array.of(first, ...bytes.subarray(from));
      t.deepEqual(out.slice(7, 7 + copied.length), copied);
      t.is(value >>> 0, crc32(copied));
    }),
  );
});
