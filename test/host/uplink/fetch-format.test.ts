import test from 'ava';
import { decodeFetched } from '../../../host/uplink/fetch/format.js';

test('of an answer only what is known is kept', t => {
  const missing = [{ from: [1, 2], to: [1, 3], why: 'lost', more: { deep: [[[]]] } }];
  const range = { device: '0011223344556677', epoch: 1, from: 0, sent: 2, reached: [1, 3], missing };
  const text = JSON.stringify({ gateway: 'g', site: 's', done: true, ranges: [range] });
  t.deepEqual(decodeFetched(Buffer.from(text))?.results[0].missing, [
    { from: [1, 2], to: [1, 3], why: 'lost' },
  ]);
});
