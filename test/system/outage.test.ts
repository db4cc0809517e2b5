/** What is away for a while and comes back: the gateway, the broker, a cable. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { CuttableCable } from '../support/cuttable-cable.js';
import { LiveSite, pause } from '../support/live-site.js';
import { needs } from '../support/needs.js';
import { freshSeed, prng } from '../support/prng.js';

const STOPPED_MS = 30_000;
const BROKER_KILLS = 5;
const PULLS = 6;

test('a gateway that is stopped for 30 s, longer than the broker waits for it, goes on where it was', async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  // Mosquitto gives a client up after one and a half times its keep-alive.
  const live = await LiveSite.start(t, { seed, devices: 6, rate: 8, uplink: ', keepAliveSeconds: 10' });
  const { gateway, ledger } = live;
  await live.moreReceipts(100);
  gateway.signal('SIGSTOP');
  const { pid } = gateway;
  await pause(500); // what was on its way has come
  const receipted = ledger.receipted;
  await pause(STOPPED_MS);
  t.is(ledger.receipted, receipted, 'who is stopped gives no receipts');
  gateway.signal('SIGCONT');
  // Six devices have made some 1,440 readings meanwhile.
  await live.moreReceipts(6 * 8 * (STOPPED_MS / 1000));
  t.is(gateway.pid, pid);
  t.true(gateway.running);
  t.true(
    gateway.lines.some(line => /"event":"uplink-waiting"/.test(line)),
    'the broker had given it up',
  );
  await live.judge(t);
});

test('a subscriber that is stopped for 20 s misses nothing', async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  const live = await LiveSite.start(t, { seed, devices: 6, rate: 8, uplink: ', keepAliveSeconds: 10' });
  await live.moreReceipts(20);
  live.signalSubscriber('SIGSTOP');
  await pause(20_000);
  live.signalSubscriber('SIGCONT');
  await live.moreReceipts(20);
  await live.judge(t);
});

test(`a broker that stops in order and starts again ${BROKER_KILLS} times, in the middle of a window, loses nothing`, async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  const random = prng(seed);
  const live = await LiveSite.start(t, { seed, devices: 6, rate: 30 });
  for (let i = 0; i < BROKER_KILLS; i++) {
    await live.connected();
    await live.moreReceipts(Math.floor(random() * 200));
    await live.broker.kill('SIGTERM');
    await pause(random() * 300);
    await live.broker.run();
  }
  await live.judge(t);
});

test(`a broker that is killed ${BROKER_KILLS} times, and its memory with it: what it lost comes back by itself`, async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  const random = prng(seed);
  const live = await LiveSite.start(t, {
    seed,
    devices: 6,
    rate: 30,
    mosquitto: ['persistence false'],
  });
  for (let i = 0; i < BROKER_KILLS; i++) {
    await live.connected();
    await live.moreReceipts(Math.floor(random() * 200));
    // Each other time there is a queue of an absent subscriber to be lost.
    const restart = async () => {
      await live.moreReceipts(i % 2 === 0 ? 0 : 50);
      await live.broker.kill('SIGKILL');
      await pause(random() * 300);
      await live.broker.run();
    };
    if (i % 2 === 0) await restart();
    else await live.restartSubscriber('SIGTERM', restart);
  }
  await live.connected();
  await live.judge(t, { repairs: true });
  t.true(live.ledger.noticed.length > 0, 'the broker had lost nothing');
});

test(`a serial line that is pulled ${PULLS} times in the middle of a frame loses nothing`, async t => {
  const socat = needs(t, 'socat');
  if (socat === undefined || !needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const directory = await mkdtemp(join(tmpdir(), 'cable-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const cable = await CuttableCable.create(socat, directory, random);
  t.teardown(() => cable.close());
  await cable.plug();
  const live = await LiveSite.start(t, {
    seed,
    devices: 1,
    rate: 100,
    links: `serial: [{ port: "${cable.gatewayEnd}" }]`,
    link: `serial:${cable.deviceEnd}`,
  });
  for (let i = 0; i < PULLS; i++) {
    await live.moreReceipts(20 + Math.floor(random() * 100));
    await cable.cut(i % 2 === 0 ? 'up' : 'down');
    await pause(random() * 1000);
    await cable.plug();
  }
  await live.judge(t);
  t.is(cable.cuts, PULLS);
});
