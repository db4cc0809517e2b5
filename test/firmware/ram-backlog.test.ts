import test from 'ava';
import fc from 'fast-check';
import { RamBacklog } from '../../firmware/store/ram-backlog.js';

interface Entry {
  epoch: number;
  seq: number;
  bytes: number[];
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ push: fc.integer({ min: 64, max: 400 }) }) },
  { weight: 3, arbitrary: fc.constant({ shift: true }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.nat(20) }) },
);

test('the ring behaves as a list of envelopes does, however it wraps', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 400, max: 2_000 }),
      fc.array(step, { maxLength: 300 }),
      (capacity, steps) => {
        const ring = new RamBacklog(capacity);
        const list: Entry[] = [];
        let seq = 0;
        for (const what of steps) {
          if ('push' in what) {
            const bytes = Array.from({ length: what.push }, (_, i) => (seq * 31 + i) & 0xff);
            const source = Uint8Array.from([1, 2, 3, ...bytes, 4]);
            const taken = ring.push(7, seq, source, 3, 3 + bytes.length);
            if (taken) list.push({ epoch: 7, seq: seq++, bytes });
            else if (list.length === 0) throw new Error('an empty ring took nothing');
          } else if ('shift' in what) {
            ring.shift();
            list.shift();
            while (list.length > 0 && list[0].bytes.length === 0) list.shift();
          } else if (what.remove < list.length) {
            ring.remove(what.remove);
            if (what.remove > 0) list[what.remove].bytes = [];
            else {
              list.shift();
              while (list.length > 0 && list[0].bytes.length === 0) list.shift();
            }
          }
          if (ring.count !== list.length) throw new Error(`count ${ring.count}, expected ${list.length}`);
          if (ring.select(list.length)) throw new Error('selected past the end');
          for (let i = 0; i < list.length; i++) {
            const { epoch, seq: expected, bytes } = list[i];
            if (!ring.select(i) || ring.epoch !== epoch || ring.seq !== expected)
              throw new Error(`entry ${i}`);
            if (`${ring.buffer.slice(ring.from, ring.to)}` !== `${bytes}`) throw new Error(`bytes of ${i}`);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('it takes nothing that does not fit, and an empty one takes all it has room for', t => {
  const ring = new RamBacklog(128);
  t.false(ring.push(0, 0, new Uint8Array(129), 0, 129));
  t.true(ring.push(0, 0, new Uint8Array(128), 0, 128));
  t.false(ring.push(0, 1, new Uint8Array(64), 0, 64));
  ring.shift();
  ring.shift();
  t.is(ring.count, 0);
  t.true(ring.push(0, 1, new Uint8Array(64), 0, 64));
});
