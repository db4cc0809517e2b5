import test from 'ava';
import { Mac0Reader, Mac0Writer } from '../../firmware/seal/index.js';
import { DIGESTS, flipped, ID } from './support.js';

for (const [name, digest] of DIGESTS) {
  const mac = digest.hmac(new Uint8Array(32).fill(5));

  test(`payloads of every length up to the largest message, with ${name}`, t => {
    const reader = new Mac0Reader();
    const writer = new Mac0Writer(4074);
    writer.identify(ID);
    for (const size of [0, 1, 22, 23, 24, 25, 254, 255, 256, 257, 4000, 4021, 4022]) {
      writer.begin();
      writer.payload.raw(new Uint8Array(size).fill(size));
      const length = writer.finish(mac);
      if (size === 4022) {
        t.is(length, 0);
        t.is(writer.payload.fault, 'overflow');
        continue;
      }
      const message = writer.buffer.slice(writer.start, writer.start + length);
      t.is(reader.parse(message, 0, length), '', `${size}`);
      t.is(reader.payloadEnd - reader.payloadAt, size);
      t.true(reader.verify(mac), `${size}`);
      t.false(reader.verify(digest.hmac(new Uint8Array(32))), `${size}`);
    }
  });

  test(`maxBytes is kept to the byte, with ${name}`, t => {
    for (let maxBytes = 64; maxBytes < 400; maxBytes++) {
      const writer = new Mac0Writer(maxBytes);
      let longest = 0;
      for (let size = maxBytes - 60; size < maxBytes; size++) {
        writer.begin();
        writer.payload.raw(new Uint8Array(size));
        const length = writer.finish(mac);
        t.true(length <= maxBytes);
        if (length > 0) longest = length;
      }
      // A head of two bytes skips one length: of 23 bytes more at most one can be lost.
      t.true(longest >= maxBytes - 1, `${longest} of ${maxBytes}`);
    }
  });

  test(`any bit turned over is refused, with ${name}`, t => {
    const writer = new Mac0Writer(100);
    const reader = new Mac0Reader();
    writer.identify(ID);
    writer.begin();
    writer.payload.text('payload');
    const length = writer.finish(mac);
    const message = writer.buffer.slice(writer.start, writer.start + length);
    for (let bit = 0; bit < length * 8; bit++) {
      const altered = flipped(message, bit);
      t.false(reader.parse(altered, 0, length) === '' && reader.verify(mac), `bit ${bit}`);
    }
  });
}

test("sizes out of range are the caller's mistake", t => {
  for (const size of [0, 63, 4075, NaN]) t.throws(() => new Mac0Writer(size), { instanceOf: RangeError });
  t.throws(() => new Mac0Writer(100).identify(new Uint8Array(7)), { instanceOf: RangeError });
});

test('a reader refuses what is longer than it was made for', t => {
  t.is(new Mac0Reader(64).parse(new Uint8Array(65), 0, 65), 'too-large');
});
