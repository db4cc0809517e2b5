import test from 'ava';
import { label, Sealer } from '../../../firmware/seal/index.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { SenmlEncoder } from '../../../host/uplink/senml.js';
import { TimeMap } from '../../../host/uplink/time-map.js';

const DEVICE = '0707070707070707';
const BOOT = 1_700_000_000_000;

function device() {
  const sealer = new Sealer(nodeDigest, new Uint8Array(8).fill(7));
  const seal = (epoch: number, uptimeMs: number, unixMs: number, at: number) => {
    if (sealer.epoch !== epoch) sealer.startEpoch(epoch, new Uint8Array(32).fill(epoch));
    sealer.begin(uptimeMs, unixMs, 0).number(label('t'), 1);
    const length = sealer.seal();
    return { device: DEVICE, epoch, at, bytes: sealer.buffer.slice(sealer.start, sealer.start + length) };
  };
  return seal;
}

const first = (bytes: Uint8Array | undefined) => JSON.parse(Buffer.from(bytes!).toString())[0];

test('a later reading with both gives the instant of those before it, to the millisecond', t => {
  const seal = device();
  const times = new TimeMap();
  const encoder = new SenmlEncoder(times);
  const early = seal(1, 5_000, -1, BOOT + 3_600_000);
  times.observe(early);
  times.observe(seal(1, 3_600_123, BOOT + 3_600_123, BOOT + 3_600_200));
  t.like(first(encoder.encode(early)), { bt: (BOOT + 5_000) / 1000, time: 'recovered' });
  const other = seal(2, 5_000, -1, BOOT + 4_000_000);
  t.like(first(encoder.encode(other)), { bt: (BOOT + 4_000_000) / 1000, time: 'received' });
  const own = first(encoder.encode(seal(2, 6_000, BOOT, BOOT + 9)));
  t.is(own.bt, BOOT / 1000);
  t.false('time' in own);
});

test('without one, the tightest of what the times of receipt allow, never later than the receipt', t => {
  const seal = device();
  const times = new TimeMap();
  const backlog = [10, 20, 30].map(s => seal(1, s * 1000, -1, BOOT + 3_600_000));
  for (const reading of backlog) times.observe(reading);
  const live = seal(1, 3_600_000, -1, BOOT + 3_600_050);
  times.observe(live);
  for (const [i, reading] of backlog.entries()) {
    const { unixMs, from } = times.recover(DEVICE, 1, (i + 1) * 10_000, reading.at);
    t.is(from, 'received');
    t.is(unixMs, BOOT + 50 + (i + 1) * 10_000);
    t.true(unixMs <= reading.at);
  }
});

test('what it remembers is bounded, and other bytes teach nothing', t => {
  const times = new TimeMap();
  const seal = device();
  times.observe({ ...seal(1, 1_000, BOOT + 1_000, BOOT), bytes: Uint8Array.of(0x84, 0x4d, 1) });
  t.is(times.recover(DEVICE, 1, 500, BOOT).from, 'received');
  times.observe(seal(1, 1_000, BOOT + 1_000, BOOT));
  t.is(times.recover(DEVICE, 1, 500, BOOT).from, 'recovered');
  for (let epoch = 2; epoch < 5_000; epoch++) times.recover(DEVICE, epoch, 1, BOOT);
  t.is(times.recover(DEVICE, 1, 500, BOOT).from, 'received', 'forgotten, and said so');
});
