import test from 'ava';
import type { Rtc } from '../../firmware/ports.js';
import {
  EnvelopeReader,
  encodeSourceSettings,
  Kind,
  type NamedSourceSettings,
  readRecords,
} from '../../firmware/seal/index.js';
import { type Sealed, World } from './world.js';

function records({ bytes }: Sealed): Record<string, unknown> {
  const reader = new EnvelopeReader();
  if (reader.parse(bytes, 0, bytes.length) !== '') throw new Error('unreadable');
  const list = readRecords(bytes, reader.recordsAt, reader.recordsEnd);
  return Object.fromEntries(list.map(({ n, v, vs, vb }) => [n, v ?? vs ?? vb]));
}

function heartbeat(world: World): Record<string, unknown> {
  world.run(61_000);
  const beats = world.sealed.filter(({ kind }) => kind === Kind.heartbeat);
  return records(beats[beats.length - 1]);
}

const count = (world: World, name: string) =>
  world.sealed.filter(reading => reading.kind === 0 && name in records(reading)).length;

function rate(world: World, name: string): number {
  const before = count(world, name);
  world.run(30_000);
  return (count(world, name) - before) / 30;
}

function send(world: World, version: number, settings: NamedSourceSettings[]): void {
  world.gateway.config(version, encodeSourceSettings(settings)!);
  world.run(10);
}

test('settings change how often a source speaks; the next heartbeat acknowledges them', t => {
  const world = new World({ ratePerSecond: 3 });
  world.run(5_000);
  t.is(world.gateway.hellos[0].configVersion, 0);
  t.false('config-version' in heartbeat(world));
  send(world, 7, [{ name: 'temperature', periodMs: 200 }]);
  t.true(Math.abs(rate(world, 'temperature') - 5) < 0.2);
  t.true(Math.abs(rate(world, 'supply') - 1) < 0.2);
  const beat = heartbeat(world);
  t.is(beat['config-version'], 7);
  t.false('config-refused' in beat);
  // What is not named is as the board has it.
  send(world, 8, [{ name: 'supply', periodMs: 10_000 }]);
  t.true(Math.abs(rate(world, 'temperature') - 1) < 0.2);
  t.true(Math.abs(rate(world, 'supply') - 0.1) < 0.1);
  t.is(heartbeat(world)['config-version'], 8);
});

test('an older version, or the same again, changes nothing', t => {
  const world = new World({ ratePerSecond: 3 });
  world.run(2_000);
  send(world, 5, [{ name: 'temperature', periodMs: 500 }]);
  send(world, 5, [{ name: 'temperature', periodMs: 100 }]);
  send(world, 4, []);
  t.true(Math.abs(rate(world, 'temperature') - 2) < 0.2);
  t.is(world.device.configuration.version, 5);
});

test('what is out of bounds or unknown is refused, said so, and the rest applies', t => {
  const world = new World({ ratePerSecond: 3 });
  world.run(2_000);
  send(world, 1, [{ name: 'temperature', periodMs: 500 }]);
  send(world, 2, [
    { name: 'temperature', periodMs: 1 },
    { name: 'supply', periodMs: 500 },
  ]);
  t.true(Math.abs(rate(world, 'temperature') - 2) < 0.2);
  t.true(Math.abs(rate(world, 'supply') - 2) < 0.2);
  let beat = heartbeat(world);
  t.is(beat['config-version'], 1);
  t.is(beat['config-refused'], 2);
  t.is(beat['config-fault'], 'temperature: bad-period');
  send(world, 3, [{ name: 'door', periodMs: 500 }]);
  beat = heartbeat(world);
  t.is(beat['config-refused'], 3);
  t.is(beat['config-fault'], 'door: unknown');
  world.gateway.config(4, Uint8Array.of(0x80));
  beat = heartbeat(world);
  t.is(beat['config-fault'], 'settings: unexpected-type');
  send(world, 5, []);
  t.is(heartbeat(world)['config-version'], 5);
});

test('after a reboot the hello says that no settings are there', t => {
  const world = new World({ ratePerSecond: 3 });
  world.run(2_000);
  send(world, 9, [{ name: 'temperature', periodMs: 500 }]);
  world.device.linkDown();
  world.device.linkUp();
  world.run(2_000);
  t.is(world.gateway.hellos[world.gateway.hellos.length - 1].configVersion, 9);
  world.boot();
  world.run(2_000);
  t.is(world.gateway.hellos[world.gateway.hellos.length - 1].configVersion, 0);
  t.true(Math.abs(rate(world, 'temperature') - 1) < 0.2);
});

/** A clock chip that starts at some time. */
class Chip implements Rtc {
  readonly set: (unixMs: number) => void;
  readonly times: number[] = [];
  readonly #unixMs: number;

  constructor(unixMs: number) {
    this.#unixMs = unixMs;
    this.set = at => this.times.push(at);
  }

  read(): number {
    return this.#unixMs;
  }
}

test('a clock chip gives the time until the gateway does, whose time sets it', t => {
  const rtc = new Chip(1_760_000_000_123);
  const world = new World({ rtc });
  world.gateway.answersTime = false;
  world.run(1_000);
  const reader = new EnvelopeReader();
  const time = ({ bytes }: Sealed) => {
    reader.parse(bytes, 0, bytes.length);
    return reader.unixMs - reader.uptimeMs;
  };
  t.is(time(world.sealed[0]), 1_760_000_000_123);
  world.gateway.answersTime = true;
  world.gateway.unixMs = 1_770_000_000_000;
  world.run(15_000);
  const last = time(world.sealed[world.sealed.length - 1]);
  t.true(Math.abs(last - 1_770_000_000_000) < 50);
  t.is(rtc.times.length, 1);
  t.true(Math.abs(rtc.times[0] - 1_770_000_000_000 - world.nowMs) < 15_000);
});

test('a clock chip that has lost its time is not believed', t => {
  for (const unixMs of [-1, 0, 946_684_800_000, 4_200_000_000_000, Number.NaN]) {
    const world = new World({ rtc: new Chip(unixMs) });
    const [start] = world.sealed;
    const reader = new EnvelopeReader();
    t.is(reader.parse(start.bytes, 0, start.bytes.length), '');
    t.is(reader.unixMs, -1);
  }
});
