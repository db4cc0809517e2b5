import test from 'ava';
import fc from 'fast-check';
import { type Gap, History, MAX_RANGES } from '../../../host/subscriber/history.js';
import { Intervals } from '../../../host/subscriber/intervals.js';

test('intervals are a set of numbers, whatever the order they come in', t => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(6))), fc.array(fc.nat(60)), (ranges, numbers) => {
      const intervals = new Intervals();
      const set = new Set<number>();
      for (const [from, length] of ranges) {
        intervals.addRange(from, from + length);
        for (let i = from; i < from + length; i++) set.add(i);
      }
      for (const number of numbers) {
        if (intervals.add(number) === set.has(number)) return false;
        set.add(number);
      }
      const flat = intervals.flat();
      for (let i = 1; i < flat.length; i++) if (flat[i] <= flat[i - 1]) return false;
      for (let i = 0; i < 80; i++) if (intervals.has(i) !== set.has(i)) return false;
      return true;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

const DEVICE = '0101010101010101';

function history() {
  const events: string[] = [];
  const told = (event: string, gap: Gap) =>
    events.push(`${event} ${gap.fromEpoch}/${gap.fromSeq}-${gap.toEpoch}/${gap.toSeq}`);
  return { events, past: new History(told) };
}

test('a gap is noticed, shrinks, splits and closes', t => {
  const { events, past } = history();
  const take = (epoch: number, seq: number, final = false) => past.take(DEVICE, epoch, seq, final, false);
  t.is(take(5, 7), 'new'); // the first ever: what came before is not missed
  t.is(take(5, 8), 'new');
  t.deepEqual(events, []);
  take(5, 12);
  t.deepEqual(events, ['noticed 5/9-5/12']);
  take(5, 10);
  t.deepEqual(
    [...past.gaps()].map(gap => [gap.fromSeq, gap.toSeq]),
    [
      [9, 10],
      [11, 12],
    ],
  );
  take(5, 9);
  take(5, 11);
  t.deepEqual(events.slice(1), ['closed 5/9-5/10', 'closed 5/11-5/12']);
  t.is(take(5, 11), 'seen');
  t.is(take(4, 0), 'new'); // earlier than the first, never had: taken, and not a gap
});

test('a reading from before the first one had: what lies between them is missed', t => {
  const { events, past } = history();
  const take = (epoch: number, seq: number, final = false) => past.take(DEVICE, epoch, seq, final, false);
  take(1, 5);
  take(1, 6);
  take(0, 2);
  t.deepEqual(events, ['noticed 0/3-1/5']);
  take(0, 1);
  take(0, 0);
  t.is(events.length, 1, 'neighbours of what was had');
  take(0, 3, true);
  for (let seq = 0; seq < 5; seq++) take(1, seq);
  t.is(events.at(-1), 'closed 1/4-1/5');
  t.deepEqual(past.gapsOf(DEVICE), []);
});

test('the tail of an epoch: lost without its final reading, whole with it', t => {
  const { events, past } = history();
  const take = (epoch: number, seq: number, final = false) => past.take(DEVICE, epoch, seq, final, false);
  take(1, 0);
  take(1, 1, true);
  take(2, 0);
  t.deepEqual(events, []);
  take(3, 0);
  t.deepEqual(events, ['noticed 2/1-3/0']);
  take(2, 1);
  take(2, 2, true);
  t.deepEqual(events.slice(1), ['closed 2/2-3/0']);
  take(5, 4, true); // epoch 3 after reading 0, all of 4, and 5 before reading 4
  t.deepEqual(events.slice(2), ['noticed 3/1-5/4']);
  take(3, 1, true);
  t.deepEqual(
    [...past.gaps()].map(gap => [gap.fromEpoch, gap.fromSeq, gap.toEpoch, gap.toSeq]),
    [[4, 0, 5, 4]],
  );
});

test('a late reading of a sovereign-sdk epoch tells of those before it', t => {
  const { events, past } = history();
  const take = (epoch: number, seq: number) => past.take(DEVICE, epoch, seq, false, true);
  take(1, 1);
  take(2, 1);
  take(4, 1); // nobody knows of an epoch 3
  t.deepEqual(events, []);
  take(1, 5);
  take(3, 3);
  t.deepEqual(events, ['noticed 1/2-1/5', 'noticed 3/1-3/3']);
  take(1, 6);
  t.is(events.length, 2);
  for (const seq of [2, 3, 4]) take(1, seq);
  t.is(events.at(-1), 'closed 1/4-1/5');
});

test('sovereign-sdk readings begin at 1 and end without a word', t => {
  const { events, past } = history();
  const take = (epoch: number, seq: number) => past.take(DEVICE, epoch, seq, false, true);
  take(0, 1);
  take(0, 2);
  take(1, 1);
  t.deepEqual(events, []);
  take(1, 3);
  take(2, 2);
  t.deepEqual(events, ['noticed 1/2-1/3', 'noticed 2/1-2/2']);
});

test('taken once: any order with any repetitions, gaps are what is missing below the top', t => {
  const readings = fc.array(fc.tuple(fc.nat(3), fc.nat(8)), { maxLength: 60 });
  fc.assert(
    fc.property(readings, list => {
      const past = new History();
      const had = new Set<string>();
      for (const [epoch, seq] of list) {
        const key = `${epoch}/${seq}`;
        if (past.take(DEVICE, epoch, seq, false, false) !== (had.has(key) ? 'seen' : 'new')) return false;
        had.add(key);
      }
      for (const gap of past.gaps()) {
        for (let seq = gap.fromSeq; gap.fromEpoch === gap.toEpoch && seq < gap.toSeq; seq++) {
          if (had.has(`${gap.fromEpoch}/${seq}`)) return false;
        }
      }
      // What a snapshot restores takes nothing twice.
      const again = new History();
      for (const device of past.snapshot()) again.restore(JSON.parse(JSON.stringify(device)));
      for (const key of had) {
        const [epoch, seq] = key.split('/').map(Number);
        if (again.take(DEVICE, epoch, seq, false, false) !== 'seen') return false;
      }
      return JSON.stringify([...again.gaps()]) === JSON.stringify([...past.gaps()]);
    }),
    { numRuns: 1000 },
  );
  t.pass();
});

test('memory is bounded: what is forgotten is stale, never new again', t => {
  const { past } = history();
  for (let i = 0; i <= MAX_RANGES + 10; i++) past.take(DEVICE, 1, i * 2, false, false);
  t.is(past.take(DEVICE, 1, 0, false, false), 'stale');
  t.is(past.take(DEVICE, 1, 1, false, false), 'stale');
  t.is(past.take(DEVICE, 1, (MAX_RANGES + 10) * 2 - 1, false, false), 'new');
  for (let epoch = 2; epoch < 4200; epoch++) past.take(DEVICE, epoch, 0, true, false);
  t.is(past.take(DEVICE, 1, 5000, false, false), 'stale');
});
