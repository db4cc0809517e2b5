import test from 'ava';
import { EnvelopeReader, Kind, label, readRecords, Sealer, utf8 } from '../../firmware/seal/index.js';
import { DIGESTS, hex, ID, sealerOf, sealOne, toHex } from './support.js';

const A = label('a');
const VOLTAGE = label('supply', 'V');

for (const [name, digest] of DIGESTS) {
  test(`every reading links to the one before it, and an epoch begins with zeros, with ${name}`, t => {
    const { sealer, mac } = sealerOf(digest);
    const reader = new EnvelopeReader();
    let prev = '0000000000000000';
    for (let seq = 0; seq < 50; seq++) {
      t.is(sealer.nextSeq, seq);
      const envelope = sealOne(sealer, seq);
      t.is(reader.parse(envelope, 0, envelope.length), '');
      t.true(reader.verify(mac));
      t.is(reader.seq, seq);
      t.is(toHex(envelope, reader.prevAt, reader.prevAt + 8), prev);
      prev = toHex(envelope, reader.tagAt, reader.tagAt + 8);
    }
    sealer.startEpoch(2, new Uint8Array(32));
    t.is(sealer.epoch, 2);
    t.is(sealer.nextSeq, 0);
    const envelope = sealOne(sealer);
    t.is(reader.parse(envelope, 0, envelope.length), '');
    t.is(reader.epoch, 2);
    t.is(toHex(envelope, reader.prevAt, reader.prevAt + 8), '0000000000000000');
  });

  test(`a reading that can't be sealed leaves no trace, with ${name}`, t => {
    const { sealer } = sealerOf(digest);
    const same = sealerOf(digest).sealer;
    const bad: [string, () => void][] = [
      ['not-finite', () => sealer.number(A, NaN)],
      ['not-finite', () => sealer.number(A, -Infinity)],
      ['negative-zero', () => sealer.number(A, -0)],
      ['integer-too-large', () => sealer.number(A, 2 ** 53)],
      ['invalid-utf8', () => sealer.text(A, new Uint8Array([0xff]))],
      ['invalid-utf8', () => sealer.text(A, utf8('ä'), 0, 1)],
      ['overflow', () => sealer.data(A, new Uint8Array(513))],
      ['no-record', () => {}],
      [
        'too-many-records',
        () => {
          for (let i = 0; i < 24; i++) sealer.bool(A, true);
        },
      ],
    ];
    for (const [fault, write] of bad) {
      sealer.begin(1);
      sealer.number(A, 1.5);
      if (fault === 'no-record') sealer.begin(1);
      write();
      t.is(sealer.seal(), 0, fault);
      t.is(sealer.fault, fault as never);
      t.is(sealer.nextSeq, same.nextSeq);
      t.deepEqual(sealOne(sealer), sealOne(same));
    }
    for (const [uptime, unix] of [
      [-1, -1],
      [0.5, -1],
      [NaN, -1],
      [0, 0.5],
      [0, 2 ** 53],
    ]) {
      sealer.begin(uptime, unix).number(A, 1);
      t.is(sealer.seal(), 0);
      t.not(sealer.fault, '');
    }
  });

  test(`maxBytes is kept to the byte, with ${name}`, t => {
    for (const maxBytes of [128, 300, 512, 4074]) {
      const { sealer, mac } = sealerOf(digest, 1, maxBytes);
      const reader = new EnvelopeReader();
      let longest = 0;
      for (let size = maxBytes - 100; size < maxBytes; size++) {
        sealer.begin(0).data(A, new Uint8Array(size));
        const length = sealer.seal();
        if (length === 0) {
          t.is(sealer.fault, 'overflow');
          continue;
        }
        longest = Math.max(longest, length);
        t.is(reader.parse(sealer.buffer, sealer.start, sealer.start + length), '');
        t.true(reader.verify(mac));
      }
      t.is(longest, maxBytes);
    }
  });
}

const [, digest] = DIGESTS[0];

test('kinds and clocks come out as they went in', t => {
  const { sealer } = sealerOf(digest);
  const reader = new EnvelopeReader();
  for (const kind of [0, Kind.start, Kind.heartbeat, Kind.final, Kind.fault, Kind.loss]) {
    for (const unixMs of [-1, 0, 1767225600000, Number.MAX_SAFE_INTEGER]) {
      sealer.begin(77, unixMs, kind).number(VOLTAGE, 3.3);
      const length = sealer.seal();
      t.is(reader.parse(sealer.buffer, sealer.start, sealer.start + length), '');
      t.is(reader.kind, kind);
      t.is(reader.unixMs, unixMs);
      t.is(reader.uptimeMs, 77);
    }
  }
});

test('parts of arrays are taken as they are told', t => {
  const { sealer } = sealerOf(digest);
  const out = sealer.begin(0);
  out.text(A, utf8('xhellox'), 1, 6);
  out.data(A, new Uint8Array([1, 2, 3, 4]), 1, 3);
  const length = sealer.seal();
  const reader = new EnvelopeReader();
  t.is(reader.parse(sealer.buffer, sealer.start, sealer.start + length), '');
  t.deepEqual(readRecords(sealer.buffer, reader.recordsAt, reader.recordsEnd), [
    { n: 'a', vs: 'hello' },
    { n: 'a', vd: new Uint8Array([2, 3]) },
  ]);
});

test('without an epoch, or twice, nothing is sealed', t => {
  const sealer = new Sealer(digest, ID);
  sealer.begin(0).number(A, 1);
  t.is(sealer.seal(), 0);
  t.is(sealer.fault, 'no-epoch');
  sealer.startEpoch(0, new Uint8Array(32));
  t.is(sealer.seal(), 0);
  t.is(sealer.fault, 'not-begun');
  sealer.begin(0).number(A, 1);
  t.true(sealer.seal() > 0);
  t.is(sealer.seal(), 0);
  t.is(sealer.nextSeq, 1);
});

test('the chain key is neither kept nor altered', t => {
  const chain = hex('55'.repeat(32));
  const sealer = new Sealer(digest, ID);
  sealer.startEpoch(1, chain);
  t.is(toHex(chain), '55'.repeat(32));
  const first = sealOne(sealer);
  sealer.startEpoch(1, chain);
  chain.fill(0);
  t.deepEqual(sealOne(sealer), first);
});

test('mistakes of the caller', t => {
  t.throws(() => new Sealer(digest, new Uint8Array(7)), { message: 'a device id has 8 bytes, not 7' });
  const sealer = new Sealer(digest, ID);
  for (const epoch of [-1, 0.5, NaN, 2 ** 53]) {
    t.throws(() => sealer.startEpoch(epoch, new Uint8Array(32)), { instanceOf: RangeError });
  }
  for (const bad of ['', ' ', 'a b', '/a', '-a', 'ä', 'a\n', '.']) {
    t.throws(() => label(bad), { instanceOf: RangeError, message: /is no SenML name/ });
  }
  for (const good of ['a', '0', 'pump/state', 'urn:dev:mac:0024befffe804ff1', 'a_b-c.d'])
    t.notThrows(() => label(good));
});
