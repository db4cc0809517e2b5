import test from 'ava';
import { CborWriter, toHex, utf8 } from '../../firmware/seal/index.js';

function written(write: (writer: CborWriter) => void, size = 64): string {
  const writer = new CborWriter(new Uint8Array(size));
  write(writer);
  return writer.fault === '' ? toHex(writer.buffer, 0, writer.position) : writer.fault;
}

test('every kind of item', t => {
  t.is(
    written(w => w.uint(1000)),
    '1903e8',
  );
  t.is(
    written(w => w.number(-1000)),
    '3903e7',
  );
  t.is(
    written(w => w.number(1.5)),
    'f93e00',
  );
  t.is(
    written(w => w.bool(true)),
    'f5',
  );
  t.is(
    written(w => w.bool(false)),
    'f4',
  );
  t.is(
    written(w => w.null()),
    'f6',
  );
  t.is(
    written(w => w.bytes(new Uint8Array([1, 2, 3, 4]), 1, 3)),
    '420203',
  );
  t.is(
    written(w => w.utf8(utf8('xäy'), 1, 3)),
    '62c3a4',
  );
  t.is(
    written(w => w.text('ü水𐅑')),
    '69c3bce6b0b4f0908591',
  );
  t.is(
    written(w => w.array(24)),
    '9818',
  );
  t.is(
    written(w => w.map(2)),
    'a2',
  );
  t.is(
    written(w => w.raw(new Uint8Array([0xf6, 0xf6]))),
    'f6f6',
  );
  t.is(
    written(w => w.whole(new Uint8Array([0xf6, 0xf5]))),
    'f6f5',
  );
  t.is(
    written(w => w.pair(3, 1000)),
    '031903e8',
  );
});

test('uint takes no other number', t => {
  for (const value of [-1, 0.5, NaN, -Infinity])
    t.is(
      written(w => w.uint(value)),
      'not-unsigned',
    );
  t.is(
    written(w => w.uint(-0)),
    'negative-zero',
  );
  t.is(
    written(w => w.uint(2 ** 53)),
    'integer-too-large',
  );
  t.is(
    written(w => w.uint(Infinity)),
    'not-finite',
  );
});

test('integers at the limits of every size', t => {
  for (const [value, bytes] of [
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [255, '18ff'],
    [256, '190100'],
    [65_535, '19ffff'],
    [65_536, '1a00010000'],
    [2 ** 31 - 1, '1a7fffffff'],
    [2 ** 31, '1a80000000'],
    [2 ** 32 - 1, '1affffffff'],
    [2 ** 32, '1b0000000100000000'],
    [2 ** 53 - 1, '1b001fffffffffffff'],
  ] as const) {
    t.is(
      written(w => w.uint(value)),
      bytes,
    );
    t.is(
      written(w => w.number(value)),
      bytes,
    );
    if (value === 2 ** 53 - 1) continue;
    const negative = (0x20 | Number.parseInt(bytes.slice(0, 2), 16)).toString(16);
    t.is(
      written(w => w.number(-1 - value)),
      negative + bytes.slice(2),
    );
  }
});

test('a writer on a part of a memory keeps to it', t => {
  const memory = new Uint8Array(30).fill(0xee);
  const writer = new CborWriter(memory.subarray(10, 29));
  for (const value of [2 ** 40, 1.1, 100_000]) writer.number(value);
  t.is(writer.fault, 'overflow');
  t.is(toHex(memory, 9, 30), 'ee1b0000010000000000fb3ff199999999999aeeee');
});

test('a lone surrogate is refused', t => {
  for (const text of ['\ud800', 'a\udfff', '\ud83d\ud83d\udca7', '\udca7\ud83d']) {
    t.is(
      written(w => w.text(text)),
      'invalid-utf8',
    );
  }
});

test('what does not fit is not begun, and nothing follows it', t => {
  const items: ((w: CborWriter) => void)[] = [
    w => w.number(2 ** 40),
    w => w.number(1.1),
    w => w.number(0.5),
    w => w.text('abcdefgh'),
    w => w.bytes(new Uint8Array(30)),
    w => w.array(300),
    w => w.raw(new Uint8Array(5)),
    w => w.whole(new Uint8Array(5)),
    w => w.pair(4, 2 ** 40),
    w => w.number(2 ** -20),
    w => w.number(2 ** -140),
    w => w.number(-70_000),
    w => w.null(),
  ];
  for (const item of items) {
    const whole = written(item).length / 2;
    for (let size = 0; size <= whole; size++) {
      const writer = new CborWriter(new Uint8Array(40).fill(0xee));
      writer.reset(2, 2 + size);
      item(writer);
      t.is(writer.overflowed, size < whole);
      t.true(writer.position <= 2 + size);
      const position = writer.position;
      if (writer.overflowed) writer.null();
      t.is(writer.position, position);
      for (let i = 2 + size; i < 40; i++) if (writer.buffer[i] !== 0xee) t.fail(`wrote at ${i} of ${size}`);
    }
  }
});

test('the first fault is kept until reset', t => {
  const writer = new CborWriter(new Uint8Array(4));
  writer.number(NaN);
  writer.raw(new Uint8Array(9));
  writer.refuse('no-record');
  t.is(writer.fault, 'not-finite');
  t.is(writer.position, 0);
  writer.reset();
  writer.uint(7);
  t.is(writer.fault, '');
  t.is(writer.position, 1);
});
