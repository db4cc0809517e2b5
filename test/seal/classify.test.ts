import test from 'ava';
import type { Held, Link, Memory, Position, Verdict, Where } from '../../firmware/seal/index.js';
import {
  classify,
  comparePositions,
  gapBetween,
  heldOf,
  linkOf,
  whereOf,
} from '../../firmware/seal/index.js';

const WHERE: Where[] = ['successor', 'epoch-start', 'beyond', 'past'];
const LINK: Link[] = ['matches', 'differs'];
const HELD: Held[] = ['gone', 'held', 'unsaid'];
const MEMORY: Memory[] = ['same', 'other', 'none'];

/** The rules as the format states them, one after another: where, link, held, memory; * is anything. */
const RULES: [string, Verdict][] = [
  ['successor matches * *', 'next'],
  ['successor differs * *', 'fork'],
  ['epoch-start * held *', 'early'],
  ['epoch-start * * *', 'next'],
  ['beyond * gone *', 'gap'],
  ['beyond * * *', 'early'],
  ['past * * same', 'replay'],
  ['past * * other', 'fork'],
  ['past * * none', 'stale'],
];

test('every combination of the facts has the verdict that the rules give it', t => {
  let combinations = 0;
  for (const where of WHERE) {
    for (const link of LINK) {
      for (const held of HELD) {
        for (const memory of MEMORY) {
          const facts = [where, link, held, memory];
          const rule = RULES.find(([pattern]) =>
            pattern.split(' ').every((p, i) => p === '*' || p === facts[i]),
          );
          t.is(classify({ where, link, held, memory }), rule![1], facts.join(' '));
          combinations++;
        }
      }
    }
  }
  t.is(combinations, 72);
});

const tag8 = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
const at = (epoch: number, seq: number, final = false): Position => ({ epoch, seq, tag8, final });
const SMALL = [0, 1, 2, 3];

test('where a reading lies, over every small place', t => {
  for (const epoch of SMALL) {
    for (const seq of SMALL) {
      t.is(whereOf(undefined, epoch, seq), seq === 0 ? 'epoch-start' : 'beyond');
      for (const E of SMALL) {
        for (const S of SMALL) {
          const later = epoch > E || (epoch === E && seq > S);
          const expected = !later
            ? 'past'
            : epoch === E && seq === S + 1
              ? 'successor'
              : epoch > E && seq === 0
                ? 'epoch-start'
                : 'beyond';
          t.is(whereOf(at(E, S), epoch, seq), expected, `${epoch}/${seq} after ${E}/${S}`);
          t.is(Math.sign(comparePositions(epoch, seq, E, S)), later ? 1 : epoch === E && seq === S ? 0 : -1);
        }
      }
    }
  }
});

test('the link is eight bytes of the last tag', t => {
  const bytes = new Uint8Array([9, ...tag8, 9]);
  t.is(linkOf(at(1, 1), bytes, 1), 'matches');
  t.is(linkOf(at(1, 1), bytes, 0), 'differs');
  t.is(linkOf(at(1, 1), bytes, 2), 'differs');
  t.is(linkOf(at(1, 1), bytes, 3), 'differs');
  t.is(linkOf(undefined, bytes, 1), 'differs');
});

test('what a hello says is held, over every small place', t => {
  for (const epoch of SMALL) {
    for (const seq of SMALL) {
      t.is(heldOf(undefined, at(1, 1), epoch, seq), 'unsaid');
      for (const oldestEpoch of SMALL) {
        for (const oldestSeq of SMALL) {
          const reached = comparePositions(oldestEpoch, oldestSeq, epoch, seq) >= 0;
          const saysOldest = { epoch: 9, next: 9, oldestEpoch, oldestSeq };
          // With nothing held, the oldest reading is the one to come.
          const saysNone = { epoch: oldestEpoch, next: oldestSeq, oldestEpoch: -1, oldestSeq: -1 };
          for (const hello of [saysOldest, saysNone]) {
            t.is(heldOf(hello, undefined, epoch, seq), reached ? 'gone' : 'held');
            for (const [E, S] of [
              [0, 0],
              [1, 1],
              [2, 0],
              [3, 3],
            ]) {
              const after = comparePositions(oldestEpoch, oldestSeq, E, S) > 0;
              const expected = reached ? 'gone' : after ? 'held' : 'unsaid';
              t.is(heldOf(hello, at(E, S), epoch, seq), expected);
            }
          }
        }
      }
    }
  }
});

test('what is missing', t => {
  const gap = (fromEpoch: number, fromSeq: number, toEpoch: number, toSeq: number) => ({
    fromEpoch,
    fromSeq,
    toEpoch,
    toSeq,
  });
  t.is(gapBetween(undefined, 5, 0), undefined);
  t.deepEqual(gapBetween(undefined, 5, 3), gap(5, 0, 5, 3));
  t.is(gapBetween(at(1, 4), 1, 5), undefined);
  t.deepEqual(gapBetween(at(1, 4), 1, 7), gap(1, 5, 1, 7));
  t.deepEqual(gapBetween(at(1, 4), 2, 0), gap(1, 5, 2, 0), 'an epoch that did not end with final');
  t.is(gapBetween(at(1, 4, true), 2, 0), undefined, 'an epoch that did');
  t.deepEqual(gapBetween(at(1, 4, true), 2, 3), gap(2, 0, 2, 3));
  t.deepEqual(gapBetween(at(1, 4, true), 4, 0), gap(2, 0, 4, 0), 'epochs in between');
  t.deepEqual(gapBetween(at(1, 4), 4, 2), gap(1, 5, 4, 2));
  // Simulation, seed 10036462.
  t.deepEqual(gapBetween(at(1, 4, true), 1, 7), gap(1, 5, 1, 7), 'a copy that has not ended the epoch');
  t.is(gapBetween(at(1, 4, true), 1, 5), undefined);
  const last = Number.MAX_SAFE_INTEGER;
  t.is(gapBetween(at(1, last), 2, 0), undefined, 'no number is left in that epoch');
  t.deepEqual(gapBetween(at(1, last - 1), 2, 0), gap(1, last, 2, 0));
  for (const final of [false, true])
    t.is(gapBetween(at(1, 4, final), 1, 4), undefined, 'nothing before the past');
});
