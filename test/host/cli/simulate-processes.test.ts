import test from 'ava';
import { Bottleneck, type Progress } from '../../../host/cli/simulate/bottleneck.js';
import { freePort } from '../../support/brokers.js';
import { Site } from '../../support/site.js';

test('devices in several processes: every reading once, the same devices in whichever they run', async t => {
  const linkPort = await freePort();
  const site = await Site.create({ broker: `mqtt://127.0.0.1:${await freePort()}`, linkPort });
  t.teardown(() => site.remove());
  const gateway = site.program(['gateway']);
  t.teardown(() => gateway.end());
  await gateway.until(() => gateway.errors.includes('gateway-started'), 'the start of the gateway');
  const seen = new Map<string, Set<number>>();
  for (const [run, processes] of ['3', '2', '1'].entries()) {
    const args = ['simulate', '--devices', '5', '--rate', '50', '--readings', '20', '--json'];
    const { code, lines, errors } = await site.run([...args, '--processes', processes]);
    t.is(code, 0, errors);
    t.regex(errors, /^5 devices: 100 readings sealed, 100 receipted, 0 lost$/m);
    const devices = new Set<string>();
    for (const line of lines) {
      const { device, epoch, seq } = JSON.parse(line) as { device: string; epoch: number; seq: number };
      const place = epoch * 65_536 + seq;
      const places = seen.get(device) ?? new Set();
      t.false(places.has(place), 'a reading is receipted twice');
      seen.set(device, places.add(place));
      devices.add(device);
    }
    t.is(lines.length, 100);
    t.is(devices.size, 5);
    t.is(seen.size, 5, `run ${run} has other devices`);
  }
});

test('that the gateway is away is said once; a signal ends all of them in order', async t => {
  const site = await Site.create({ broker: 'mqtt://127.0.0.1:1', linkPort: await freePort() });
  t.teardown(() => site.remove());
  const args = ['simulate', '--devices', '2', '--rate', '1', '--processes', '2'];
  const run = site.program(args);
  await run.until(() => /no gateway at/.test(run.errors), 'word of the missing gateway');
  t.is(run.errors.match(/no gateway at/g)?.length, 1, 'said once, not by each process');
  const { code } = await run.end('SIGTERM');
  t.is(code, 0);
});

const WHOLE: Progress = { sealed: 0, receipted: 0, lost: 0, recovered: 0, steady: true, busy: 1 };

/** What is said in so many seconds. */
function said(progress: Partial<Progress>, perSecond: number, seconds = 10): string[] {
  const bottleneck = new Bottleneck(10_000, 1, 4);
  const texts: (string | undefined)[] = [];
  for (let i = 0; i < seconds; i++)
    texts.push(bottleneck.look({ ...WHOLE, sealed: i * perSecond, ...progress }, i * 1000));
  return texts.filter(text => text !== undefined);
}

test('simulate says once that it is the bottleneck: busy without a pause, and behind', t => {
  const [text, ...more] = said({}, 6000);
  t.regex(text, /its devices make 6,000 of 10,000 readings a second, in 1 process without a pause/);
  t.regex(text, /give --processes 2/);
  t.deepEqual(more, []);
  t.deepEqual(said({}, 6000, 3), [], 'three looks in a row after the first');
  t.deepEqual(said({ busy: 0.9 }, 6000), [], 'a machine that leaves it no time is not its fault');
  t.deepEqual(said({}, 9600), [], 'it makes what was asked for');
  t.deepEqual(said({ steady: false }, 6000), [], 'devices are still starting, or done');
});

test('where every core has a process, more of them are no remedy', t => {
  const bottleneck = new Bottleneck(10_000, 2, 2);
  let text: string | undefined;
  for (let i = 0; text === undefined && i < 10; i++)
    text = bottleneck.look({ ...WHOLE, sealed: i * 100 }, i * 1000);
  t.regex(text ?? '', /in 2 processes without a pause; this machine has 2 cores: ask for less/);
});
