import test from 'ava';
import { Held } from '../../../host/subscriber/held.js';
import { Memory } from '../../../host/subscriber/memory.js';

const DEVICE = '0011223344556677';
const memory = () => new Memory({ maxCount: 5, maxBytes: 100 }, () => undefined);

const SNAPSHOT = { d: DEVICE, k: 0, f: 0, t: [1, 5, 0], e: [[1, 0, 0, 3, 5, 6]], g: [[1, 3, 1, 5]] };
const TAKEN: unknown[] = [
  SNAPSHOT,
  { ...SNAPSHOT, t: null, e: [], g: [] },
  { ...SNAPSHOT, g: [[0, 0, 1, 0, 1]] },
  { r: [[DEVICE, 1, 0, 3, 1, 0]] },
  { r: [[DEVICE, 1, 2 ** 53 - 1, 2 ** 53, 0, 1]] },
  { b: [DEVICE, 0, 0] },
  { x: [DEVICE, 1, 3, 1, 5] },
  { h: [1, DEVICE, 'site', 'AAAA'] },
  { u: [1, 2] },
];
for (const line of TAKEN) test(`takes ${JSON.stringify(line)}`, t => t.true(memory().apply(line)));

const REFUSED: unknown[] = [
  null,
  7,
  {},
  { ...SNAPSHOT, d: 'x' },
  { ...SNAPSHOT, k: 2 },
  { ...SNAPSHOT, t: [1, 5] },
  { ...SNAPSHOT, e: [[1, 0, 3, 0]] },
  { ...SNAPSHOT, e: [[1, 0, 0, 3, 3, 6]] },
  { ...SNAPSHOT, e: [[1, 0, 0]] },
  { ...SNAPSHOT, e: [[1, 0, ...Array.from({ length: 2 * 4097 }, (_, i) => i)]] },
  { ...SNAPSHOT, g: [[1, 3, 1]] },
  { ...SNAPSHOT, g: Array(1025).fill([1, 3, 1, 5]) },
  { r: [] },
  { r: [[DEVICE, 1, 0, 2 ** 53, 0, 0]] },
  { r: [[DEVICE, 1, 3, 3, 0, 0]] },
  { r: [[DEVICE, 1, 0.5, 3, 0, 0]] },
  { r: [[DEVICE, '1', 0, 3, 0, 0]] },
  { b: [DEVICE, -1, 0] },
  { x: [DEVICE, 1, 3, 1] },
  { h: [0, DEVICE, 'site', 'AAAA'] },
  { h: [2 ** 53, DEVICE, 'site', 'AAAA'] },
  { h: [1, DEVICE, 'site', 'AA?A'] },
  { u: ['1'] },
];
for (const line of REFUSED) {
  test(`refuses ${JSON.stringify(line)?.slice(0, 100)}`, t => {
    const one = memory();
    t.false(one.apply(line));
    t.deepEqual([...one.snapshot()], []);
  });
}

test('an envelope of which two state files speak is held once', t => {
  const held = new Held({ maxCount: 5, maxBytes: 100 });
  for (let i = 0; i < 3; i++) held.add(DEVICE, 'site', new Uint8Array(60), 7);
  t.is(held.size, 1);
  held.remove(7);
  t.false(held.has(DEVICE));
  t.is(held.add(DEVICE, 'site', new Uint8Array(90)).dropped.length, 0);
});
