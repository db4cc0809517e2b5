/** A newcomer's way: init, one line uncommented, a gateway, devices; and what Home Assistant shows of it, with real templates. */
import { readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { Listener } from '../host/uplink/homeassistant/listener.js';
import { type Shown, shown } from '../host/uplink/homeassistant/shown.js';
import { until } from '../host/uplink/support.js';
import { freePort, Mosquitto } from '../support/brokers.js';
import { needsJinja } from '../support/jinja.js';
import { needs } from '../support/needs.js';
import { Site } from '../support/site.js';

test('devices appear, become unavailable with their gateway, and go when they are removed or it is turned off', async t => {
  if (!needs(t, 'mosquitto') || !needsJinja(t)) return;
  t.timeout(180_000);
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  const linkPort = await freePort();
  const site = await Site.create({ broker: broker.url, linkPort, extra: 'homeAssistant: {}\n' });
  t.teardown(() => site.remove());
  const text = (await readFile(site.config, 'utf8')).replace('readingTopic: false', 'readingTopic: true');
  await writeFile(site.config, text);
  const heard = await Listener.on(t, broker.url, 'homeassistant/device/#', 'sovereign/1/#');
  const gateway = site.program(['gateway']);
  t.teardown(() => gateway.end());
  await gateway.until(() => gateway.errors.includes('gateway-started'), 'a gateway');
  const link = ['--link', `tcp://127.0.0.1:${linkPort}`];
  const devices = await site.run(['simulate', '--devices', '2', '--readings', '6', '--rate', '4', ...link]);
  t.is(devices.code, 0, devices.errors);

  const isThere = (view: Shown) =>
    Object.values(view).filter(entities => Number(entities.Temperature) > 0).length === 2;
  const configs = () => [...heard.topics.keys()].filter(topic => topic.endsWith('/config')).length;
  await until(() => configs() === 3, 'three announcements', 30_000);
  await until(
    () => [...heard.topics.keys()].filter(topic => topic.endsWith('/state')).length === 2,
    'what they say',
    30_000,
  );
  await until(
    () => heard.topics.get(gatewayTopic(heard))?.includes('"backlog":0') === true,
    'a whole status',
    60_000,
  );
  const view = shown(heard.topics);
  t.true(isThere(view), JSON.stringify(view));
  const [name] = Object.keys(view).filter(key => key.startsWith('Gateway'));
  t.like(view[name!], { Uplink: 'on', Journal: 'off', Health: 'off', Backlog: '0' });
  t.true(Number(view[name!]!['Free disk space']) > 0);

  const { lines } = await site.run(['device', 'list', '--json']);
  const { device } = JSON.parse(lines[0]!) as { device: string };
  await site.run(['device', 'remove', device]);
  await until(() => configs() === 2, 'one fewer', 40_000);

  await gateway.end('SIGKILL');
  await until(() => heard.topics.get(gatewayTopic(heard))?.includes('offline') === true, 'the will', 90_000);
  const gone = shown(heard.topics);
  t.is(gone[name!]!.Uplink, 'off');
  t.deepEqual(
    new Set(Object.entries(gone).flatMap(([key, entities]) => (key === name ? [] : Object.values(entities)))),
    new Set(['unavailable']),
  );

  await writeFile(site.config, text.replace('homeAssistant: {}', ''));
  const again = site.program(['gateway']);
  t.teardown(() => again.end());
  await until(() => configs() === 0, 'nothing', 40_000);
  await again.end('SIGTERM');
});

const gatewayTopic = (heard: Listener) =>
  [...heard.topics.keys()].find(topic => /\/gateway\/[^/]+\/status$/.test(topic)) ?? '';
