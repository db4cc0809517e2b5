import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Quarantine, type QuarantineOptions } from '../../../host/intake/quarantine.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Log, Storage } from '../../../host/ports.js';
import { FakeClock } from '../../support/fake-clock.js';
import { temporary } from './rig.js';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const KiB = 1024;
const MiB = 1024 * KiB;
const HOUR_MS = 3_600_000;
/** Midnight, so that a day is a day. */
const DAY = Date.UTC(2026, 5, 19);
const BYTES = new Uint8Array(300).fill(7);
const mac = { reason: 'mac', device: '00000000000000aa', link: 'tcp:192.0.2.7', authentic: false };

async function open(
  directory: string,
  clock: FakeClock,
  options: Partial<QuarantineOptions> = {},
  space?: number,
) {
  const storage: Storage = new NodeStorage();
  if (space !== undefined)
    storage.space = () => Promise.resolve({ availableBytes: space, totalBytes: 100 * MiB });
  return Quarantine.open(
    { storage, clock, log: silent },
    {
      directory,
      maxBytes: 64 * MiB,
      perReasonBytes: 8 * MiB,
      perDeviceBytes: MiB,
      unauthenticatedPerDayBytes: MiB,
      reserveBytes: 0,
      ...options,
    },
  );
}

function onDisk(directory: string): { files: number; bytes: number; lines: string[] } {
  const names = readdirSync(directory);
  const texts = names.map(name => readFileSync(join(directory, name), 'utf8'));
  const lines = texts.join('').trimEnd().split('\n');
  return { files: names.length, bytes: texts.join('').length, lines };
}

function flood(quarantine: Quarantine, suspect: typeof mac, times: number): void {
  for (let i = 0; i < times; i++) quarantine.add(suspect, BYTES, 0, BYTES.length);
}

test('keeps the bytes with what is known of them', async t => {
  const directory = temporary(t);
  const quarantine = await open(directory, new FakeClock(DAY));
  quarantine.add({ ...mac, detail: 'why' }, Uint8Array.of(0, 1, 2, 3, 4), 1, 4);
  await quarantine.close();
  t.deepEqual(JSON.parse(onDisk(directory).lines[0]), {
    at: DAY,
    reason: 'mac',
    device: mac.device,
    detail: 'why',
    link: mac.link,
    authentic: false,
    bytes: 'AQID',
  });
});

test('what is not authentic is sampled: a share of the day each hour, a mebibyte a day', async t => {
  const directory = temporary(t);
  const clock = new FakeClock(DAY);
  const quarantine = await open(directory, clock, { perDeviceBytes: 8 * MiB });
  let before = 0;
  for (let hour = 0; hour < 24; hour++) {
    for (let i = 0; i < 20; i++) {
      flood(quarantine, mac, 100);
      await quarantine.flush();
    }
    const { bytes } = onDisk(directory);
    t.true(bytes <= ((hour + 1) * MiB) / 24, `hour ${hour}: ${bytes}`);
    t.true(bytes > before, 'and each hour has something');
    before = bytes;
    clock.advance(HOUR_MS);
  }
  const status = quarantine.status();
  t.is(status.kept + status.dropped['day-quota'], 24 * 20 * 100);
  t.is(status.reasons.mac, 24 * 20 * 100);
  flood(quarantine, mac, 10);
  await quarantine.close();
  t.true(onDisk(directory).bytes > before, 'the next day begins anew');
});

test('a restart renews no quota', async t => {
  const directory = temporary(t);
  const clock = new FakeClock(DAY);
  const first = await open(directory, clock);
  flood(first, mac, 1_000);
  await first.close();
  const { bytes } = onDisk(directory);
  for (let run = 0; run < 5; run++) {
    const again = await open(directory, clock);
    t.is(again.status().bytes, bytes);
    flood(again, mac, 1_000);
    await again.close();
  }
  t.is(onDisk(directory).bytes, bytes);
  t.is(onDisk(directory).files, 1);
});

test('each device and each reason has its share', async t => {
  const directory = temporary(t);
  const quarantine = await open(directory, new FakeClock(DAY), {
    perDeviceBytes: 10 * KiB,
    perReasonBytes: 30 * KiB,
  });
  const authentic = { ...mac, authentic: true };
  flood(quarantine, authentic, 100);
  flood(quarantine, { ...authentic, device: '00000000000000bb' }, 5);
  flood(quarantine, { ...authentic, device: '00000000000000cc' }, 100);
  flood(quarantine, { ...authentic, device: '00000000000000dd' }, 100);
  flood(quarantine, { ...authentic, reason: 'sequence-reset', device: '00000000000000ee' }, 5);
  await quarantine.close();
  const kept = onDisk(directory).lines.map(line => JSON.parse(line));
  const of = (device: string) => kept.filter(record => record.device.endsWith(device)).length;
  t.true(of('aa') > 10 && of('aa') < 25);
  t.is(of('bb'), 5);
  t.is(of('ee'), 5);
  const bytes = onDisk(directory)
    .lines.filter(line => line.includes('"mac"'))
    .join('\n').length;
  t.true(bytes <= 30 * KiB, `${bytes}`);
});

test('stays within all its bytes and files: the oldest go', async t => {
  const directory = temporary(t);
  const clock = new FakeClock(DAY);
  const options = { maxBytes: 160 * KiB, perReasonBytes: 100 * MiB, perDeviceBytes: 100 * MiB };
  const quarantine = await open(directory, clock, options);
  for (let i = 0; i < 100; i++) {
    flood(quarantine, { ...mac, authentic: true, reason: `reason-${i % 3}` }, 20);
    await quarantine.flush();
    t.true(onDisk(directory).files <= 16);
  }
  const { bytes } = onDisk(directory);
  t.true(bytes <= 160 * KiB + 16 * KiB, `${bytes}`);
  t.is(quarantine.status().bytes, bytes);
  await quarantine.close();
  const again = await open(directory, clock, options);
  t.is(again.status().bytes, bytes);
  await again.close();
});

test('writes nothing below the disk reserve, and counts', async t => {
  const directory = temporary(t);
  const quarantine = await open(directory, new FakeClock(DAY), { reserveBytes: 64 * MiB }, 63 * MiB);
  flood(quarantine, mac, 7);
  await quarantine.close();
  t.is(readdirSync(directory).length, 0);
  t.like(quarantine.status(), { kept: 0, dropped: { reserve: 7 } });
});

test('a disk that refuses costs the samples, and is tried again later', async t => {
  const directory = temporary(t);
  const clock = new FakeClock(DAY);
  const storage = new NodeStorage();
  const create = storage.open.bind(storage);
  let refuse = true;
  storage.open = (path, mode) =>
    refuse ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' })) : create(path, mode);
  const options = {
    directory,
    maxBytes: MiB,
    perReasonBytes: MiB,
    perDeviceBytes: MiB,
    unauthenticatedPerDayBytes: MiB,
    reserveBytes: 0,
  };
  const quarantine = await Quarantine.open({ storage, clock, log: silent }, options);
  flood(quarantine, mac, 3);
  await quarantine.flush();
  flood(quarantine, mac, 2);
  t.deepEqual(quarantine.status().dropped, { disk: 5 });
  refuse = false;
  clock.advance(10_000);
  flood(quarantine, mac, 2);
  await quarantine.close();
  t.is(onDisk(directory).lines.length, 2);
});

test('what waits for the disk is bounded', async t => {
  const directory = temporary(t);
  const quarantine = await open(directory, new FakeClock(DAY), { perDeviceBytes: 64 * MiB });
  for (let i = 0; i < 10_000; i++) quarantine.add({ ...mac, authentic: true }, BYTES, 0, BYTES.length);
  t.true((quarantine.status().dropped.busy ?? 0) > 9_000);
  await quarantine.close();
  t.true(onDisk(directory).bytes <= 256 * KiB);
});

test('a line that a crash has cut off becomes a line of its own', async t => {
  const directory = temporary(t);
  const clock = new FakeClock(DAY);
  const first = await open(directory, clock);
  flood(first, mac, 1);
  await first.close();
  appendFileSync(join(directory, readdirSync(directory)[0]), '{"at":1,"reas');
  const again = await open(directory, clock);
  flood(again, mac, 1);
  await again.close();
  const { lines } = onDisk(directory);
  t.is(lines.length, 3);
  t.is(JSON.parse(lines[2]).reason, 'mac');
  t.is((await open(directory, clock)).status().bytes, onDisk(directory).bytes);
});
