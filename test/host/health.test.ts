import test from 'ava';
import { asking, HANG_MS, Health, type Pulse, watched } from '../../host/health.js';

function rig() {
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now, after: () => ({ cancel() {} }) };
  const pulses = {
    intake: { turns: 0, busy: true },
    journal: { turns: 0, busy: false },
    uplink: { turns: 0, busy: false },
  };
  const at = (name: keyof typeof pulses) => ({
    get pulse(): Pulse {
      return { ...pulses[name] };
    },
  });
  let answer = () => {};
  let asked = 0;
  const disk = () => {
    asked++;
    return new Promise<void>(resolve => {
      answer = resolve;
    });
  };
  const parts = { intake: at('intake'), journal: at('journal'), uplink: at('uplink'), disk };
  const health = new Health(clock, watched(parts));
  return {
    health,
    pulses,
    pass: (ms: number) => {
      now += ms;
    },
    /** The disk says something, and the promise is heard. */
    answer: async () => {
      answer();
      await new Promise(resolve => setImmediate(resolve));
    },
    asked: () => asked,
  };
}

/** Looks every 10 s for so long; the disk and the intake do their part unless told otherwise. */
async function look(
  site: ReturnType<typeof rig>,
  seconds: number,
  also: { intake?: boolean; disk?: boolean } = {},
) {
  let state = site.health.state();
  for (let passed = 0; passed < seconds; passed += 10) {
    site.pass(10_000);
    if (also.intake !== false) site.pulses.intake.turns++;
    if (also.disk !== false) await site.answer();
    state = site.health.state();
  }
  return state;
}

const well = { ok: true, parts: { intake: { ok: true }, journal: { ok: true }, uplink: { ok: true } } };

test('a gateway into which nothing comes is well, for days', async t => {
  t.deepEqual(await look(rig(), 3 * 86_400), well);
});

test('a journal that waits for one write hangs after the limit, and is well again with the next turn', async t => {
  const site = rig();
  await look(site, 60);
  site.pulses.journal.busy = true;
  t.deepEqual(await look(site, HANG_MS / 1000), well);
  const hung = await look(site, 10);
  t.false(hung.ok);
  t.deepEqual(hung.parts.journal, {
    ok: false,
    fault: 'the disk has ended no write of the journal for 40 s',
  });
  t.deepEqual([hung.parts.intake, hung.parts.uplink], [{ ok: true }, { ok: true }]);
  site.pulses.journal.turns++;
  t.deepEqual(site.health.state(), well);
});

test('a disk that is full all the time, and one that is busy all the time, are no hang', async t => {
  const site = rig();
  site.pulses.journal.busy = true;
  for (let i = 0; i < 100; i++) {
    site.pulses.journal.turns++;
    t.deepEqual(await look(site, 10), well);
  }
});

test('the judgement is exact however rarely somebody looks', async t => {
  const site = rig();
  site.pulses.journal = { turns: 5, busy: true };
  site.health.state();
  site.pass(3_600_000);
  site.pulses.intake.turns++;
  await site.answer();
  site.pulses.journal.turns = 6; // it was idle in between, and now there is something again
  t.deepEqual(site.health.state(), well);
  site.pass(3_600_000);
  site.pulses.intake.turns++;
  await site.answer();
  t.false(site.health.state().parts.journal.ok);
});

test('an intake that makes no more rounds hangs', async t => {
  const site = rig();
  await look(site, 20);
  t.deepEqual((await look(site, 40, { intake: false })).parts.intake, {
    ok: false,
    fault: 'the intake has looked after nothing for 40 s',
  });
});

test('a disk that answers nothing hangs although nothing is to be written', async t => {
  const site = rig();
  await look(site, 20);
  const asked = site.asked();
  const state = await look(site, 100, { disk: false });
  t.is(site.asked(), asked, 'one question at a time');
  t.regex(state.parts.journal.fault ?? '', /answered no question for \d+ s/);
  await site.answer();
  t.deepEqual(await look(site, 10), well);
});

test('an uplink may rest between attempts, and one that does nothing for minutes hangs', async t => {
  const site = rig();
  site.pulses.uplink.busy = true;
  for (let i = 0; i < 20; i++) {
    site.pulses.uplink.turns++;
    t.deepEqual(await look(site, 60), well);
  }
  t.deepEqual(await look(site, 240), well);
  t.false((await look(site, 60)).parts.uplink.ok);
});

test('without an uplink there is none to hang', t => {
  const clock = { now: () => 0, monotonic: () => 0, after: () => ({ cancel() {} }) };
  const idle = { pulse: { turns: 0, busy: false } };
  const health = new Health(clock, watched({ intake: idle, journal: idle, disk: async () => {} }));
  t.deepEqual(health.state(), well);
});

test('a question that is refused is answered', async t => {
  const pulse = asking(() => Promise.reject(new Error('EIO')));
  t.deepEqual(pulse(), { turns: 0, busy: false });
  await new Promise(resolve => setImmediate(resolve));
  t.deepEqual(pulse(), { turns: 1, busy: false });
});
