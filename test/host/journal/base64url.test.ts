import test from 'ava';
import fc from 'fast-check';
import { decodeBase64Url, writeBase64Url } from '../../../host/journal/base64url.js';

const MAX_BYTES = 300;

function written(bytes: Uint8Array): Buffer {
  const into = Buffer.alloc(4 + Math.ceil((bytes.length * 4) / 3) + 4, 0x21);
  const end = writeBase64Url(into, 4, bytes);
  return into.subarray(4, end);
}

test('what is written is what the platform writes, and is read again', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: MAX_BYTES }), bytes => {
      const text = written(bytes);
      t.is(text.toString('latin1'), Buffer.from(bytes).toString('base64url'));
      t.deepEqual(decodeBase64Url(text, 0, text.length, MAX_BYTES), Buffer.from(bytes));
    }),
  );
});

test('of any bytes, exactly those are read that the platform would write', t => {
  const digit = fc.constantFrom(...Buffer.from('AQgwz019-_=+/ \n\u0000\u00ff', 'latin1'));
  fc.assert(
    fc.property(fc.array(fc.oneof(digit, fc.nat(255)), { maxLength: 12 }), codes => {
      const text = Buffer.from(codes);
      const decoded = Buffer.from(text.toString('latin1'), 'base64url');
      const canonical = decoded.toString('base64url') === text.toString('latin1');
      t.deepEqual(decodeBase64Url(text, 0, text.length, MAX_BYTES), canonical ? decoded : undefined);
    }),
    { numRuns: 2000 },
  );
});

test('no more bytes than asked for, from the middle of others', t => {
  const text = Buffer.from('..QUJD..', 'latin1');
  t.deepEqual(decodeBase64Url(text, 2, 6, 3), Buffer.from('ABC'));
  t.is(decodeBase64Url(text, 2, 6, 2), undefined);
});
