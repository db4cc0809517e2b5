import { createHash, createHmac } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { DIGESTS, toHex } from './support.js';

const bytes = fc.uint8Array({ maxLength: 300 });

for (const [name, digest] of DIGESTS) {
  test(`${name} hashes and authenticates any part of any bytes`, t => {
    const out = new Uint8Array(40);
    fc.assert(
      fc.property(bytes, bytes, fc.nat(300), fc.nat(300), (key, data, a, b) => {
        const from = Math.min(a, b, data.length);
        const to = Math.min(Math.max(a, b), data.length);
        const part = data.slice(from, to);
        digest.sha256(data, from, to, out, 4);
        t.is(toHex(out, 4, 36), createHash('sha256').update(part).digest('hex'));
        digest.hmac(key).compute(data, from, to, out, 8);
        t.is(toHex(out, 8), createHmac('sha256', key).update(part).digest('hex'));
      }),
    );
  });

  test(`${name}: the tag may go where the data is`, t => {
    const data = new Uint8Array(64).fill(3);
    const expected = createHmac('sha256', 'key').update(data).digest('hex');
    digest.hmac(new TextEncoder().encode('key')).compute(data, 0, 64, data, 16);
    t.is(toHex(data, 16, 48), expected);
  });

  test(`${name}: two keys at once do not disturb each other`, t => {
    const one = digest.hmac(new Uint8Array(32).fill(1));
    const two = digest.hmac(new Uint8Array(32).fill(2));
    const data = new Uint8Array(100);
    const out = new Uint8Array(64);
    for (let i = 0; i < 3; i++) {
      one.compute(data, 0, 100, out, 0);
      two.compute(data, 0, 100, out, 32);
      t.is(toHex(out, 0, 32), createHmac('sha256', Buffer.alloc(32, 1)).update(data).digest('hex'));
      t.is(toHex(out, 32), createHmac('sha256', Buffer.alloc(32, 2)).update(data).digest('hex'));
    }
  });
}
