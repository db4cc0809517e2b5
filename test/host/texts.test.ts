import test from 'ava';
import { agoText, bytesText, durationText } from '../../host/texts.js';

test('sizes', t => {
  t.deepEqual([0, 1023, 1536, 2048, 5.5e9, 200 * 1024 ** 3].map(bytesText), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '2.0 KiB',
    '5.1 GiB',
    '200 GiB',
  ]);
});

test('durations, and how long ago', t => {
  const times = [-5, 400, 59_999, 60_000, 125_000, 725_000, 3.6e6, 5.4e6, 4.5e7, 9.5e7, 1e10];
  t.deepEqual(times.map(durationText), [
    '0 s',
    '0 s',
    '59 s',
    '1 min',
    '2 min 5 s',
    '12 min',
    '1 h',
    '1 h 30 min',
    '12 h',
    '1 d 2 h',
    '115 d',
  ]);
  t.deepEqual(
    [9_000, 5_000, -3_000].map(ago => agoText(1e6 - ago, 1e6)),
    ['9 s ago', '5 s ago', 'now'],
  );
});
