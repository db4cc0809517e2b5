/** The page of a real gateway, in a real browser: what is measured is seen, and a restart is survived. */
import test from 'ava';
import { freePort } from '../../support/brokers.js';
import { Site } from '../../support/site.js';
import { endBrowser, PATIENCE_MS, Visit } from './browser.js';
import { PageSocket } from './page-socket.js';
import { TOKEN } from './stand-in.js';

test.after.always(endBrowser);

test.serial('a gateway is killed and comes back: the page says so, and goes on', async t => {
  const [linkPort, webPort, nobody] = [await freePort(), await freePort(), await freePort()];
  const site = await Site.create({
    linkPort,
    broker: `mqtt://127.0.0.1:${nobody}`,
    extra: `web: { listen: "127.0.0.1:${webPort}", token: ${TOKEN} }`,
  });
  t.teardown(() => site.remove());
  const start = async () => {
    const gateway = site.program(['gateway']);
    t.teardown(() => gateway.end());
    await gateway.until(() => gateway.errors.includes('gateway-started'), 'gateway-started', PATIENCE_MS);
    return gateway;
  };
  const simulate = () => site.run(['simulate', '--devices', '2', '--readings', '5', '--rate', '20']);

  const first = await start();
  t.is((await simulate()).code, 0);
  const visit = await Visit.open(t, `http://127.0.0.1:${webPort}/`);
  if (visit === undefined) return;
  const { page } = visit;
  await page.waitForSelector('.cards tbody tr');
  t.is(await page.locator('.cards tbody tr').count(), 2);
  await visit.says('.concerns', /Not connected to the broker/);
  await page.locator('.cards tbody a').first().click();
  await page.waitForSelector('.plot canvas');
  await visit.says('.cards tbody tr', /temperature/);
  const before = await page.locator('.cards tbody tr').count();

  await first.end('SIGKILL');
  await visit.says('#link', /reconnecting/);
  const second = await start();
  await visit.says('#link', /live/);
  t.is((await simulate()).code, 0);
  await page.locator('.cards tbody tr').nth(before).waitFor();

  await visit.show('#/log', '.lines p');
  await visit.says('.lines p', /gateway-started/);
  await visit.show('#/uplink', '.plot canvas');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByLabel('Token', { exact: true }).fill(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  t.like(JSON.parse((await site.run(['status', '--json'])).lines.join('')), { uplink: { paused: true } });
  t.is((await second.end('SIGTERM')).code, 0);
  t.false((first.errors + second.errors).includes(TOKEN), 'the token is not in the log');
  await visit.says('#link', /reconnecting/);
  visit.judge(/ERR_CONNECTION_REFUSED|WebSocket connection to/);
});

test('a gateway whose page could be seen by others without a token does not start', async t => {
  const site = await Site.create({
    linkPort: 0,
    broker: 'mqtt://127.0.0.1:1',
    extra: 'web: { listen: "0.0.0.0:0" }',
  });
  t.teardown(() => site.remove());
  const { code, errors } = await site.run(['gateway']);
  t.is(code, 1);
  t.regex(errors, /web\.listen: 0\.0\.0\.0 .* needs web\.tokenFile, web\.cert and web\.key/);
});

test('a port that is taken costs the page alone, and is told with what to do', async t => {
  const page = await freePort();
  const extra = `web: { listen: "127.0.0.1:${page}" }`;
  const options = { broker: 'mqtt://127.0.0.1:1', extra };
  const one = await Site.create({ linkPort: await freePort(), ...options });
  const two = await Site.create({ linkPort: await freePort(), ...options });
  t.teardown(() => Promise.all([one.remove(), two.remove()]));
  const gateway = one.program(['gateway']);
  t.teardown(() => gateway.end());
  await gateway.until(() => gateway.errors.includes('gateway-started'), 'gateway-started', PATIENCE_MS);
  const socket = await PageSocket.open(`http://127.0.0.1:${page}/`);
  t.true((await socket.ask('readings', { device: 'nobody' })).code === 'device-unknown');
  socket.end();
  const other = two.program(['gateway']);
  t.teardown(() => other.end());
  await other.until(() => other.errors.includes('gateway-started'), 'gateway-started', PATIENCE_MS);
  t.regex(other.errors, new RegExp(`page-unavailable.*port-taken.*port ${page} .* is taken.*web\\.listen`));
});
