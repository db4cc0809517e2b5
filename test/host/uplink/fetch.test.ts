import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { NodeStorage } from '../../../host/node/storage.js';
import type { StorageFile } from '../../../host/ports.js';
import type { FetchRange, Place } from '../../../host/uplink/fetch/format.js';
import { entries, fetching, gapEntry, sequences } from './fetch-support.js';
import { TestDevice } from './support.js';

const range = (device: TestDevice, from: Place, to?: Place): FetchRange => ({ device: device.id, from, to });

test('what a range holds is sent again, in order, and then told', async t => {
  const { uplink, broker, drained, answered, add, heard, ask } = await fetching(t);
  const [one, two] = [new TestDevice(1), new TestDevice(2)];
  const first = entries(one, 60);
  for (let i = 0; i < 60; i++) await add(first[i], two.entry());
  uplink.start();
  await drained();
  t.deepEqual(broker.subscribed, ['sovereign/1/cellar/gateway/gw/fetch']);
  t.is(broker.statuses.at(-1)!.fetch, true);
  t.is(heard().sealed.length, 120);
  const { cursor } = uplink.state;
  await ask([range(one, [1, 7], [1, 42])]);
  await answered(1);
  const { sealed, fetched } = heard();
  t.deepEqual(
    sequences(sealed, first),
    Array.from({ length: 35 }, (_, i) => i + 7),
  );
  t.deepEqual(sealed[0].message.payload, Buffer.from(first[7].bytes));
  t.deepEqual(sealed[0].message.userProperties, { historical: '1' });
  t.deepEqual(fetched, [
    {
      gateway: 'gw',
      site: 'cellar',
      id: 'r1',
      done: true,
      busy: false,
      results: [
        { range: range(one, [1, 7], [1, 42]), sent: 35, reached: [1, 42], last: [1, 59], missing: [] },
      ],
    },
  ]);
  t.is(uplink.state.cursor, cursor);
  t.like(uplink.state.fetch, { requests: 1, ranges: 1, waiting: 0, sent: 35, refused: {} });
});

test('what is not held is told with the reason', async t => {
  const { uplink, drained, answered, add, heard, ask, journal } = await fetching(t);
  const one = new TestDevice(1);
  const stranger = new TestDevice(9);
  const readings = entries(one, 40);
  for (const reading of readings.slice(0, 10)) await add(reading);
  await add(gapEntry(one, [1, 10], [1, 15]));
  for (const reading of readings.slice(15, 30)) await add(reading);
  uplink.start();
  await drained();
  heard();
  await ask([
    range(one, [0, 0], [1, 2]),
    range(one, [1, 8], [1, 17]),
    range(one, [1, 28], [1, 35]),
    range(one, [1, 30]),
    range(one, [1, 27]),
    range(stranger, [1, 0], [1, 9]),
    range(stranger, [0, 0]),
  ]);
  await answered(1);
  const { sealed, results } = heard();
  t.deepEqual(
    results.map(({ range: { from }, sent, reached, missing }) => [from, sent, reached, missing]).sort(),
    [
      [[0, 0], 0, [0, 0], []],
      [[0, 0], 2, [1, 2], [{ from: [0, 0], to: [1, 0], why: 'never' }]],
      [[1, 0], 0, [1, 9], [{ from: [1, 0], to: [1, 9], why: 'later' }]],
      [[1, 27], 3, [1, 30], []],
      [[1, 28], 2, [1, 35], [{ from: [1, 30], to: [1, 35], why: 'later' }]],
      [[1, 30], 0, [1, 30], []],
      [[1, 8], 4, [1, 17], [{ from: [1, 10], to: [1, 15], why: 'never' }]],
    ],
  );
  // What two ranges have in common went out once.
  t.deepEqual(
    sequences(sealed, readings).sort((a, b) => a - b),
    [0, 1, 8, 9, 15, 16, 27, 28, 29],
  );
  t.true(journal.segments.length > 2);
});

class RefusingStorage extends NodeStorage {
  refuses = true;

  override open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    const refused = this.refuses && mode === 'create' && path.endsWith('.jsonl');
    return refused
      ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
      : super.open(path, mode);
  }
}

test('what was found at open and can’t be made durable again yet is still to come, not unheard of', async t => {
  const before = await fetching(t);
  const device = new TestDevice(1);
  const [first, ...rest] = entries(device, 4);
  await before.add(first, ...rest);
  const killed = join(before.directory, 'killed');
  await cp(join(before.directory, 'journal'), join(killed, 'journal'), { recursive: true });

  const storage = new RefusingStorage();
  const after = await fetching(t, {}, 2500, storage, killed);
  t.is(after.journal.recovering.length, 1); // the last batch: nothing says that it was synced
  after.uplink.start();
  for (let tries = 0; after.uplink.state.cursor < after.journal.durableOffset && tries < 1000; tries++)
    await after.settle(50);
  // All that is durable is with the broker, and one more is to come: for whoever counts, that is not drained.
  await after.settle(20_000);
  t.like(after.uplink.state, { name: 'online', drained: false });
  t.is(after.uplink.state.backlog, 1);
  t.false(after.uplink.pulse.busy, 'there is nothing to be done as long as the disk refuses');
  t.like(after.broker.statuses.at(-1), { drained: false });
  after.heard();
  await after.ask([{ device: device.id, from: [1, 0], to: [1, 4] }]);
  await after.answered(1);
  const [{ sent, missing }] = after.heard().results;
  t.is(sent, 3);
  t.deepEqual(missing, [{ from: [1, 3], to: [1, 4], why: 'queued' }]);

  storage.refuses = false;
  for (let tries = 0; after.journal.recovering.length > 0 && tries < 2000; tries++) await after.settle(50);
  await after.drained();
  t.is(after.heard().sealed.length, 1);
  t.is(after.uplink.state.backlog, 0);
  t.like(after.broker.statuses.at(-1), { drained: true });
});
