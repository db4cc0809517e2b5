import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { NodeStorage } from '../../../host/node/storage.js';
import { temporary } from '../intake/rig.js';
import { DEVICES, open, reading, store, TestClock } from './world.js';

test('as large as its files, and as old as its oldest segment, over restarts and retention', async t => {
  const directory = temporary(t);
  const clock = new TestClock();
  const began = clock.time;
  const options = { directory, segmentBytes: 64 * 1024, retainBytes: 300 * 1024 };
  const onDisk = () =>
    readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  let journal = await open(new NodeStorage(), options, [], clock);
  t.is(await journal.extent.size(), 0);
  t.is(await journal.extent.oldestAt(), undefined);
  let seq = 0;
  const fill = async (batches: number) => {
    for (let i = 0; i < batches; i++) {
      clock.time += 1000;
      await store(journal, ...Array.from({ length: 100 }, () => reading(DEVICES[0], 1, seq++)));
    }
  };
  await fill(10);
  t.true(journal.segmentCount > 2);
  // A closed segment ends with a mark of its own, which is not counted among what is synced.
  t.true(Math.abs((await journal.extent.size()) - onDisk()) < 200 * journal.segmentCount);
  t.is(await journal.extent.oldestAt(), began + 1000);
  await journal.close();

  journal = await open(new NodeStorage(), options, [], clock);
  t.teardown(() => journal.close());
  t.true(Math.abs((await journal.extent.size()) - onDisk()) < 200 * journal.segmentCount);
  t.is(await journal.extent.oldestAt(), began + 1000);
  await fill(20);
  await journal.retain();
  const oldest = await journal.extent.oldestAt();
  t.true(oldest! > began + 1000);
  t.true(Math.abs((await journal.extent.size()) - onDisk()) < 200 * journal.segmentCount);
});
