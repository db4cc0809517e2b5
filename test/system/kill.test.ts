/** SIGKILL at random moments: of gateways, of subscribers, of devices. */
import test, { type ExecutionContext } from 'ava';
import { LiveSite, type LiveSiteOptions, pause } from '../support/live-site.js';
import { needs } from '../support/needs.js';
import { freshSeed, type Prng, prng } from '../support/prng.js';

/** Kills of gateways in all; `KILLS` for a longer run. */
const KILLS = Number(process.env.KILLS ?? 500);
const SITES: readonly Partial<LiveSiteOptions>[] = [
  { devices: 20, rate: 8, loss: { drop: 0.03, duplicate: 0.03, corrupt: 0.02, swap: 0.02 } },
  { devices: 12, rate: 10 },
  { devices: 2, rate: 4 },
  { devices: 30, rate: 4 },
];
const SUBSCRIBER_KILLS = 12;

/** A random moment in the life of a gateway, which begins now. */
async function moment(live: LiveSite, random: Prng): Promise<void> {
  const chance = random();
  if (chance < 0.5) return pause(random() * live.gateway.startMs);
  await live.gateway.serving();
  if (chance < 0.7) return pause(random() * 200);
  await live.moreReceipts(1 + Math.floor(random() * 3 * live.devices));
  // Not right behind a receipt each time.
  return pause(random() * 20);
}

function start(t: ExecutionContext, seed: number, options: Partial<LiveSiteOptions>): Promise<LiveSite> {
  t.log(`seed ${seed}`);
  // As users run it, and half of the 500 starts is loading modules, of which the bundle has fewer.
  return LiveSite.start(t, { seed, devices: 10, rate: 20, gateway: { bundle: [] }, ...options });
}

for (const [index, options] of SITES.entries()) {
  const kills = Math.ceil(KILLS / SITES.length);
  const { devices, rate } = options;
  test(`a gateway of ${devices} devices at ${rate} Hz, killed ${kills} times, loses nothing that it receipted and repeats nothing`, async t => {
    if (!needs(t, 'mosquitto')) return;
    t.timeout(KILLS * 2000 + 300_000);
    const seed = freshSeed() + index;
    const random = prng(seed);
    const live = await start(t, seed, options);
    for (let i = 0; i < kills; i++) {
      await moment(live, random);
      await live.gateway.restart();
    }
    await live.judge(t);
    const { proxy } = live;
    if (proxy) {
      t.log(proxy.counts);
      t.true(proxy.counts.dropped > 0 && proxy.counts.duplicated > 0 && proxy.counts.corrupted > 0);
    }
  });
}

test('a subscriber that is killed may repeat, and misses nothing', async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const seed = freshSeed();
  const random = prng(seed);
  const live = await start(t, seed, {});
  for (let i = 0; i < SUBSCRIBER_KILLS; i++) {
    await pause(200 + random() * 1300);
    await live.restartSubscriber();
    if (i % 4 === 3) await live.gateway.restart();
  }
  await live.judge(t, { repeats: true });
  t.true(live.ledger.repeats < live.ledger.printed);
});
