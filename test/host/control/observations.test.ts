import test from 'ava';
import { recordBackup } from '../../../host/backup/last.js';
import { Observations, type WriteSample } from '../../../host/control/observations.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';
import { FakeClock } from '../../support/fake-clock.js';

const YEAR = 365.25 * 86_400;

function setUp(enduranceBytes?: number) {
  const clock = new FakeClock();
  const state = {
    backlog: 0,
    bytes: 1000 as number | Error,
    sample: undefined as WriteSample | undefined,
  };
  const storage = new MemoryStorage();
  const observations = new Observations(
    { clock, storage, writes: { sample: async () => state.sample } },
    { directory: '/data', gateway: 'cellar', ...(enduranceBytes !== undefined && { enduranceBytes }) },
    {
      size: async () => {
        if (state.bytes instanceof Error) throw state.bytes;
        return state.bytes;
      },
      oldestAt: async () => 42,
    },
    () => state.backlog,
  );
  return { clock, state, storage, observations };
}

const written = (seconds: number): WriteSample => ({
  source: 'device',
  bytes: 1000 * seconds,
  bytesPerDay: 86_400_000,
  seconds,
});

test('what the disk bears at this rate, once there is something to judge by', async t => {
  const { state, observations } = setUp(86_400_000 * 365.25 * 12);
  state.sample = written(10);
  await observations.look();
  t.is(observations.writes, undefined);
  state.sample = written(600.4);
  await observations.look();
  t.deepEqual(observations.writes, { ...written(600.4), seconds: 600, years: 12 });
  const unknown = setUp();
  unknown.state.sample = written(600);
  await unknown.observations.look();
  t.false('years' in unknown.observations.writes!);
  const idle = setUp(YEAR);
  idle.state.sample = { ...written(600), bytes: 0, bytesPerDay: 0 };
  await idle.observations.look();
  t.false('years' in idle.observations.writes!);
});

test('what can not be found out is not known, and the rest is', async t => {
  const { state, observations } = setUp();
  await observations.look();
  t.is(observations.journalBytes, 1000);
  state.bytes = new Error('EIO');
  await observations.look();
  t.is(observations.journalBytes, undefined);
  t.is(observations.oldestAt, 42);
  t.true(observations.availableBytes! > 0);
});

test('the last backup is known soon after it was made, by whomever', async t => {
  const { storage, observations } = setUp();
  await observations.look();
  t.is(observations.lastBackupAt, undefined);
  await recordBackup(storage, '/data', 'cellar', 1_780_000_000_000);
  await observations.look();
  t.is(observations.lastBackupAt, 1_780_000_000_000);
});

test('the backlog of a day, a point a minute', async t => {
  const { clock, state, observations } = setUp();
  void observations.start();
  for (let minute = 0; minute < 26 * 60; minute++) {
    state.backlog = minute;
    await clock.pass(60_000, 10_000);
  }
  observations.stop();
  const { everySeconds, points } = observations.backlog;
  t.is(everySeconds, 60);
  t.is(points.length, 1440);
  const steps = new Set(points.slice(1).map(([at], i) => at - points[i][0]));
  t.deepEqual([...steps], [60_000]);
  t.true(points.at(-1)![1] >= 26 * 60 - 2);
  t.is(clock.waiting, 0);
});

test('who asks often makes it look once in a while', async t => {
  const { clock, state, observations } = setUp();
  await observations.refresh();
  state.bytes = 2000;
  await observations.refresh();
  t.is(observations.journalBytes, 1000);
  clock.advance(2000);
  await observations.refresh();
  t.is(observations.journalBytes, 2000);
});
