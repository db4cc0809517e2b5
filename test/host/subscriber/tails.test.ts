/** When a subscriber asks whether something came after the last reading of a device. */
import test from 'ava';
import type { Random } from '../../../host/ports.js';
import { Delays } from '../../../host/subscriber/repair/delays.js';
import type { Gateway } from '../../../host/subscriber/repair/gateways.js';
import { Tails } from '../../../host/subscriber/repair/tails.js';
import type { Missing, Place } from '../../../host/uplink/fetch/format.js';

const half: Random = { fill: target => void target.fill(128) };
const gw: Gateway = {
  key: 'cellar/gw',
  site: 'cellar',
  name: 'gw',
  online: true,
  fetch: true,
  replacedBy: undefined,
  saidAt: -1,
  speaks: false,
  head: 0,
  heard: 0,
};
const DEVICES = ['01', '02', '03'].map(text => text.repeat(8));
const HOUR_MS = 3_600_000;

function setUp() {
  const tails = new Tails(new Delays(half));
  const places = new Map<string, Place>(DEVICES.map(id => [id, [1, 5]]));
  const status = (head: number, now: number, drained = true) =>
    tails.status(
      gw,
      { gateway: 'gw', site: 'cellar', state: 'online', cursor: head, head, drained, fetch: true, at: 0 },
      () => DEVICES,
      now,
    );
  const due = (now: number, max = 64) =>
    tails.due(gw, now, max, id => places.get(id)).places.map(([id]) => id);
  const answer = (
    id: string,
    now: number,
    last: Place | undefined,
    more: Partial<{ sent: number; reached: Place; missing: Missing[] }> = {},
  ) =>
    tails.answered(
      gw,
      {
        range: { device: id, from: [1, 5], to: undefined },
        sent: 0,
        reached: last === undefined ? [1, 5] : [last[0], last[1] + 1],
        missing: [],
        last,
        ...more,
      },
      places.get(id),
      now,
    );
  return { tails, places, status, due, answer };
}

test('after a connection, once the gateway has published everything, for devices that are silent', t => {
  const { tails, status, due } = setUp();
  status(10, 0, false);
  t.deepEqual(due(HOUR_MS), []);
  status(12, 1000);
  t.deepEqual(due(1500), []);
  // One goes on: it is asked for when it has been silent.
  tails.advanced(DEVICES[0], 7000);
  t.deepEqual(due(12_000), DEVICES.slice(1));
  t.deepEqual(due(60_000, 1), [DEVICES[0]]);
});

test('a device that has delivered for a minute shows its gaps by itself', t => {
  const { tails, status, due } = setUp();
  status(10, 0);
  for (let now = 1000; now < 70_000; now += 2000) tails.advanced(DEVICES[0], now);
  t.deepEqual(due(HOUR_MS), DEVICES.slice(1));
});

test('once answered, only when there is more; and then until it has come, with pauses, not for ever', t => {
  const { status, places, due, answer } = setUp();
  status(10, 0);
  t.is(due(20_000).length, 3);
  answer(DEVICES[0], 20_000, [1, 4]);
  answer(DEVICES[1], 20_000, undefined);
  // Sent, and lost again; then a part of it comes; then nothing of it.
  answer(DEVICES[2], 20_000, [1, 9], { sent: 5 });
  t.deepEqual(due(20_500), []);
  t.deepEqual(due(25_000), [DEVICES[2]]);
  places.set(DEVICES[2], [1, 8]);
  answer(DEVICES[2], 25_000, [1, 9], { sent: 5 });
  t.deepEqual(due(25_000), [DEVICES[2]]);
  let now = 25_000;
  let asked = 0;
  for (let i = 0; i < 50; i++) {
    answer(DEVICES[2], now, [1, 9], { sent: 2 });
    now += HOUR_MS;
    asked += due(now).length;
  }
  t.true(asked >= 5 && asked <= 8, String(asked));
});

test('what is still to be published, or gone, is no reason to ask again; what the disk refused is', t => {
  const { status, due, answer } = setUp();
  status(10, 0);
  due(20_000);
  const part = (why: Missing['why']): Missing => ({ from: [1, 5], to: [1, 10], why });
  answer(DEVICES[0], 20_000, [1, 9], { missing: [part('queued')] });
  answer(DEVICES[1], 20_000, [1, 9], { missing: [part('lost')] });
  answer(DEVICES[2], 20_000, [1, 9], { missing: [part('unread')] });
  t.deepEqual(due(HOUR_MS), [DEVICES[2]]);
});

test('again when the gateway has taken in more than was heard, once a minute; else every ten minutes if anything', t => {
  const { tails, status, due, answer } = setUp();
  const asked = (now: number) => {
    const found = due(now);
    for (const id of found) answer(id, now, [1, 4]);
    return found.length;
  };
  status(10, 0);
  t.is(asked(20_000), 3);
  // Five came, five were heard.
  for (let i = 0; i < 5; i++) tails.heard('cellar');
  status(15, 70_000);
  t.is(asked(100_000), 0);
  // Three came, two were heard.
  for (let i = 0; i < 2; i++) tails.heard('cellar');
  status(18, 110_000);
  t.is(asked(125_000), 3);
  status(20, 130_000);
  t.is(asked(150_000), 0);
  status(20, 180_000);
  t.is(asked(200_000), 3);
  // Nothing new: nothing to ask.
  for (let now = 200_000; now < HOUR_MS; now += 10_000) status(20, now);
  t.is(asked(HOUR_MS), 0);
  tails.heard('cellar');
  status(21, HOUR_MS);
  t.is(asked(HOUR_MS + 20_000), 3);
  tails.heard('cellar');
  status(22, HOUR_MS + 300_000);
  t.is(asked(HOUR_MS + 320_000), 0);
  tails.renew();
  status(22, HOUR_MS + 330_000);
  t.is(asked(HOUR_MS + 350_000), 3);
});

test('one that is not to be asked for, and one that does not answer', t => {
  const { tails, status, places, due } = setUp();
  places.delete(DEVICES[0]);
  status(10, 0);
  t.deepEqual(due(20_000), DEVICES.slice(1));
  let now = 20_000;
  let asked = 0;
  for (let i = 0; i < 30; i++) {
    for (const id of DEVICES) tails.unanswered(gw, id, now);
    now += HOUR_MS;
    asked += due(now).length;
  }
  t.is(asked, 2 * 8);
  tails.missed(DEVICES[1], now);
  t.deepEqual(due(now + 20_000), [DEVICES[1]]);
});

test('what comes because it was asked for does not end the asking (simulation, seed 8076)', t => {
  const { tails, status, places, due, answer } = setUp();
  status(10, 0);
  t.is(due(20_000).length, 3);
  // A slow gateway takes minutes to send what there is.
  for (let now = 20_000; now < 200_000; now += 2000) tails.advanced(DEVICES[0], now);
  places.set(DEVICES[0], [1, 40]);
  answer(DEVICES[0], 200_000, [1, 80], { sent: 35, reached: [1, 40] });
  t.deepEqual(due(200_500), [DEVICES[0], ...DEVICES.slice(1)]);
});

test('given up without an answer, it is asked for again later, though the gateway has nothing new', t => {
  const { tails, status, due } = setUp();
  status(10, 0);
  let now = 0;
  for (let tries = 0; tries < 20; tries++) {
    now += 400_000;
    if (due(now).length === 0) break;
    for (const id of DEVICES) tails.unanswered(gw, id, now);
  }
  t.deepEqual(due(now + 400_000), []);
  status(10, now + 1000);
  t.is(due(now + 20_000).length, 3);
});

test('one that delivered at first, and may have delivered what others asked for, is asked for later', t => {
  const { tails, status, due } = setUp();
  status(10, 0);
  for (let now = 1000; now < 70_000; now += 2000) tails.advanced(DEVICES[0], now);
  t.deepEqual(due(70_000 + 20_000), DEVICES.slice(1));
  status(10, 400_000);
  t.deepEqual(due(420_000), DEVICES.slice(1));
  status(10, 700_000);
  t.is(due(720_000).length, 3);
});
