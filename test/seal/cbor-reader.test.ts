import test from 'ava';
import fc from 'fast-check';
import { CborReader, decodeValue, encodeValue, Token, toHex } from '../../firmware/seal/index.js';
import { hex } from './support.js';

function reader(text: string): CborReader {
  const r = new CborReader();
  r.reset(hex(text));
  return r;
}

test('every kind of item', t => {
  const r = reader('8a 1903e8 3903e7 f93e00 f5 f4 f6 420102 62c3bc a0 80'.replaceAll(' ', ''));
  t.is(r.array(), 10);
  t.is(r.uint(), 1000);
  t.is(r.number(), -1000);
  t.is(r.number(), 1.5);
  t.true(r.bool());
  t.false(r.bool());
  t.is(r.next(), Token.null);
  t.is(r.fixed(2), r.position - 2);
  t.true(r.text());
  t.is(toHex(r.bytes, r.start, r.stop), 'c3bc');
  t.is(r.map(), 0);
  t.is(r.array(), 0);
  t.true(r.finish());
});

test('an item of another type is refused', t => {
  const wrong: [string, (r: CborReader) => unknown][] = [
    ['20', r => r.uint()],
    ['f93e00', r => r.uint()],
    ['6161', r => r.uint()],
    ['f4', r => r.number()],
    ['00', r => r.bool()],
    ['f6', r => r.bool()],
    ['6161', r => r.data()],
    ['4161', r => r.text()],
    ['a0', r => r.array()],
    ['80', r => r.map()],
    ['f5', r => r.key(1)],
  ];
  for (const [text, read] of wrong) {
    const r = reader(text);
    read(r);
    t.is(r.fault, 'unexpected-type', text);
  }
  const r = reader('4161');
  r.fixed(2);
  t.is(r.fault, 'length');
  const k = reader('02');
  k.key(1);
  t.is(k.fault, 'unexpected-key');
});

test('the first fault is kept, and nothing is read after it', t => {
  const r = reader('1801f5f5');
  t.is(r.uint(), 0);
  t.is(r.fault, 'not-shortest');
  t.is(r.next(), Token.fault);
  t.is(r.number(), 0);
  t.false(r.bool());
  t.is(r.array(), 0);
  t.is(r.map(), 0);
  t.is(r.fixed(0), 0);
  r.skip();
  r.refuse('kind');
  t.false(r.finish());
  t.is(r.fault, 'not-shortest');
  r.reset(hex('f5'));
  t.true(r.bool());
});

test('every proper beginning of an item is truncated', t => {
  const values = [2 ** 40, 1.1, 0.5, 'text', new Uint8Array(300), [1, [2, 'x']], new Map([['a', 1]])];
  for (const value of values) {
    const bytes = encodeValue(value);
    for (let end = 0; end < bytes.length; end++)
      t.deepEqual(decodeValue(bytes, 0, end), { fault: 'truncated' });
  }
});

test('bytes outside of the range are never looked at', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 12 }), (inside, outside) => {
      const framed = Uint8Array.from([...outside, ...inside, ...outside]);
      const at = outside.length;
      t.deepEqual(decodeValue(framed, at, at + inside.length), decodeValue(inside));
    }),
    { numRuns: 5000 },
  );
});

test('no claim makes the reader do more than the bytes there are worth', t => {
  for (const claim of [
    '9bffffffffffffffff',
    'bbffffffffffffffff',
    '5bffffffffffffffff',
    '9affffffff',
    '9a7fffffff',
  ]) {
    t.deepEqual(decodeValue(hex(`${claim}00`)), { fault: 'truncated' });
  }
  // At the head already, before any item is looked at: an item has at least one byte, a pair two.
  for (const head of ['82 00', 'a2 00 00 00', 'a1 00', '42 00', '62 61']) {
    const r = reader(head.replaceAll(' ', ''));
    r.next();
    t.is(r.fault, 'truncated', head);
    t.is(r.position, 1, head);
  }
  t.deepEqual(decodeValue(hex(`9a000fffff${'00'.repeat(10)}`)), { fault: 'truncated' });
});
