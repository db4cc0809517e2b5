import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { isDamaged, walk } from '../../../host/journal/check.js';
import type { Entry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import { segmentsIn } from '../../../host/journal/names.js';
import { repair } from '../../../host/journal/repair.js';
import { systemClock } from '../../../host/node/clock.js';
import { NodeStorage } from '../../../host/node/storage.js';
import { DEVICES, key, readAll, reading, settle, silent } from './world.js';

const run = promisify(execFile);
const storage = new NodeStorage();
const ports = { storage, clock: systemClock, log: silent };

test('check and repair on copies that cp takes while a gateway writes and retention removes', async t => {
  const data = await mkdtemp(join(tmpdir(), 'sovereign-live-'));
  t.teardown(() => rm(data, { recursive: true, force: true }));
  const directory = join(data, 'journal');
  const passed = { offset: 0, end: 0 };
  const options = { directory, segmentBytes: 30_000, maxBatchBytes: 8000, retainBytes: 600_000 };
  const journal = await Journal.open(ports, options, [passed]);
  const durable: Entry[] = [];
  let stop = false;
  journal.onDurable(batch => {
    durable.push(...batch);
    passed.offset = batch[batch.length - 1].offset;
    passed.end = passed.offset;
  });
  const writing = (async () => {
    for (let seq = 0; !stop; seq++) {
      for (const device of DEVICES) journal.append(reading(device, 1, seq));
      await settle(seq % 3);
    }
  })();
  let [removed, torn] = [0, 0];
  for (let i = 0; i < 12; i++) {
    while (durable.length < (i + 1) * 1500) await settle(1);
    const known = durable.length;
    const copy = join(data, `copy-${i}`);
    // A segment that goes while cp is at it makes cp complain; the rest is there.
    await run('cp', ['-r', directory, copy]).catch(() => removed++);
    const oldest = segmentsIn(await readdir(directory))[0];
    const live = await walk(storage, directory, 0, {});
    t.false(isDamaged(live), 'the journal itself, while it is written');
    const before = await walk(storage, copy, 0, {});
    if (before.tail !== undefined) torn++;
    await repair(storage, copy, () => undefined);
    const after = await walk(storage, copy, 0, {});
    t.false(isDamaged(after));
    const opened = await Journal.open(ports, { directory: copy });
    const there = new Set((await readAll(opened, 0, [], 500)).map(key));
    await opened.close();
    const lost = durable.slice(0, known).filter(entry => entry.offset >= oldest && !there.has(key(entry)));
    // cp may have listed a segment that came while it ran, and copied the one before it too early.
    t.true(lost.length === 0 || isDamaged(before), `copy ${i}: ${lost.slice(0, 3).map(key)}`);
    await rm(copy, { recursive: true });
  }
  stop = true;
  await writing;
  await journal.close();
  t.log(`${durable.length} readings, ${removed} copies with a segment gone, ${torn} with a tail`);
  t.true((await readdir(directory)).length < 40);
});
