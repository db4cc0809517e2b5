/** A gateway that was replaced by one restored from its backup: whom a subscriber still waits for. */
import test from 'ava';
import type { Gap } from '../../../host/subscriber/history.js';
import type { Gateway } from '../../../host/subscriber/repair/gateways.js';
import { Repair } from '../../../host/subscriber/repair/repair.js';
import { decodeRequest, type FetchRequest, type Why } from '../../../host/uplink/fetch/format.js';
import { decodeStatus, encodeStatus } from '../../../host/uplink/status.js';
import { FakeClock } from '../../support/fake-clock.js';

const DEVICE = '0101010101010101';
const SITE = 'cellar';
const GAP: Gap = { device: DEVICE, fromEpoch: 1, fromSeq: 101, toEpoch: 1, toSeq: 151 };

function setUp() {
  const clock = new FakeClock();
  let filled = 0;
  const asked: (FetchRequest & { to: string })[] = [];
  const unanswered: typeof asked = [];
  const finals: string[] = [];
  const handovers: string[] = [];
  const look = () => {
    for (const { gap, reasons } of repair.finals())
      finals.push(`${gap.fromSeq}-${gap.toSeq}: ${reasons.join(', ')}`);
  };
  const repair: Repair = new Repair(
    { clock, random: { fill: target => void target.fill(++filled & 255) } },
    'me',
    { devices: () => [], placeAfter: () => undefined },
    {
      ask(_site, to, payload) {
        const question = { ...(decodeRequest(payload) as FetchRequest), to };
        asked.push(question);
        unanswered.push(question);
        return true;
      },
      due: look,
      handover: ({ name, replacedBy, speaks }: Gateway) =>
        void handovers.push(`${name} > ${replacedBy}${speaks ? ', speaks' : ''}`),
    },
  );
  const status = (gateway: string, at: number, replaces?: string[], head = 9) => {
    const said = { gateway, site: SITE, cursor: head, head, drained: true, fetch: true, at };
    repair.status({ ...said, state: 'online', ...(replaces && { replaces }) });
    look();
  };
  const offline = (gateway: string) => {
    repair.status({ gateway, site: SITE, state: 'offline' });
    look();
  };
  /** Nobody who was asked ever had any of it. */
  const deny = (why: Why = 'never') => {
    for (const { id, ranges, to } of unanswered.splice(0)) {
      const [range] = ranges;
      const missing = [{ from: range.from, to: range.to!, why }];
      const results = [{ range, sent: 0, reached: range.to!, last: undefined, missing }];
      repair.fetched(SITE, to, { gateway: to, site: SITE, id, done: true, busy: false, results });
    }
    look();
  };
  repair.connection(true);
  return { clock, asked, unanswered, finals, handovers, repair, status, offline, deny };
}

test('what a replaced gateway alone may have had is waited for no more', t => {
  const { clock, asked, finals, handovers, repair, status, offline, deny } = setUp();
  status('gw-old', 5);
  offline('gw-old');
  repair.keep(DEVICE, [GAP], SITE);
  status('gw-new', 10);
  clock.advance(5000);
  deny();
  status('gw-new', 20);
  clock.advance(3_600_000);
  t.deepEqual(finals, [], 'without the word, the old one may come back');
  status('gw-new', 30, ['gw-old']);
  t.deepEqual(finals, [
    '101-151: gw-old, which may have had it, was replaced by gw-new, never reached gw-new',
  ]);
  t.deepEqual(handovers, ['gw-old > gw-new']);
  t.true(asked.every(({ to }) => to === 'gw-new'));
});

test('a replaced gateway that is there is asked, and told of', t => {
  const { clock, asked, unanswered, finals, handovers, repair, status, offline, deny } = setUp();
  status('gw-new', 10, ['gw-old']);
  status('gw-old', 5); // retained, from before
  repair.keep(DEVICE, [GAP], SITE);
  t.deepEqual(handovers, ['gw-old > gw-new']);
  status('gw-old', 15);
  t.deepEqual(handovers, ['gw-old > gw-new', 'gw-old > gw-new, speaks']);
  status('gw-old', 25);
  t.is(handovers.length, 2);
  clock.advance(5000);
  t.deepEqual(asked.map(({ to }) => to).sort(), ['gw-new', 'gw-old']);
  offline('gw-old'); // it is alive, and has gone for a while: it may hold what is missing
  unanswered.splice(
    unanswered.findIndex(({ to }) => to === 'gw-old'),
    1,
  );
  deny();
  for (const at of [26, 28]) status('gw-new', at);
  t.deepEqual(finals, []);
  clock.advance(600_000);
  for (const at of [30, 40]) for (const name of ['gw-old', 'gw-new']) status(name, at);
  clock.advance(60_000);
  deny();
  t.deepEqual(finals, ['101-151: never reached gw-new, never reached gw-old']);
});

test('a gateway that had not heard of it is asked once more when its journal has grown since (simulation, seed 10003351)', t => {
  const { clock, asked, finals, repair, status, offline, unanswered, deny } = setUp();
  status('gw-old', 5);
  repair.keep(DEVICE, [GAP], SITE);
  for (const at of [10, 20]) status('gw-new', at, ['gw-old']);
  clock.advance(5000);
  const byOld = unanswered.findIndex(({ to }) => to === 'gw-old');
  unanswered.splice(byOld, 1);
  deny('later');
  const count = asked.length;
  // The device brings it now, and the broker loses it.
  offline('gw-old');
  status('gw-new', 30, ['gw-old'], 12);
  t.deepEqual(finals, [], 'the new one may hold it by now');
  clock.advance(1000);
  t.deepEqual(
    asked.slice(count).map(({ to }) => to),
    ['gw-new'],
  );
  status('gw-new', 40, ['gw-old'], 15);
  deny('later');
  const reasons = 'gw-old, which may have had it, was replaced by gw-new, not heard of by gw-new';
  t.deepEqual(finals, [`101-151: ${reasons}`], 'once is enough');
});

test('one that only seems to be there, since nobody told its will, is given up after some questions', t => {
  const { clock, finals, repair, status, unanswered, deny } = setUp();
  status('gw-old', 5);
  repair.keep(DEVICE, [GAP], SITE);
  status('gw-new', 10, ['gw-old']);
  for (let minute = 0; minute < 24 * 60 && finals.length === 0; minute++) {
    clock.advance(60_000);
    status('gw-new', 20 + minute);
    for (let i = unanswered.length - 1; i >= 0; i--)
      if (unanswered[i].to === 'gw-old') unanswered.splice(i, 1);
    deny();
  }
  t.deepEqual(finals, [
    '101-151: gw-old, which may have had it, was replaced by gw-new, never reached gw-new',
  ]);
});

test('one that said before its end that it has nothing of it is not waited for either (simulation, seed 10006090)', t => {
  const { clock, finals, repair, status, deny } = setUp();
  status('gw-old', 5);
  repair.keep(DEVICE, [GAP], SITE);
  status('gw-old', 8);
  clock.advance(5000);
  deny();
  t.deepEqual(finals, [], 'it may have something under way');
  // Its will was not told: it seems to be there, with nothing left to be asked.
  for (const at of [10, 20]) status('gw-new', at, ['gw-old']);
  clock.advance(5000);
  deny();
  t.deepEqual(finals, ['101-151: never reached gw-old, never reached gw-new']);
});

test('nobody replaces himself, and two that claim to replace each other are both waited for while they are there', t => {
  const { finals, handovers, repair, status, clock } = setUp();
  status('a', 1, ['a', 'b']);
  status('b', 1, ['a']);
  t.deepEqual(handovers.sort(), ['a > b', 'b > a']);
  repair.keep(DEVICE, [GAP], SITE);
  clock.advance(20_000);
  t.deepEqual(finals, []);
});

test('the status names them; what is no list of names counts for nothing', t => {
  const status = {
    gateway: 'n',
    site: SITE,
    state: 'online',
    cursor: 1,
    head: 1,
    drained: true,
    at: 3,
  } as const;
  const replaces = ['gw-1', 'gw-2'];
  t.deepEqual(decodeStatus(encodeStatus({ ...status, replaces })), { ...status, replaces });
  for (const wrong of ['gw-1', [7], { length: 1 }, Array.from({ length: 65 }, () => 'x')])
    t.deepEqual(decodeStatus(encodeStatus({ ...status, replaces: wrong as string[] })), status);
});
