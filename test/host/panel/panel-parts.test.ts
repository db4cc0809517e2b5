import test from 'ava';
import { Contact } from '../../../host/panel/contact.js';
import { type Condition, type Conditions, conditionOf, StatusLed } from '../../../host/panel/led.js';
import { FakeClock } from '../../support/fake-clock.js';
import { TestLog } from '../uplink/support.js';
import { FakeInput } from './fake-lines.js';

const uplink = { online: true, paused: false, backlog: 3 };

test('what the LED shows', t => {
  const well: Conditions = { healthy: true, storing: true, uplink };
  const cases: [Conditions, Condition][] = [
    [well, 'steady'],
    [{ ...well, uplink: undefined }, 'steady'],
    [{ ...well, uplink: { ...uplink, online: false } }, 'slow'],
    [{ ...well, uplink: { ...uplink, paused: true } }, 'slow'],
    [{ ...well, uplink: { ...uplink, backlog: 5000 } }, 'slow'],
    [{ ...well, storing: false }, 'fast'],
    [{ ...well, healthy: false }, 'fast'],
    [{ healthy: true, storing: false, uplink: { ...uplink, online: false } }, 'fast'],
  ];
  for (const [conditions, condition] of cases) t.is(conditionOf(conditions), condition);
});

test('steady, slow, fast, and off at the end', t => {
  const clock = new FakeClock();
  const log = new TestLog();
  const seen: string[] = [];
  const line = {
    write: (on: boolean) => void seen.push(`${clock.monotonic()} ${on}`),
    close: () => void seen.push('closed'),
  };
  let conditions: Conditions = { healthy: true, storing: true, uplink };
  const led = new StatusLed({ clock, log }, line, () => conditions);
  clock.advance(3000);
  t.true(seen.every(entry => entry.endsWith('true')));
  conditions = { ...conditions, uplink: { ...uplink, online: false } };
  seen.length = 0;
  clock.advance(10_000);
  t.true(Math.abs(seen.length - 10) <= 1, seen.join());
  t.deepEqual(
    seen
      .slice(-2)
      .map(entry => entry.split(' ')[1])
      .sort(),
    ['false', 'true'],
  );
  conditions = { ...conditions, storing: false };
  clock.advance(2000);
  seen.length = 0;
  clock.advance(2000);
  t.is(seen.length, 20);
  led.close();
  t.is(seen.at(-1), 'closed');
  clock.advance(5000);
  t.is(seen.at(-1), 'closed');
});

test('a line that fails is one word, and no LED', t => {
  const clock = new FakeClock();
  const log = new TestLog();
  const line = {
    write: () => {
      throw new Error('EIO');
    },
    close: () => {},
  };
  new StatusLed({ clock, log }, line, () => ({ healthy: true, storing: true }));
  clock.advance(10_000);
  t.deepEqual(log.lines, ['panel-led-lost']);
});

function contact(openWhen: 'high' | 'low' = 'high') {
  const clock = new FakeClock();
  const line = new FakeInput();
  const told: string[] = [];
  const made = new Contact(
    clock,
    line,
    { openWhen, debounceMs: 50 },
    {
      settled: (open, sinceMs) => void told.push(`${open} ${sinceMs}`),
      failed: error => void told.push(String(error)),
    },
  );
  return { clock, line, told, made };
}

test('the first level is told once it has settled, then each other one with the time of its first edge', t => {
  const { clock, line, told, made } = contact();
  clock.advance(100);
  t.deepEqual(told, ['false 0']);
  clock.advance(900);
  line.set(true);
  clock.advance(10);
  line.set(false);
  clock.advance(10);
  line.set(true);
  clock.advance(49);
  t.is(told.length, 1);
  clock.advance(1);
  t.deepEqual(told.slice(1), ['true 1000']);
  // A burst that ends where it began is nothing.
  clock.advance(1000);
  line.set(false);
  clock.advance(20);
  line.set(true);
  clock.advance(500);
  t.is(told.length, 2);
  made.close();
  line.set(false);
  clock.advance(5000);
  t.is(told.length, 2);
});

test('a level that no edge was told of is found', t => {
  const { clock, line, told } = contact('low');
  clock.advance(100);
  t.deepEqual(told, ['true 0']);
  line.set(true, false);
  clock.advance(1100);
  t.deepEqual(told.slice(1), ['false 1000']);
});

test('a line that can’t be read is told once, and what it is afterwards is news', t => {
  const { clock, line, told } = contact();
  clock.advance(100);
  line.error = new Error('EIO');
  clock.advance(5000);
  t.deepEqual(told.slice(1), ['Error: EIO']);
  line.error = undefined;
  clock.advance(2000);
  t.deepEqual(told.slice(2), ['false 6000']);
});
