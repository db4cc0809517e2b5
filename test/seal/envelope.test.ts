import test from 'ava';
import fc from 'fast-check';
import type { SenmlRecord } from '../../firmware/seal/index.js';
import { EnvelopeReader, label, readRecords, utf8 } from '../../firmware/seal/index.js';
import type * as Vectors from '../vectors/types.js';
import { DIGESTS, flipped, hex, sealerOf, vectors } from './support.js';

const { sealed } = vectors<Vectors.Envelopes>('envelopes.json');

for (const [name, digest] of DIGESTS) {
  test(`every single bit of an envelope counts, with ${name}`, t => {
    const reader = new EnvelopeReader();
    for (const { epoch, envelope } of sealed) {
      const { mac } = sealerOf(digest, epoch);
      const bytes = hex(envelope);
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const altered = flipped(bytes, bit);
        if (reader.parse(altered, 0, altered.length) === '' && reader.verify(mac)) t.fail(`bit ${bit}`);
      }
      t.is(reader.parse(bytes, 0, bytes.length), '');
      t.true(reader.verify(mac));
    }
  });

  test(`any readings come out as they went in, with ${name}`, t => {
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    const record: fc.Arbitrary<SenmlRecord> = fc
      .tuple(
        fc.stringMatching(/^[A-Za-z0-9][-A-Za-z0-9:./_]{0,15}$/),
        fc.option(fc.string({ minLength: 1, maxLength: 5 }), { nil: undefined }),
        fc.oneof(
          fc
            .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger())
            .map(v => ({ v })),
          text.map(vs => ({ vs })),
          fc.boolean().map(vb => ({ vb })),
          fc.uint8Array({ maxLength: 20 }).map(vd => ({ vd })),
        ),
      )
      .map(([n, u, value]) => (u === undefined ? { n, ...value } : { n, u, ...value }));
    const sealable = (r: SenmlRecord) =>
      r.v === undefined || (!Object.is(r.v, -0) && (!Number.isInteger(r.v) || Number.isSafeInteger(r.v)));
    const records = fc.array(record.filter(sealable), { minLength: 1, maxLength: 10 });
    const clock = fc.maxSafeNat();
    const { sealer, mac } = sealerOf(digest, 1, 4074);
    const reader = new EnvelopeReader();
    fc.assert(
      fc.property(
        records,
        clock,
        fc.option(clock, { nil: -1 }),
        fc.nat(5),
        (wanted, uptimeMs, unixMs, kind) => {
          const out = sealer.begin(uptimeMs, unixMs, kind);
          for (const r of wanted) {
            const l = label(r.n, r.u);
            if (r.v !== undefined) out.number(l, r.v);
            else if (r.vs !== undefined) out.text(l, utf8(r.vs));
            else if (r.vb !== undefined) out.bool(l, r.vb);
            else out.data(l, r.vd!);
          }
          const seq = sealer.nextSeq;
          const length = sealer.seal();
          t.is(sealer.fault, '');
          const bytes = sealer.buffer;
          t.is(reader.parse(bytes, sealer.start, sealer.start + length), '');
          t.true(reader.verify(mac));
          t.deepEqual(
            [reader.epoch, reader.seq, reader.uptimeMs, reader.unixMs, reader.kind],
            [1, seq, uptimeMs, unixMs, kind],
          );
          t.deepEqual(readRecords(bytes, reader.recordsAt, reader.recordsEnd), wanted);
        },
      ),
      { numRuns: 500 },
    );
  });
}

test('every shorter and every longer piece is refused', t => {
  const reader = new EnvelopeReader();
  for (const { envelope } of sealed) {
    const bytes = hex(`${envelope}00`);
    for (let length = 0; length <= bytes.length; length++) {
      const fault = reader.parse(bytes, 0, length);
      if (length === bytes.length - 1) t.is(fault, '');
      else t.not(fault, '', `${length} bytes`);
    }
  }
});

test('any bytes put in place of others give a reason, not an exception, and never a verified reading', t => {
  const [, digest] = DIGESTS[0];
  const reader = new EnvelopeReader();
  const { mac } = sealerOf(digest, 1);
  const bytes = hex(sealed[1].envelope);
  fc.assert(
    fc.property(fc.nat(bytes.length), fc.nat(20), fc.uint8Array({ maxLength: 20 }), (at, cut, put) => {
      const altered = Uint8Array.from([...bytes.slice(0, at), ...put, ...bytes.slice(at + cut)]);
      fc.pre(Buffer.compare(altered, bytes) !== 0);
      t.false(reader.parse(altered, 0, altered.length) === '' && reader.verify(mac));
    }),
    { numRuns: 10_000 },
  );
});

test('a reader made for shorter envelopes refuses longer ones', t => {
  const bytes = hex(sealed[0].envelope);
  t.is(new EnvelopeReader(bytes.length).parse(bytes, 0, bytes.length), '');
  t.is(new EnvelopeReader(bytes.length - 1).parse(bytes, 0, bytes.length), 'too-large');
});
