/** When a subscriber asks whom for what, and when it gives up. */
import test from 'ava';
import type { Random } from '../../../host/ports.js';
import type { Gap } from '../../../host/subscriber/history.js';
import { Repair } from '../../../host/subscriber/repair/repair.js';
import {
  compare,
  decodeRequest,
  type Fetched,
  type FetchRange,
  type FetchRequest,
  type Missing,
  type Place,
} from '../../../host/uplink/fetch/format.js';
import { FakeClock } from '../../support/fake-clock.js';
import { prng } from '../../support/prng.js';

const DEVICE = '0101010101010101';
const device = (number: number) => number.toString(16).padStart(16, '0');
const gap = (fromSeq: number, toSeq: number, id = DEVICE): Gap => ({
  device: id,
  fromEpoch: 1,
  fromSeq,
  toEpoch: 1,
  toSeq,
});

function seeded(seed: number): Random {
  const next = prng(seed);
  return {
    fill: target => {
      for (let i = 0; i < target.length; i++) target[i] = Math.floor(next() * 256);
    },
  };
}

interface Asked extends FetchRequest {
  readonly to: string;
  readonly at: number;
}

function setUp(clock = new FakeClock(), seed = 7) {
  const asked: Asked[] = [];
  const finals: string[] = [];
  let refuses = false;
  const tops = new Map<string, Place>();
  const sites = new Map<string, string>();
  const repair: Repair = new Repair(
    { clock, random: seeded(seed) },
    'me and you',
    {
      devices: () => [...tops.keys()].map(id => [id, sites.get(id)] as const),
      placeAfter: id => tops.get(id),
    },
    {
      ask: (site, gateway, payload, refused) => {
        const request = decodeRequest(payload) as FetchRequest;
        asked.push({ ...request, to: `${site}/${gateway}`, at: clock.monotonic() });
        if (refuses) refused();
        return true;
      },
      due: () => look(),
    },
  );
  const look = () => {
    for (const { gap, reasons } of repair.finals())
      finals.push(`${gap.fromSeq}-${gap.toSeq}: ${reasons.join(', ')}`);
  };
  const status = (cursor: number, head: number, name = 'gw', site = 'cellar', fetch = true) => {
    const drained = cursor >= head;
    repair.status({ gateway: name, site, state: 'online', cursor, head, drained, fetch, at: 0 });
    look();
  };
  const offline = (name = 'gw', site = 'cellar') => repair.status({ gateway: name, site, state: 'offline' });
  /** Answers a question; of each range everything is sent but what is missing. */
  const answer = (
    { id, ranges, to }: Asked,
    missing: Missing[] = [],
    more: Partial<Fetched> & { last?: Place; sent?: number; reached?: Place } = {},
  ) => {
    const [site, gateway] = to.split('/');
    const results = ranges.map((range: FetchRange) => ({
      range,
      sent: more.sent ?? 0,
      reached: more.reached ?? range.to ?? range.from,
      last: more.last,
      missing: missing.filter(({ from }) => compare(from, range.from) >= 0 && compare(from, range.to) < 0),
    }));
    repair.fetched(site, gateway, { gateway, site, id, done: true, busy: false, results, ...more });
    look();
  };
  const never = (from: number, to: number): Missing => ({ from: [1, from], to: [1, to], why: 'never' });
  const refuse = (now: boolean) => {
    refuses = now;
  };
  repair.connection(true);
  return { clock, asked, finals, tops, sites, repair, status, offline, answer, never, refuse };
}

test('asked after a pause; final when the gateway has passed it and does not hold it', t => {
  const { clock, asked, finals, repair, status, answer, never } = setUp();
  status(10, 10);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  clock.advance(900);
  t.is(asked.length, 0);
  clock.advance(4000);
  t.is(asked.length, 1);
  t.is(asked[0].asker, 'me_and_you');
  t.deepEqual(asked[0].ranges, [{ device: DEVICE, from: [1, 5], to: [1, 9] }]);
  // It has 5 and 8, and never had the others. 5 comes.
  answer(asked[0], [never(6, 8)], { sent: 2 });
  repair.keep(DEVICE, [gap(6, 9)], 'cellar');
  status(10, 20);
  status(20, 20);
  t.deepEqual(finals, []);
  // 8 was lost on the way: asked for again, with what lies before it.
  clock.advance(5000);
  t.is(asked.length, 2);
  t.deepEqual(asked[1].ranges, [{ device: DEVICE, from: [1, 6], to: [1, 9] }]);
  repair.keep(DEVICE, [gap(6, 8)], 'cellar');
  answer(asked[1], [never(6, 8)], { sent: 1 });
  t.deepEqual(finals, ['6-8: never reached gw']);
  clock.advance(1_000_000);
  t.is(asked.length, 2);
});

test('what the device has not delivered yet is lost only to a gateway that has passed the gap', t => {
  const { clock, asked, finals, repair, status, answer } = setUp();
  status(10, 10);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  clock.advance(5000);
  const later: Missing = { from: [1, 5], to: [1, 9], why: 'later' };
  answer(asked[0], [later]);
  status(10, 20);
  status(20, 30);
  t.deepEqual(finals, []);
  clock.advance(5000);
  t.is(asked.length, 2);
  answer(asked[1], [{ ...later, why: 'queued' }]);
  clock.advance(20_000);
  answer(asked[2], [{ ...later, why: 'unread' }]);
  clock.advance(40_000);
  answer(asked[3], [later]);
  t.deepEqual(finals, ['5-9: not heard of by gw']);
});

test('every gateway of the site is asked, then those of others that are there; one that is away is waited for', t => {
  const { clock, asked, finals, repair, status, offline, answer, never } = setUp();
  status(1, 1, 'one');
  status(1, 1, 'two');
  status(1, 1, 'far', 'attic');
  status(1, 1, 'gone', 'attic');
  offline('gone', 'attic');
  offline('two');
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  clock.advance(5000);
  t.deepEqual(
    asked.map(({ to }) => to),
    ['cellar/one'],
  );
  answer(asked[0], [never(5, 9)]);
  for (let i = 0; i < 3; i++) status(9, 9, 'one');
  clock.advance(100_000);
  t.is(asked.length, 1);
  status(9, 9, 'two');
  clock.advance(300);
  t.is(asked[1].to, 'cellar/two');
  answer(asked[1], [{ ...never(5, 9), why: 'removed' }]);
  t.is(asked.length, 2);
  status(9, 9, 'two');
  t.deepEqual(finals, []);
  clock.advance(300);
  t.is(asked[2].to, 'attic/far');
  answer(asked[2], [{ ...never(5, 9), why: 'later' }]);
  t.deepEqual(finals, ['5-9: never reached one, removed by retention of two, not heard of by far']);
});

test('a gap at a site that has no gateway is asked for everywhere', t => {
  const { clock, asked, finals, repair, status, answer, never } = setUp();
  status(1, 1);
  repair.keep(DEVICE, [gap(5, 9)], 'elsewhere');
  clock.advance(5000);
  t.is(asked.length, 1);
  answer(asked[0], [never(5, 9)]);
  t.deepEqual(finals, []);
  status(1, 1);
  status(1, 1);
  t.deepEqual(finals, ['5-9: never reached gw']);
});

test('one that cannot be asked counts by what it has published alone', t => {
  const { clock, asked, finals, repair, status } = setUp();
  status(1, 1, 'gw', 'cellar', false);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  status(1, 9, 'gw', 'cellar', false);
  clock.advance(100_000);
  t.deepEqual(finals, []);
  status(9, 12, 'gw', 'cellar', false);
  t.deepEqual([asked.length, finals], [0, ['5-9: ']]);
});

test('no answer: asked ten times with growing pauses, then given up, and that is told; busy is an answer', t => {
  const { clock, asked, finals, repair, status, answer } = setUp();
  status(1, 1);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  status(1, 1);
  status(1, 1);
  clock.advance(5000);
  for (let i = 0; i < 15; i++) {
    for (let tries = 0; asked.length <= i && tries < 1000; tries++) clock.advance(1000);
    answer(asked[i], [], { busy: true, results: [] });
  }
  t.deepEqual(finals, []);
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      clock.advance(10_000);
      status(1, 1);
    }
  };
  pass(20 * 60_000);
  t.deepEqual(finals, []);
  pass(60 * 60_000);
  t.deepEqual(finals, ['5-9: gw does not answer']);
  t.is(asked.length, 25);
  const pauses = asked.map(({ at }, i) => at - (asked[i - 1]?.at ?? 0));
  t.true(Math.max(...pauses) > 200_000);
});

test('one that is not heard either may be gone, its will untold: nothing is given up before it comes back', t => {
  const { clock, asked, finals, repair, status } = setUp();
  status(1, 1);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  status(1, 1);
  status(1, 1);
  clock.advance(24 * 3_600_000);
  t.true(asked.length > 20);
  t.deepEqual(finals, []);
});

test('a broker that refuses the request is as good as a gateway that does not answer', t => {
  const { clock, asked, finals, repair, status, refuse } = setUp();
  refuse(true);
  status(1, 1);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  status(1, 1);
  status(1, 1);
  clock.advance(3 * 3_600_000);
  t.deepEqual(finals, ['5-9: gw does not answer']);
  t.is(asked.length, 10);
});

test('answers to what was not asked, by whom it was not asked, or made up, change nothing', t => {
  const { clock, asked, finals, repair, status, answer, never } = setUp();
  status(1, 1);
  status(1, 1, 'other');
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  repair.keep(device(2), [gap(0, 3, device(2))], 'attic');
  for (let i = 0; i < 2; i++) for (const name of ['gw', 'other']) status(9, 9, name);
  clock.advance(5000);
  const [question] = asked.filter(({ to }) => to === 'cellar/gw');
  answer({ ...question, id: 'ffffffffffffffff' }, [never(5, 9)]);
  answer({ ...question, to: 'cellar/other' }, [never(5, 9)]);
  answer({ ...question, to: 'cellar/stranger' }, [never(5, 9)]);
  // Of another range than it asked for.
  const wide: FetchRange = { device: DEVICE, from: [0, 0], to: [9, 0] };
  const all: Missing = { from: [0, 0], to: [9, 0], why: 'never' };
  answer({ ...question, ranges: [wide] }, [all], { done: false });
  const foreign: FetchRange = { device: device(2), from: [1, 0], to: [1, 3] };
  answer({ ...question, ranges: [foreign] }, [{ from: [1, 0], to: [1, 3], why: 'lost' }], { done: false });
  t.deepEqual(finals, []);
  const other = asked.find(({ to }) => to === 'cellar/other')!;
  answer(other, [never(5, 9)]);
  // The same one again.
  answer(other, [never(5, 9)]);
  t.deepEqual(finals, []);
  answer(question, [never(5, 9)]);
  t.deepEqual(finals, ['5-9: never reached gw, never reached other']);
});

test('an answer that brings nothing is followed by a pause, one that goes on by the next question', t => {
  const { clock, asked, repair, status, answer } = setUp();
  status(1, 1);
  repair.keep(DEVICE, [gap(0, 5000)], 'cellar');
  clock.advance(5000);
  repair.keep(DEVICE, [gap(2000, 5000)], 'cellar');
  answer(asked[0], [], { sent: 2000, reached: [1, 2000] });
  clock.advance(300);
  t.deepEqual(asked[1].ranges[0].from, [1, 2000]);
  answer(asked[1], [], { sent: 0, reached: [1, 2000] });
  clock.advance(900);
  t.is(asked.length, 2);
  for (let i = 1; i < 12; i++) {
    answer(asked[asked.length - 1], [], { sent: 0, reached: [1, 2000] });
    clock.advance(120_000);
  }
  t.true(asked.length < 20, String(asked.length));
});

test('gaps near each other are asked for together, those far apart are not', t => {
  const { clock, asked, repair, status } = setUp();
  status(1, 1);
  const gaps = Array.from({ length: 50 }, (_, i) => gap(i * 2, i * 2 + 1));
  repair.keep(DEVICE, [...gaps, gap(500, 501)], 'cellar');
  clock.advance(5000);
  t.deepEqual(
    asked.map(({ ranges }) => ranges.map(({ from, to }) => [from, to])),
    [
      [
        [
          [1, 0],
          [1, 99],
        ],
        [
          [1, 500],
          [1, 501],
        ],
      ],
    ],
  );
});

test('a thousand devices and six subscribers: one question at a time, of bounded size, not all at once', t => {
  const clock = new FakeClock();
  const all = Array.from({ length: 6 }, (_, i) => setUp(clock, i + 1));
  for (const { status, repair } of all) {
    status(1, 1);
    for (let i = 0; i < 1000; i++) repair.keep(device(i), [gap(5, 9, device(i))], 'cellar');
  }
  const firsts: number[] = [];
  clock.advance(30_000);
  for (const { asked } of all) {
    t.is(asked.length, 1);
    t.true(asked[0].ranges.length <= 64);
    firsts.push(asked[0].at);
  }
  t.true(new Set(firsts).size >= 2);
  // Answered as they come, each has asked for everything, and never with two questions open.
  for (const { asked, answer } of all) {
    let done = 0;
    for (let tries = 0; tries < 100 && done < asked.length; tries++) {
      while (done < asked.length) answer(asked[done++], [{ from: [1, 5], to: [1, 9], why: 'never' }]);
      clock.advance(300);
    }
    const devices = new Set(asked.flatMap(({ ranges }) => ranges.map(range => range.device)));
    t.is(devices.size, 1000);
    t.true(asked.length < 40, String(asked.length));
  }
});

test('what is gone by itself, or by what another one asked for, is not asked for', t => {
  const { clock, asked, repair, status } = setUp();
  status(1, 1);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  clock.advance(900);
  repair.keep(DEVICE, [], 'cellar');
  clock.advance(100_000);
  t.is(asked.length, 0);
});

test('nothing is asked without a connection, and everything soon after the next one', t => {
  const { clock, asked, repair, status } = setUp();
  status(1, 1);
  repair.connection(false);
  repair.keep(DEVICE, [gap(5, 9)], 'cellar');
  clock.advance(3_600_000);
  t.is(asked.length, 0);
  repair.connection(true);
  clock.advance(900);
  t.is(asked.length, 0);
  clock.advance(4000);
  t.is(asked.length, 1);
  repair.close();
  clock.advance(3_600_000);
  t.is(asked.length, 1);
  t.is(clock.waiting, 0);
});
