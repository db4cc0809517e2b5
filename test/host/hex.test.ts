import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../firmware/seal/index.js';
import { hexOf, IdTexts } from '../../host/hex.js';

const id = fc.uint8Array({ minLength: 8, maxLength: 8 });

test('hex of any part, of a Buffer and of other bytes', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(40), fc.nat(40), (bytes, a, b) => {
      const [from, to] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      t.is(hexOf(bytes, from, to), toHex(bytes, from, to));
      t.is(hexOf(Buffer.from(bytes), from, to), toHex(bytes, from, to));
    }),
  );
});

test('ids have their text however many there are, also when their last bytes are the same', t => {
  const ids = new IdTexts();
  fc.assert(
    fc.property(id, id, (one, other) => {
      const twin = Uint8Array.from([...other.subarray(0, 4), ...one.subarray(4)]);
      for (const bytes of [one, twin, one, other]) {
        t.is(ids.of(bytes, 0), toHex(bytes));
        t.is(ids.ofText(Buffer.from(`"${toHex(bytes)}"`), 1), toHex(bytes));
      }
    }),
  );
  for (let i = 0; i < 10_000; i++) {
    const bytes = Buffer.alloc(8, i);
    bytes.writeUInt32BE(i, 4);
    t.is(ids.of(bytes, 0), toHex(bytes));
  }
});

test('what is no id in lower-case hex has no text', t => {
  const ids = new IdTexts();
  for (const text of ['0123456789abcdeF', '0123456 89abcdef', '0123456789abcde"', '0123456789abcd'])
    t.is(ids.ofText(Buffer.from(text), 0), undefined, text);
});
