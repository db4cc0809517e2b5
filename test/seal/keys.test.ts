import { createHmac, hkdfSync } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { hkdfExpand, KeyChain } from '../../firmware/seal/index.js';
import { DIGESTS, toHex } from './support.js';

for (const [name, digest] of DIGESTS) {
  test(`hkdfExpand is what hkdfSync does after its extract, with ${name}`, t => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.nat(200), (ikm, salt, info, length) => {
        const prk = createHmac('sha256', salt).update(ikm).digest();
        const expected = Buffer.from(hkdfSync('sha256', ikm, salt, info, length)).toString('hex');
        t.is(toHex(hkdfExpand(digest, prk, info, length)), expected);
      }),
    );
    const most = hkdfExpand(digest, new Uint8Array(32), new Uint8Array(0), 8160);
    const prk = createHmac('sha256', 'salt').update('ikm').digest();
    t.is(most.length, 8160);
    t.is(
      toHex(hkdfExpand(digest, prk, new Uint8Array(0), 8160)),
      Buffer.from(hkdfSync('sha256', 'ikm', 'salt', '', 8160)).toString('hex'),
    );
  });

  test(`no two keys of a device are the same, and none of another device, with ${name}`, t => {
    const chain = new KeyChain(digest);
    const root = new Uint8Array(32).fill(7);
    const seen = new Set([toHex(root)]);
    let made = 1;
    for (const id of [new Uint8Array(8), new Uint8Array(8).fill(1)]) {
      let key = chain.first(root, id);
      seen.add(toHex(chain.down(root, id)));
      made++;
      for (let epoch = 0; epoch < 20; epoch++) {
        for (const derived of [key, chain.seal(key), chain.up(key)]) seen.add(toHex(derived));
        made += 3;
        key = chain.next(key);
      }
    }
    t.is(seen.size, made);
  });

  test(`keys and ids of other lengths are the caller's mistake, with ${name}`, t => {
    const chain = new KeyChain(digest);
    t.throws(() => chain.next(new Uint8Array(31)), { message: 'a key has 32 bytes, not 31' });
    t.throws(() => chain.first(new Uint8Array(32), new Uint8Array(7)), {
      message: 'a device id has 8 bytes, not 7',
    });
    t.throws(() => chain.down(new Uint8Array(33), new Uint8Array(8)), { instanceOf: RangeError });
    t.throws(() => hkdfExpand(digest, new Uint8Array(32), new Uint8Array(0), 8161), {
      instanceOf: RangeError,
    });
  });
}
