import test from 'ava';
import { MAX_PUBLISHED_BYTES, PublishedStatus, shortened } from '../../../host/control/published-status.js';
import type { DeviceStatus, NodeStatus } from '../../../host/control/status.js';
import { FakeClock } from '../../support/fake-clock.js';
import { emptyStatus } from './status.js';

const device = (number: number): DeviceStatus => ({
  id: number.toString(16).padStart(16, '0'),
  name: `温度-"${number}"`,
  readings: number,
  gaps: 0,
  silent: false,
  online: true,
  counts: { next: number },
});

const links = Array.from({ length: 1000 }, (_, i) => ({ name: `tcp:192.0.2.${i}`, devices: [] }));
const many: NodeStatus = {
  ...emptyStatus,
  devices: Array.from({ length: 4000 }, (_, i) => device(i)),
  deviceCount: 4000,
  links,
  linkCount: 1000,
};
const bytesOf = (status: NodeStatus) => Buffer.byteLength(JSON.stringify(status));

test('what does not fit is left out from the end, and how many there are is told', t => {
  const short = shortened(many, MAX_PUBLISHED_BYTES)!;
  t.true(bytesOf(short) <= MAX_PUBLISHED_BYTES);
  t.true(bytesOf(short) > MAX_PUBLISHED_BYTES - 1000);
  t.deepEqual(short.devices, many.devices.slice(0, short.devices.length));
  t.is(short.deviceCount, 4000);
  t.is(short.linkCount, 1000);
  for (const maxBytes of [1000, 2000, 5000]) t.true(bytesOf(shortened(many, maxBytes)!) <= maxBytes);
});

test('what fits stays whole; what is too long without any device is not said', t => {
  const few = { ...many, devices: many.devices.slice(0, 20), links: links.slice(0, 20) };
  t.deepEqual(shortened(few, MAX_PUBLISHED_BYTES), few);
  t.is(shortened(many, 100), undefined);
});

test('it is made once a period, however often it is said, and for what the broker takes', t => {
  const clock = new FakeClock();
  let made = 0;
  const published = new PublishedStatus(clock, () => {
    made += 1;
    return many;
  });
  for (let i = 0; i < 100; i++) {
    published.of();
    clock.advance(90);
  }
  t.is(made, 1);
  clock.advance(1000);
  t.true(bytesOf(published.of(20_000)!) < 16_000);
  t.is(made, 2);
  t.true(bytesOf(published.of(10_000)!) < 6000, 'a connection that takes less gets less at once');
  t.is(made, 3);
});
