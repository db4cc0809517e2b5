import test from 'ava';
import { nobleDigest } from '../../boards/virtual/digest.js';
import { PowerCut, VirtualFlash } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { virtualSources } from '../../boards/virtual/sources.js';
import { EnvelopeReader, readRecords, Sealer, type SenmlRecord } from '../../firmware/seal/index.js';
import { Period } from '../../firmware/sensors/period.js';

function measure(
  seed: number,
  ratePerSecond: number,
  forMs: number,
): { atMs: number; record: SenmlRecord }[] {
  const sources = virtualSources(new SeededRandom(seed), ratePerSecond);
  const sealer = new Sealer(nobleDigest, new Uint8Array(8));
  sealer.startEpoch(0, new Uint8Array(32));
  const reader = new EnvelopeReader();
  const found: { atMs: number; record: SenmlRecord }[] = [];
  for (let atMs = 0; atMs <= forMs; atMs++) {
    for (const source of sources) {
      while (source.poll(atMs) === 0) {
        source.write(sealer.begin(atMs, -1, source.kind));
        const length = sealer.seal();
        const bytes = sealer.buffer.slice(sealer.start, sealer.start + length);
        if (reader.parse(bytes, 0, length) !== '') throw new Error(sealer.fault);
        for (const record of readRecords(bytes, reader.recordsAt, reader.recordsEnd))
          found.push({ atMs, record });
      }
    }
  }
  return found;
}

test('three sources take turns at the rate asked for, with values that make sense', t => {
  const found = measure(5, 30, 60_000);
  t.is(found.length, 1_800);
  const of = (name: string) => found.filter(({ record }) => record.n === name);
  for (const name of ['temperature', 'supply', 'running']) t.is(of(name).length, 600);
  const celsius = of('temperature').map(({ record }) => record.v!);
  t.true(celsius.every(v => v > 15 && v < 27 && Math.abs(v * 100 - Math.round(v * 100)) < 1e-6));
  t.true(new Set(celsius).size > 50);
  t.true(of('temperature').every(({ record }) => record.u === 'Cel'));
  const volts = of('supply').map(({ record }) => record.v!);
  t.true(volts.every(v => v > 3 && v < 3.4));
  const states = of('running').map(({ record }) => record.vb);
  const switches = states.filter((state, i) => i > 0 && state !== states[i - 1]).length;
  t.true(switches > 20 && switches < 150, `${switches}`);
});

test('the same seed measures the same, another one something else', t => {
  t.deepEqual(measure(9, 10, 5_000), measure(9, 10, 5_000));
  t.notDeepEqual(measure(9, 10, 5_000), measure(10, 10, 5_000));
  t.notDeepEqual(measure(9, 10, 5_000), measure(9 + 2 ** 32, 10, 5_000));
});

test('a period that fell far behind does not burst', t => {
  const period = new Period(100, 100);
  t.is(period.waitMs(40), 60);
  let taken = 0;
  for (let nowMs = 10_000; period.waitMs(nowMs) === 0; taken++) period.taken(nowMs);
  t.true(taken >= 2 && taken <= 12, `${taken}`);
  t.true(period.waitMs(10_000) <= 100);
});

test('flash: erasing sets, programming only clears, and both keep to their units', t => {
  const flash = new VirtualFlash({ sectors: 2, sectorBytes: 64, programBytes: 16 });
  const read = new Uint8Array(16);
  t.true(flash.program(0, 0, new Uint8Array(16).fill(0xf0)));
  t.true(flash.program(0, 0, new Uint8Array(16).fill(0x3c)));
  flash.read(0, 0, read);
  t.true(read.every(byte => byte === 0x30));
  flash.read(0, 16, read);
  t.true(read.every(byte => byte === 0xff));
  t.true(flash.erase(0));
  flash.read(0, 0, read);
  t.true(read.every(byte => byte === 0xff));
  t.throws(() => flash.program(0, 8, new Uint8Array(16)), { instanceOf: RangeError });
  t.throws(() => flash.program(0, 0, new Uint8Array(8)), { instanceOf: RangeError });
  t.throws(() => flash.read(1, 60, read), { instanceOf: RangeError });
  t.throws(() => flash.erase(2), { instanceOf: RangeError });
});

test('flash: a power cut leaves what was done before it, and the sectors beside it', t => {
  for (let at = 0; at <= 16; at++) {
    const flash = new VirtualFlash({ sectors: 2, sectorBytes: 64, programBytes: 16 });
    flash.program(1, 0, new Uint8Array(16).fill(0x55));
    flash.cutAfter(at, at);
    t.throws(() => flash.program(0, 0, new Uint8Array(16)) && flash.program(0, 16, new Uint8Array(16)), {
      instanceOf: PowerCut,
    });
    const done = Math.max(0, at - 1);
    t.true(flash.image.subarray(0, done).every(byte => byte === 0));
    t.true(flash.image.subarray(64, 80).every(byte => byte === 0x55));
  }
});
