import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import type { FleetItem } from '../../../host/web/messages.js';
import type { WebOptions } from '../../../host/web/server.js';
import { PageSocket } from './page-socket.js';
import { StandIn, serve, TOKEN } from './stand-in.js';

async function served(t: ExecutionContext, options: Partial<WebOptions> = {}) {
  const standIn = new StandIn();
  const site = await serve(standIn, options);
  t.teardown(() => site.stop());
  const open = async (origin?: string, host?: string) => {
    const page = await PageSocket.open(site.url, origin, host);
    t.teardown(() => page.end());
    return page;
  };
  return { standIn, open, ...site };
}

/** `fetch` would not let us say another Host. */
function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
    (resolve, reject) => {
      const request = httpRequest({ port, host: '127.0.0.1', path, headers, method }, response => {
        let text = '';
        response.setEncoding('utf8').on('data', chunk => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      });
      request.on('error', reject).end();
    },
  );
}

test('the files come with a strict policy, and again only when they have changed', async t => {
  const { port } = await served(t);
  const page = await get(port, '/');
  t.is(page.status, 200);
  const policy = String(page.headers['content-security-policy']);
  t.true(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self'"));
  t.false(policy.includes('unsafe'));
  t.is(page.headers['x-content-type-options'], 'nosniff');
  t.is(page.headers['referrer-policy'], 'no-referrer');
  t.notRegex(
    page.text,
    /<script(?![^>]*src=)|<style|style=|\son\w+=|https?:\/\//,
    'nothing inline, nothing from elsewhere',
  );
  const script = await get(port, '/app.js?whatever');
  t.regex(String(script.headers['content-type']), /^text\/javascript/);
  const again = await get(port, '/app.js', { 'If-None-Match': String(script.headers.etag) });
  t.is(again.status, 304);
  t.is(again.headers['content-length'], undefined);
  t.is((await get(port, '/', {}, 'HEAD')).text, '');
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/constructor', '/index.html', '//app.js'])
    t.is((await get(port, path)).status, 404, path);
  t.is((await get(port, '/', {}, 'DELETE')).status, 405);
  t.is(
    (await get(port, '/nothing')).headers['content-security-policy'],
    page.headers['content-security-policy'],
  );
});

test('only a name of this machine is answered: a foreign one that leads here is a foreign page', async t => {
  const { port, open } = await served(t, { names: ['Gateway.lan'] });
  for (const host of [`127.0.0.1:${port}`, 'localhost', `[::1]:${port}`, '192.168.1.7', 'gateway.lan:80'])
    t.is((await get(port, '/', { Host: host })).status, 200, host);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    'localhost.evil',
    'a b',
  ]) {
    const { status, text } = await get(port, '/', { Host: host });
    t.is(status, 421, host);
    t.regex(text, /web\.names/);
  }
  await t.throwsAsync(open('http://evil.example', 'evil.example'), { message: '421' });
});

test('only its own page may open the WebSocket', async t => {
  const { open, port } = await served(t);
  for (const origin of [
    'http://evil.example',
    'null',
    'http://127.0.0.1',
    'file://',
    `http://127.0.0.1:${port}.evil.example`,
    '',
  ])
    await t.throwsAsync(open(origin), { message: '403' }, origin);
  t.is((await open()).hello.gateway, 'gw-1');
});

test('without the token it may look and change nothing; with it, it may', async t => {
  const { standIn, open } = await served(t, { token: TOKEN });
  const page = await open();
  t.like(page.hello, { open: 'read', token: true });
  t.true((await page.ask('status')).ok);
  for (const call of ['pause', 'resume', 'drain', 'quarantine-release', 'log-level'])
    t.like(await page.ask(call, argsOf(call)), { ok: false, code: 'locked' });
  t.like(await page.ask('unlock', { token: 'something-else-altogether' }), {
    ok: false,
    code: 'wrong-token',
  });
  t.like(await page.ask('pause'), { ok: false, code: 'locked' });
  t.true((await page.ask('unlock', { token: TOKEN })).ok);
  t.true((await page.ask('pause')).ok);
  t.deepEqual(standIn.changes, ['pause']);
  const other = await open();
  t.like(await other.ask('resume'), { ok: false, code: 'locked' }, 'each page for itself');
});

const argsOf = (call: string) =>
  call === 'quarantine-release' ? { id: '1-1' } : call === 'log-level' ? { level: 'debug' } : {};

test('a gateway without a token changes nothing for anybody', async t => {
  const { standIn, open } = await served(t);
  const page = await open();
  t.false(page.hello.token);
  t.like(await page.ask('unlock', { token: '' }), { ok: false, code: 'no-token' });
  t.like(await page.ask('pause'), { ok: false, code: 'locked' });
  t.deepEqual(standIn.changes, []);
});

test('where other machines reach it, nothing is shown without the token', async t => {
  const { open } = await served(t, { token: TOKEN, guarded: true });
  const page = await open();
  t.is(page.hello.open, 'nothing');
  for (const call of ['status', 'devices', 'tail', 'log', 'fleet'])
    t.like(await page.ask(call), { ok: false, code: 'locked' }, call);
  t.true((await page.ask('unlock', { token: TOKEN })).ok);
  t.true((await page.ask('status')).ok);
});

test('pages that wait for a token keep nobody out who has it', async t => {
  const { open } = await served(t, { token: TOKEN, guarded: true });
  const owner = await open();
  await owner.ask('unlock', { token: TOKEN });
  const first = await open();
  const ended = once(first.socket, 'close');
  const others = [];
  for (let i = 1; i < 8; i++) others.push(await open());
  const late = await open();
  t.is((await ended)[0], 1008, 'the one that has waited longest makes room');
  t.like(await late.ask('unlock', { token: TOKEN }), { ok: true });
  for (const page of [owner, late]) t.like(await page.ask('status'), { ok: true });
  for (const page of others) t.like(await page.ask('status'), { code: 'locked' });
});

test('the fleet is told whole, and then by what has changed', async t => {
  const { standIn, open } = await served(t);
  standIn.addDevices(3);
  const page = await open();
  await page.ask('fleet');
  const told = () => (page.told.get(page.last) ?? []).map(({ item }) => item as FleetItem);
  await page.until(() => told().length > 0);
  t.is(told()[0]!.devices.length, 3);
  t.true(told()[0]!.whole);
  t.deepEqual(told()[0]!.devices[0]!.values, [{ n: 'temperature', u: 'Cel', v: 20.1 }]);
  const [first, second] = standIn.devices;
  standIn.measure(first!, [
    { n: 'temperature', u: 'Cel', v: 33 },
    { n: 'raw', vd: 'AAAA' },
  ]);
  delete second!.seq;
  await page.until(() => told().some(({ whole, devices }) => !whole && devices.length > 0));
  const { devices } = told().find(({ whole, devices }) => !whole && devices.length > 0)!;
  t.deepEqual(
    devices.map(({ id }) => id),
    [first!.id, second!.id],
  );
  t.deepEqual(devices[0]!.values, [{ n: 'temperature', u: 'Cel', v: 33 }]);
  t.is(devices[0]!.name, undefined, 'what has not changed is not told');
  t.is(devices[1]!.seq, null, 'what is no longer there is');
  standIn.devices.pop();
  await page.until(() => told().some(({ gone }) => gone.length > 0));
});

test('a stream ends when it is told to, and with its page', async t => {
  const { standIn, open } = await served(t);
  standIn.addDevices(1);
  const page = await open();
  await page.ask('tail');
  const stream = page.last;
  standIn.measure(standIn.devices[0]!, []);
  await page.until(() => page.told.get(stream)?.length === 1);
  page.socket.send(JSON.stringify({ stop: stream }));
  await page.ask('status');
  standIn.measure(standIn.devices[0]!, []);
  await page.ask('status');
  t.is(page.told.get(stream)?.length, 1);
  // A stop that follows at once ends what has hardly begun.
  page.socket.send(`{"ask":70,"call":"tail"}`);
  page.socket.send(`{"stop":70}`);
  await page.ask('tail');
  await page.ask('log');
  page.end();
  const other = await open();
  await other.ask('status');
  t.is(standIn.watchers, 0);
});

test('whatever else a page sends costs its connection alone', async t => {
  const { open } = await served(t);
  const bad = [
    '',
    '[]',
    '7',
    'null',
    '{"call":"status"}',
    '{"ask":-1,"call":"status"}',
    '{"ask":1,"call":"unlock","token":7}',
  ];
  for (const text of bad) {
    const page = await open();
    page.socket.send(text);
    t.is(await page.closed(), 1008, text);
  }
  const patient = await open();
  t.like(await patient.ask('no-such-call'), { ok: false, code: 'unknown-call' });
  t.like(await patient.ask('checkpoint'), { ok: false, code: 'unknown-call' }, 'for the commands alone');
  t.like(await patient.ask('device', { device: 7 }), { ok: false, code: 'bad-request' });
  const hasty = await open();
  for (let i = 0; i < 200; i++) hasty.socket.send(`{"ask":${i},"call":"status"}`);
  t.is(await hasty.closed(), 1008);
  const greedy = await open();
  for (let i = 0; i < 8; i++) t.true((await greedy.ask('tail')).ok);
  t.like(await greedy.ask('tail'), { ok: false, code: 'bad-request' });
});

test('readings that hold one record each add up to what a device measures', async t => {
  const { standIn, open } = await served(t);
  const device = standIn.addDevice({ id: '00000000000000b1' });
  const page = await open();
  await page.ask('fleet');
  const values = () => {
    const items = (page.told.get(page.last) ?? []).map(({ item }) => item as FleetItem);
    return items.flatMap(({ devices }) => devices).at(-1)?.values;
  };
  await page.until(() => page.told.has(page.last));
  standIn.measure(device, [{ n: 'supply', u: 'V', v: 3.3 }]);
  standIn.measure(device, [{ n: 'door', vb: true }]);
  standIn.measure(device, [{ n: 'uptime', v: 5 }], { kind: 'heartbeat' });
  standIn.measure(device, [{ n: 'supply', u: 'V', v: 3.2 }]);
  for (let i = 0; i < 9; i++) standIn.measure(device, [{ n: `more-${i}`, v: i }]);
  await page.until(() => values()?.length === 4);
  t.deepEqual(values(), [
    { n: 'door', vb: true },
    { n: 'more-0', v: 0 },
    { n: 'more-1', v: 1 },
    { n: 'supply', u: 'V', v: 3.2 },
  ]);
});
