/** Clocks that are wrong, jump, and run backwards, by libfaketime. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { FakeTime, findFakeTime } from '../support/fake-time.js';
import { LiveSite, pause } from '../support/live-site.js';
import { needs, notRun } from '../support/needs.js';
import { freshSeed, prng } from '../support/prng.js';

const JUMPS = 12;
/** As libfaketime wants them: places, and distances from the true time. */
const CLOCKS = [
  '@1970-01-01 00:00:10',
  '-25y',
  '+0',
  '+12y',
  '@2038-01-19 03:14:00',
  '-1h',
  '+1h',
  '-3',
  '@2199-12-31 23:59:58',
] as const;

test(`clocks that are wrong, jump and run backwards lose nothing`, async t => {
  if (!needs(t, 'mosquitto')) return;
  const library = findFakeTime();
  if (library === undefined) {
    notRun(t, 'libfaketime is not installed: apt-get install faketime');
    return;
  }
  t.timeout(300_000);
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const directory = await mkdtemp(join(tmpdir(), 'clock-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const one = () => CLOCKS[Math.floor(random() * CLOCKS.length)]!;
  const clock = (name: string, text: string) => new FakeTime(library, join(directory, name), text);
  // A gateway without a clock chip, which has not heard of the time yet.
  const ofGateway = clock('gateway', CLOCKS[0]);
  const ofDevices = clock('devices', one());
  const ofSubscriber = clock('subscriber', one());
  const live = await LiveSite.start(t, {
    seed,
    devices: 8,
    rate: 10,
    // What was published and seems to be old enough goes, and then the journal has not got what was receipted.
    journal: ', retainDays: 0',
    gateway: { env: ofGateway.env },
    simulate: { env: ofDevices.env },
    subscribe: { env: ofSubscriber.env },
  });
  t.regex(live.gateway.lines[0]!, /\b1970-01-01T/);
  for (let i = 0; i < JUMPS; i++) {
    await live.moreReceipts(Math.floor(random() * 60));
    for (const wrong of [ofGateway, ofDevices, ofSubscriber]) if (random() < 0.7) wrong.set(one());
    await pause(random() * 300);
    if (i % 3 === 2) await live.gateway.restart(i % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
  }
  await live.judge(t);
});
