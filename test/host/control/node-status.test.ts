import test from 'ava';
import { deviceStatuses } from '../../../host/control/node-status.js';
import { MAX_DEVICES } from '../../../host/control/status.js';

test('of more devices than are listed, what is silent or has a twin stays, whenever it was heard', t => {
  const id = (i: number) => i.toString(16).padStart(16, '0');
  const devices = Array.from({ length: 5000 }, (_, i) => ({
    id: id(i),
    heardAt: 1_000_000 + i,
    silent: false,
    counts: {},
  }));
  devices[0] = { ...devices[0]!, silent: true };
  devices[1] = { ...devices[1]!, counts: { fork: 1 } };
  const listed = deviceStatuses(devices, new Map()).map(device => device.id);
  t.is(listed.length, MAX_DEVICES);
  t.deepEqual(
    listed.slice(0, 4),
    [id(1), id(0), id(4999), id(4998)],
    'and comes first, wherever fewer are shown',
  );
  t.is(listed.at(-1), id(5000 - (MAX_DEVICES - 2)));
});
