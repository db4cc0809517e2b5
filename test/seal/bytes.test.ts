import test from 'ava';
import fc from 'fast-check';
import { equalBytes, fromHex, fromUtf8, toHex, utf8, validUtf8 } from '../../firmware/seal/index.js';

const bytes = fc.uint8Array({ maxLength: 40 });
/** Any code units, so that lone surrogates are among them. */
const anyText = fc
  .array(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0xd7f0, max: 0xe010 })), { maxLength: 20 })
  .map(units => String.fromCharCode(...units));

test('hex goes there and back', t => {
  fc.assert(
    fc.property(bytes, b => {
      t.is(toHex(b), Buffer.from(b).toString('hex'));
      t.deepEqual(fromHex(toHex(b)), b);
      t.deepEqual(fromHex(toHex(b).toUpperCase()), b);
    }),
  );
  t.is(toHex(new Uint8Array([1, 2, 3, 4]), 1, 3), '0203');
});

test('what is no hex is undefined', t => {
  for (const text of ['0', '0g', 'g0', '0x', ' 00', '0 ', '@0', '`0', '/0', ':0', '０0'])
    t.is(fromHex(text), undefined);
  t.deepEqual(fromHex(''), new Uint8Array(0));
});

test('equalBytes compares exactly the bytes named', t => {
  fc.assert(
    fc.property(bytes, bytes, fc.nat(40), fc.nat(40), fc.nat(40), (a, b, aAt, bAt, length) => {
      const inside = aAt + length <= a.length && bAt + length <= b.length;
      const same = Buffer.compare(a.slice(aAt, aAt + length), b.slice(bAt, bAt + length)) === 0;
      t.is(equalBytes(a, aAt, b, bAt, length), inside && same);
      t.true(equalBytes(a, 0, a.slice(), 0, a.length));
    }),
  );
});

test('equalBytes never takes bytes that are not there for equal', t => {
  const short = new Uint8Array(4);
  t.false(equalBytes(short, 0, short, 0, 5));
  t.false(equalBytes(short, 4, short, 4, 1));
  t.false(equalBytes(short, -1, short, -1, 2));
});

test('utf8 agrees with TextEncoder, lone surrogates too', t => {
  fc.assert(
    fc.property(anyText, text => t.deepEqual(utf8(text), new TextEncoder().encode(text))),
    {
      numRuns: 2000,
    },
  );
});

test('utf8 cuts where a character ends', t => {
  t.is(toHex(utf8('aä水💧', 10)), '61c3a4e6b0b4f09f92a7');
  t.is(toHex(utf8('aä水💧', 9)), '61c3a4e6b0b4');
  t.is(toHex(utf8('aä水💧', 5)), '61c3a4');
  t.is(toHex(utf8('aä水💧', 2)), '61');
  t.is(toHex(utf8('aä水💧', 0)), '');
});

test('fromUtf8 agrees with a fatal TextDecoder on any bytes', t => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const nearly = fc.tuple(anyText, fc.nat(60), fc.nat(255)).map(([text, at, byte]) => {
    const encoded = new TextEncoder().encode(text);
    if (at < encoded.length) encoded[at] = byte;
    return encoded;
  });
  const leads = fc
    .array(
      fc.constantFrom(
        0x7f,
        0x80,
        0x8f,
        0x90,
        0x9f,
        0xa0,
        0xbf,
        0xc0,
        0xc1,
        0xc2,
        0xdf,
        0xe0,
        0xed,
        0xef,
        0xf0,
        0xf4,
        0xf5,
        0xff,
      ),
      { maxLength: 6 },
    )
    .map(list => Uint8Array.from(list));
  fc.assert(
    fc.property(fc.oneof(bytes, nearly, leads), b => {
      let expected: string | undefined;
      try {
        expected = decoder.decode(b);
      } catch {}
      t.is(fromUtf8(b), expected);
      t.is(validUtf8(b, 0, b.length), expected !== undefined);
    }),
    { numRuns: 20_000 },
  );
});

test('a character must end within the range', t => {
  const water = utf8('水');
  t.false(validUtf8(water, 0, 2));
  t.is(fromUtf8(water, 0, 2), undefined);
  t.is(fromUtf8(water, 1), undefined);
});
