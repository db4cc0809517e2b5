import test from 'ava';
import { silentLog } from '../../../host/node/log.js';
import { SparseWarning } from '../../../host/web/sparse-warning.js';
import { FakeClock } from '../../support/fake-clock.js';

test('what somebody does again and again is told once a minute, with how often', t => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const log = {
    ...silentLog,
    warn: (event: string, fields?: object) => void told.push({ event, ...fields }),
  };
  const warning = new SparseWarning({ clock, log }, 'web-token-wrong');
  for (let second = 0; second < 90; second++) {
    warning.tell({ peer: `192.0.2.${second}` });
    clock.advance(1000);
  }
  t.deepEqual(told, [
    { event: 'web-token-wrong', peer: '192.0.2.0', times: 1 },
    { event: 'web-token-wrong', peer: '192.0.2.60', times: 60 },
  ]);
});
