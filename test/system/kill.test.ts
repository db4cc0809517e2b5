import test, { type ExecutionContext } from 'ava';
import { freePort, Mosquitto } from '../support/brokers.js';
import { Ledger } from '../support/ledger.js';
import { LossyProxy } from '../support/lossy-proxy.js';
import { needs } from '../support/needs.js';
import { freshSeed, type Prng, prng } from '../support/prng.js';
import { Site } from '../support/site.js';

const DEVICES = 20;
const KILLS = 50;
const SUBSCRIBER_KILLS = 12;
const LOSS = { drop: 0.03, duplicate: 0.03, corrupt: 0.02, swap: 0.02 };

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

/** A whole site as processes: broker, gateway behind a bad link, devices, subscriber. */
async function underKills(
  t: ExecutionContext,
  seed: number,
  kill: (parts: {
    random: Prng;
    gateway: { restart(): Promise<void> };
    subscriber: { restart(): Promise<void> };
  }) => Promise<void>,
): Promise<Ledger> {
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const ledger = new Ledger();
  const broker = await Mosquitto.start(['max_queued_messages 0']);
  const linkPort = await freePort();
  const proxy = new LossyProxy(linkPort, seed, LOSS);
  const proxyPort = await proxy.listen();
  const site = await Site.create({ broker: broker.url, linkPort });

  const startGateway = () => site.program(['gateway']);
  const startSubscriber = () =>
    site.program(['subscribe', '--id', 'kill', '--json'], line => ledger.print(line));
  let subscriber = startSubscriber();
  await pause(1000); // its session stands before anything is published
  let gateway = startGateway();
  const devices = site.program(
    [
      'simulate',
      '--devices',
      `${DEVICES}`,
      '--rate',
      '20',
      '--link',
      `tcp://127.0.0.1:${proxyPort}`,
      '--json',
    ],
    line => ledger.receipt(line),
  );
  try {
    await devices.until(() => ledger.receipted > DEVICES, 'the first receipts');
    await kill({
      random,
      gateway: {
        async restart() {
          await gateway.end('SIGKILL');
          gateway = startGateway();
        },
      },
      subscriber: {
        async restart() {
          await subscriber.end('SIGKILL');
          subscriber = startSubscriber();
        },
      },
    });
    const before = ledger.receipted;
    await devices
      .until(() => ledger.receipted > before + DEVICES, 'receipts after the last kill', 90_000)
      .catch(async error => {
        const { lines } = await site.run(['status', '--json']);
        throw new Error(
          `${error}\ngateway: ${gateway.errors.slice(-4000)}\nstatus: ${lines.join('').slice(0, 8000)}`,
        );
      });
    const { code } = await devices.end('SIGTERM');
    t.is(code, 0, devices.errors);
    await subscriber
      .until(() => ledger.missing().length === 0, 'all that was receipted', 60_000)
      .catch(() => {});
    await pause(500); // what should not come has had its chance
  } finally {
    await Promise.all([gateway.end('SIGTERM'), subscriber.end('SIGTERM'), devices.end()]);
    await proxy.close();
    await broker.stop();
  }
  t.deepEqual(ledger.missing(), [], `${gateway.errors}\n${subscriber.errors}`);
  t.deepEqual(ledger.contradictions, []);
  t.true(proxy.counts.dropped > 0 && proxy.counts.duplicated > 0 && proxy.counts.corrupted > 0);
  t.log(`${ledger.receipted} receipted, ${ledger.printed} printed, ${ledger.repeats} repeated`, proxy.counts);
  await site.remove();
  return ledger;
}

test.serial(
  `a gateway killed ${KILLS} times loses nothing that it receipted and repeats nothing`,
  async t => {
    if (!needs(t, 'mosquitto')) return;
    const ledger = await underKills(t, freshSeed(), async ({ random, gateway }) => {
      for (let i = 0; i < KILLS; i++) {
        await pause(150 + random() * 1050);
        await gateway.restart();
      }
    });
    t.is(ledger.repeats, 0);
  },
);

test.serial('a subscriber that is killed too may repeat, and misses nothing', async t => {
  if (!needs(t, 'mosquitto')) return;
  const ledger = await underKills(t, freshSeed(), async ({ random, gateway, subscriber }) => {
    for (let i = 0; i < SUBSCRIBER_KILLS; i++) {
      await pause(200 + random() * 1300);
      await subscriber.restart();
      if (i % 4 === 3) await gateway.restart();
    }
  });
  t.true(ledger.repeats < ledger.printed);
});
