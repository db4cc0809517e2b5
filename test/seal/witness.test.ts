/** COSE libraries that know nothing of this project verify its envelopes and refuse altered ones. */
import { Mac0 as Auth0Mac0 } from '@auth0/cose';
import test from 'ava';
import { decode } from 'cbor-x';
import coseJs from 'cose-js';
import { coseVerifyMAC0 } from 'cose-kit';
import { KeyChain } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import type * as Vectors from '../vectors/types.js';
import { flipped, hex, sealerOf, sealOne, toHex, vectors } from './support.js';

const { chains, sealed } = vectors<Vectors.Envelopes>('envelopes.json');
const keyOf = (epoch: number) => new KeyChain(nodeDigest).seal(hex(chains[epoch]));

/** Each takes bytes and a key, returns the payload, and throws when the tag is wrong. */
const WITNESSES: Record<string, (envelope: Uint8Array, key: Uint8Array) => Promise<Uint8Array>> = {
  '@auth0/cose': async (envelope, key) => {
    const mac0 = Auth0Mac0.decode(envelope);
    await mac0.verify(key, { algorithms: [5] });
    return mac0.payload;
  },
  'cose-js': (envelope, key) => coseJs.mac.read(Buffer.from(envelope), Buffer.from(key)),
  'cose-kit': async (envelope, key) => {
    const { isValid, decoded } = await coseVerifyMAC0(envelope, key);
    if (!isValid) throw new Error('not valid');
    return decoded.payload;
  },
};

for (const [name, verify] of Object.entries(WITNESSES)) {
  test(`${name} verifies envelopes`, async t => {
    for (const { epoch, payload, envelope } of sealed) {
      t.is(toHex(await verify(hex(envelope), keyOf(epoch))), payload);
    }
    const { sealer } = sealerOf(nodeDigest);
    for (let i = 0; i < 100; i++) {
      t.is(decode(await verify(sealOne(sealer, i / 8), keyOf(1)))[2], i);
    }
  });

  test(`${name} refuses altered envelopes and other keys`, async t => {
    const envelope = hex(sealed[0].envelope);
    await t.throwsAsync(verify(envelope, keyOf(0)));
    await t.throwsAsync(verify(envelope, keyOf(2)));
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      // The unprotected header is outside of the tag, as COSE has it: EnvelopeReader refuses any but the empty one.
      if (bit >> 3 === 15) continue;
      await t.throwsAsync(async () => verify(flipped(envelope, bit), keyOf(1)), undefined, `bit ${bit}`);
    }
  });
}
