import test from 'ava';
import type { WebOptions } from '../../../host/web/server.js';
import { endBrowser, Visit } from './browser.js';
import { StandIn, serve, TOKEN } from './stand-in.js';

test.after.always(endBrowser);

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const VIEWS = [
  ['#/fleet', '.cards tbody tr'],
  ['#/device/aaaaaaaaaaaa0001', '.plot canvas'],
  ['#/uplink', '.plot canvas'],
  ['#/quarantine/1-100', '.hex'],
  ['#/log', '.lines p'],
  ['#/gateway', '.facts dd'],
] as const;

/** A fleet with something of everything. */
function fleet(devices = 3): StandIn {
  const standIn = new StandIn();
  standIn.addDevices(devices);
  const [first, second] = standIn.devices;
  for (let i = 0; i < 30; i++)
    standIn.measure(first!, [{ n: 'air', u: 'Cel', v: 20 + i / 10 }], { at: Date.now() - 60_000 * (30 - i) });
  Object.assign(second!, { silent: true, online: false, gaps: 2, counts: { stale: 1 } });
  standIn.items.push({
    id: '1-100',
    at: Date.now(),
    reason: 'mac',
    link: 'tcp:192.0.2.9',
    authentic: false,
    bytes: 48,
  });
  standIn.status.quarantine = { bytes: 48, kept: 1, dropped: {}, reasons: { mac: 1 }, evidence: 0 };
  standIn.status.counters = { frames: 33 };
  for (let i = 0; i < 100; i++) standIn.backlog.points.push([Date.now() - 60_000 * (100 - i), i]);
  standIn.log('warn', 'device-silent', { device: 'probe-0002' });
  return standIn;
}

async function visited(
  t: Parameters<typeof Visit.open>[0],
  standIn: StandIn,
  web: Partial<WebOptions> = {},
  options = {},
) {
  const site = await serve(standIn, web);
  t.teardown(() => site.stop());
  const visit = await Visit.open(t, site.url, options);
  return visit && { visit, page: visit.page, site };
}

test.serial(
  'the first look: what is silent, what is missing, what is refused and why, and every device',
  async t => {
    const seen = await visited(t, fleet());
    if (seen === undefined) return;
    const { visit, page } = seen;
    await page.waitForSelector('.cards tbody tr');
    t.is(await page.locator('.cards tbody tr').count(), 3);
    t.is(await page.title(), 'Fleet · gw-1');
    const told = await page.locator('.concerns').innerText();
    t.regex(told, /1 device silent: probe-0002/);
    t.regex(told, /1 device with missing readings: probe-0002/);
    t.regex(told, /1 message was refused: 1 with a wrong seal/);
    t.regex(await visit.text('.cards tbody tr'), /probe-0002[\s\S]*silent/, 'the worst first');
    const painted = await page.evaluate<number>(
      "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0",
    );
    t.log(`painted after ${Math.round(painted)} ms`);
    t.true(painted > 0);
    visit.judge();
  },
);

test.serial('what happens is seen as it happens: in the fleet, in a plot, in the log', async t => {
  const standIn = fleet();
  const seen = await visited(t, standIn);
  if (seen === undefined) return;
  const { visit, page } = seen;
  const third = standIn.devices[2]!;
  await visit.says('.cards tr', /probe-0003[\s\S]*20\.3 °C/);
  standIn.measure(third, [{ n: 'temperature', u: 'Cel', v: 41.5 }]);
  await visit.says('.cards tr', /probe-0003[\s\S]*41\.5 °C/);

  await page.getByRole('link', { name: 'probe-0003' }).click();
  await visit.says('.plot .value', /41\.5 °C/);
  const ink = async () => (await page.locator('.plot canvas').screenshot()).toString('base64');
  const before = await ink();
  standIn.measure(third, [{ n: 'temperature', u: 'Cel', v: -7 }]);
  await visit.says('.plot .value', /-7 °C/);
  t.not(await ink(), before, 'the plot is another');
  await visit.says('.cards tbody tr', /1\/2\s*temperature -7 °C/);

  await visit.show('#/log', '.lines p');
  standIn.log('error', 'journal-stalled', { error: 'no space left' });
  await visit.says('.lines .error', /journal-stalled/);
  visit.judge();
});

test.serial(
  'a thousand devices: a screenful is drawn, all are counted and found, and all of them may change',
  async t => {
    const standIn = fleet(1000);
    const seen = await visited(t, standIn);
    if (seen === undefined) return;
    const { visit, page } = seen;
    await page.waitForSelector('.cards tbody tr');
    await visit.says('.tile', /Devices\s*1,000/);
    t.is(await page.locator('.cards tbody tr').count(), 60);
    t.true((await page.evaluate<number>('document.querySelectorAll("*").length')) < 3000);
    await page.evaluate(`
    changes = 0;
    new MutationObserver(list => { changes += list.length; })
      .observe(document.body, { childList: true, subtree: true, characterData: true });
  `);
    for (const device of standIn.devices) standIn.measure(device, [{ n: 'temperature', u: 'Cel', v: 99.5 }]);
    await visit.says('.cards tr', /probe-0060[\s\S]*99\.5 °C/);
    const changes = await page.evaluate<number>('changes');
    t.log(`${changes} changes of the document`);
    t.true(changes < 2000, 'only what is seen is drawn');
    await page.getByRole('button', { name: /Show 240 more of 1,000/ }).click();
    t.is(await page.locator('.cards tbody tr').count(), 300);
    await page.getByRole('searchbox').fill('0777');
    await visit.says('.cards tr', /probe-0777/);
    t.is(await page.locator('.cards tbody tr').count(), 1);
    visit.judge();
  },
);

test.serial('devices that are not listed are counted, and spoken of', async t => {
  const standIn = fleet(5);
  standIn.unlisted = 904;
  const seen = await visited(t, standIn);
  if (seen === undefined) return;
  const { visit } = seen;
  await visit.says('.tile', /Devices\s*909/);
  await visit.says('main', /5 of 909, of which 904 are not listed: heard longest ago, and not silent/);
  visit.judge();
});

test.serial('names and texts of an attacker are shown as they are, and are never markup', async t => {
  const evil = '<img src=x onerror=alert(1)>';
  const standIn = fleet();
  const [device] = standIn.devices;
  device!.name = evil;
  device!.restart = evil;
  device!.counts = { stale: 1 };
  device!.settings = { version: 1, acknowledged: 0, supported: true, fault: evil };
  standIn.measure(device!, [
    { n: evil, u: evil, v: 1 },
    { n: 'text', vs: '<script>alert(2)</script>' },
  ]);
  standIn.items[0] = { ...standIn.items[0]!, name: evil, device: device!.id, detail: evil, link: evil };
  standIn.status.quarantine = { ...standIn.status.quarantine, reasons: { [evil]: 1 } };
  standIn.status.uplink = { ...standIn.status.uplink!, state: 'waiting', fault: evil, broker: evil };
  const seen = await visited(t, standIn);
  if (seen === undefined) return;
  const { visit, page } = seen;
  await page.waitForSelector('.cards tbody tr');
  for (const [hash, selector] of VIEWS) {
    await visit.show(hash, selector);
    if (hash === '#/log') standIn.log('warn', evil, { name: evil });
    if (hash !== '#/gateway') await visit.says('main', new RegExp(evil.replace(/[()]/g, '\\$&')));
    t.is(await page.locator('main img, main script, #view iframe').count(), 0, hash);
  }
  t.true((await page.title()).length > 0);
  visit.judge();
});

test.serial(
  'without the token it looks; with it, it changes something; the token is in no address',
  async t => {
    const standIn = fleet();
    const seen = await visited(t, standIn, { token: TOKEN });
    if (seen === undefined) return;
    const { visit, page } = seen;
    await page.waitForSelector('.cards tbody tr');
    await visit.show('#/uplink', '.plot canvas');
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.click();
    await page.getByLabel('Token', { exact: true }).fill('not-the-token-at-all');
    await page.getByRole('button', { name: 'Unlock' }).click();
    await visit.says('#token-wrong', /not the token/);
    t.deepEqual(standIn.changes, []);
    await page.getByLabel('Token', { exact: true }).fill(TOKEN);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    t.deepEqual(standIn.changes, ['pause']);

    await page.reload();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    t.deepEqual(
      standIn.changes,
      ['pause', 'resume'],
      'as long as the tab is open, it is not asked for again',
    );
    await visit.show('#/quarantine/1-100', '.hex');
    await page.getByRole('button', { name: 'Try again now' }).click();
    await visit.says('main', /still refuses it: with a wrong seal/);
    await page.getByRole('button', { name: /lock again/ }).click();
    await page.getByRole('button', { name: /Only looking/ }).waitFor();
    await visit.says('#link', /live/);
    t.is(await page.evaluate('sessionStorage.length'), 0);
    t.false(visit.asked.some(url => url.includes(TOKEN)));
    visit.judge();
  },
);

test.serial('where other machines reach it, it shows nothing before the token', async t => {
  const seen = await visited(t, fleet(), { token: TOKEN, guarded: true });
  if (seen === undefined) return;
  const { visit, page } = seen;
  await visit.says('#token-why', /shows nothing without its token/);
  t.notRegex(await page.content(), /probe-/);
  await page.getByLabel('Token', { exact: true }).fill(TOKEN);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.cards tbody tr');
  await page.reload();
  await page.waitForSelector('.cards tbody tr');
  t.false(await page.locator('dialog').isVisible());
  visit.judge();
});

test.serial(
  'light and dark: as the system has it, or as somebody chooses, from the first paint on',
  async t => {
    const seen = await visited(t, fleet(), {}, { colorScheme: 'dark' });
    if (seen === undefined) return;
    const { visit, page } = seen;
    const ground = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = (colour: string) => Number(/\d+/.exec(colour)![0]) > 128;
    await page.waitForSelector('.cards tbody tr');
    t.false(light(await ground()));
    await page.getByRole('button', { name: /Colours/ }).click();
    t.true(light(await ground()));
    await page.reload({ waitUntil: 'domcontentloaded' });
    t.true(light(await ground()));
    await page.getByRole('button', { name: 'Colours: light' }).click();
    await page.getByRole('button', { name: 'Colours: dark' }).click();
    await page.emulateMedia({ colorScheme: 'light' });
    t.true(light(await ground()));
    visit.judge();
  },
);

for (const [name, options] of [
  ['desk, light', { colorScheme: 'light' }],
  ['phone, dark', { ...PHONE, colorScheme: 'dark' }],
] as const)
  test.serial(`every view is without barriers and nothing sticks out: ${name}`, async t => {
    const seen = await visited(t, fleet(), { token: TOKEN }, options);
    if (seen === undefined) return;
    const { visit, page } = seen;
    await page.waitForSelector('.cards tbody tr');
    for (const [hash, selector] of VIEWS) {
      await visit.show(hash, selector);
      t.deepEqual(await visit.barriers(), [], hash);
      const [needed, there] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, innerWidth]',
      );
      t.true(needed <= there, `${hash} is ${needed} wide, the window ${there}`);
    }
    visit.judge();
  });
