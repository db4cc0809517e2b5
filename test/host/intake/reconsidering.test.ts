import test from 'ava';
import { quarantineCalls } from '../../../host/control/quarantine.js';
import { identity, Rig } from './rig.js';
import { Sensor } from './sdk-sensor.js';

/** A rig whose quarantine holds what a device sent that the keyring did not have. */
async function refused(t: Parameters<typeof Rig.start>[0], count: number) {
  const device = identity(5);
  const sealed = device.sealMany(1, count);
  const rig = await Rig.start(t, []);
  const { peer } = rig.connect(device);
  peer.readings(sealed);
  return { device, sealed, rig, peer, ...(await kept(rig)) };
}

/** What is in quarantine, oldest first, and how to release it. */
async function kept(rig: Rig) {
  const { intake, keyring } = rig;
  const calls = quarantineCalls({
    quarantine: intake.quarantine,
    reconsidering: intake.reconsidering,
    keyring,
  });
  const { items } = await calls['quarantine-list']({});
  const ids = items.map(({ id }) => id).reverse();
  /** The disk and the clock go on while somebody waits for an answer. */
  const release = async (id: string) => {
    const answer = Promise.resolve(calls['quarantine-release']({ id }));
    let settled = false;
    void answer.finally(() => {
      settled = true;
    });
    while (!settled) {
      await rig.disk();
      await rig.clock.pass(20);
    }
    return answer;
  };
  return { calls, ids, release };
}

test('a gate that still refuses leaves everything as it is, and adds nothing to the quarantine', async t => {
  const { rig, ids, release, calls } = await refused(t, 2);
  t.is(ids.length, 2);
  t.deepEqual(await release(ids[0]), { id: ids[0], outcome: 'refused', reason: 'unknown-device' });
  t.is((await calls['quarantine-list']({})).items.length, 2);
  t.deepEqual(rig.story(), []);
});

test('with the key there, in order: durable when it is said, and once', async t => {
  const { device, rig, ids, release, sealed } = await refused(t, 4);
  rig.useKeyring([device.entry(1)]);
  const place = (seq: number) => ({ device: device.idText, epoch: 1, seq });
  t.deepEqual(await release(ids[2]), { id: ids[2], outcome: 'early', ...place(2) });
  t.deepEqual(await release(ids[0]), { id: ids[0], outcome: 'journalled', ...place(0) });
  t.deepEqual(await release(ids[0]), { id: ids[0], outcome: 'known', ...place(0) });
  t.deepEqual(await release(ids[1]), { id: ids[1], outcome: 'journalled', ...place(1) });
  t.deepEqual(rig.story(), ['1/0', '1/1']);
  t.is(rig.durable[0].link, 'quarantine:tcp:192.0.2.7');
  t.deepEqual(
    rig.durable.map(entry => entry.kind === 'reading' && Buffer.from(entry.bytes).toString('hex')),
    [Buffer.from(sealed[0].bytes).toString('hex'), Buffer.from(sealed[1].bytes).toString('hex')],
  );
  // The device goes on from there by itself: nothing it still holds is lost or doubled.
  const { peer } = rig.connect(device);
  peer.hello({ epoch: 1, next: 4, oldest: { epoch: 1, seq: 0 }, backlog: 4 });
  peer.readings(sealed);
  await rig.synced();
  t.deepEqual(rig.story(), ['1/0', '1/1', '1/2', '1/3']);
});

test('while the disk takes nothing it is told so, and can be tried again', async t => {
  const { device, rig, ids, release } = await refused(t, 1);
  rig.useKeyring([device.entry(1)]);
  rig.stalled = true;
  t.like(await release(ids[0]), { outcome: 'busy' });
  rig.stalled = false;
  t.like(await release(ids[0]), { outcome: 'journalled' });
});

test('what contradicts the journal becomes evidence', async t => {
  const { device, rig, ids, release } = await refused(t, 2);
  rig.useKeyring([device.entry(1)]);
  // Another with the same keys was faster.
  const other = identity(5);
  const { peer } = rig.connect(other);
  other.startEpoch(1);
  const sealed = [other.seal(100), other.seal(101)];
  peer.hello({ epoch: 1, next: 2, oldest: { epoch: 1, seq: 0 }, backlog: 2 });
  peer.readings(sealed);
  await rig.synced();
  t.like(await release(ids[1]), { outcome: 'evidence', epoch: 1, seq: 1 });
  t.is(rig.intake.status().evidence.stored, 1);
  t.deepEqual(rig.story(), ['1/0', '1/1']);
});

test('frames of sovereign-sdk sensors have their own gates, and the same chance', async t => {
  const sensor = new Sensor('noëud-1');
  const rig = await Rig.start(t, []);
  const link = rig.sdk.connect('sdk:192.0.2.9');
  link.handler!.data(Buffer.from([1, 2, 4].map(sequence => `${sensor.frame(sequence)}\n`).join('')));
  const { calls, ids, release } = await kept(rig);
  t.is(ids.length, 3);
  t.like(await release(ids[0]), { outcome: 'refused', reason: 'unknown-device' });
  t.is((await calls['quarantine-list']({})).items.length, 3);
  rig.useKeyring([sensor.entry()]);
  t.is((await calls['quarantine-show']({ id: ids[0] })).now, '');
  const place = (seq: number) => ({ device: sensor.id, epoch: 1, seq });
  t.deepEqual(await release(ids[0]), { id: ids[0], outcome: 'journalled', ...place(1) });
  t.deepEqual(await release(ids[0]), { id: ids[0], outcome: 'known', ...place(1) });
  rig.stalled = true;
  t.like(await release(ids[1]), { outcome: 'busy' });
  rig.stalled = false;
  t.like(await release(ids[1]), { outcome: 'journalled' });
  t.like(await release(ids[2]), { outcome: 'journalled', ...place(4) });
  t.deepEqual(rig.story(), ['1/1', '1/2', 'gap 1/3..1/4', '1/4']);
  link.handler!.data(Buffer.from(`${sensor.frame(1, 7)}\n`));
  const after = await kept(rig);
  t.like(await after.release(after.ids.at(-1)!), { outcome: 'refused', reason: 'sequence-reset' });
  t.is((await after.calls['quarantine-list']({})).items.length, 4);
});

test('bytes that are no reading stay what they are', async t => {
  const { rig, calls, release } = await refused(t, 0);
  const link = rig.tcp.connect('tcp:192.0.2.8');
  link.handler!.data(new Uint8Array(0));
  const { peer } = rig.connect(identity(9));
  peer.raw(peer.frame(1, Uint8Array.of(0x84, 1, 2, 3)));
  peer.raw(peer.frame(99, Uint8Array.of(7)));
  const { items } = await calls['quarantine-list']({});
  t.is(items.length, 2);
  for (const { id } of items) {
    t.like(await release(id), { outcome: 'refused' });
    t.not((await calls['quarantine-show']({ id })).now, '');
  }
});
