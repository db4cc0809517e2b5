/** What devices tell of themselves besides their readings, and what of it stands in the status. */
import test from 'ava';
import { Kind, label } from '../../../firmware/seal/index.js';
import { identity, Rig } from './rig.js';

test('backlog, losses and signal are as the last heartbeat says, the clock as the last reading', async t => {
  const device = identity(3);
  const rig = await Rig.start(t, [device.entry(1)]);
  const { peer } = rig.connect(device);
  device.startEpoch(1);
  const before = rig.device(device);
  t.false('clock' in before);
  t.false('signal' in before);
  peer.hello({ epoch: 1, next: 0, backlog: 40, losses: 3 });
  t.like(rig.device(device), { backlog: 40, losses: 3 });
  const beat = (value: number, name: string, unit: string) =>
    peer.reading(device.seal(value, Kind.heartbeat, label(name, unit)));
  beat(7, 'backlog', 'count');
  beat(4, 'losses', 'count');
  beat(-61, 'wifi', 'dBm');
  t.like(rig.device(device), { backlog: 7, losses: 4, signal: -61, clock: 'unsynchronised' });
  beat(-5, 'backlog', 'count');
  beat(0.5, 'losses', 'count');
  peer.reading(device.seal(99, 0, label('backlog', 'count')));
  t.like(rig.device(device), { backlog: 7, losses: 4 });
  await rig.synced();
  t.like(rig.intake.lastReading(device.idText), { epoch: 1, seq: 5 });
  t.is(rig.intake.lastReading('ffffffffffffffff'), undefined);
});
