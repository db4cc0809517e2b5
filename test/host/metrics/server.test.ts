import { createServer } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import type { NodeStatus } from '../../../host/control/status.js';
import { MetricsServer } from '../../../host/metrics/server.js';
import { HttpListener } from '../../../host/node/http.js';
import { silentLog } from '../../../host/node/log.js';
import type { Log } from '../../../host/ports.js';
import { FakeClock } from '../../support/fake-clock.js';
import { emptyStatus } from '../control/status.js';

async function serve(
  t: ExecutionContext,
  status: () => Promise<NodeStatus> = async () => emptyStatus,
  options: { port?: number; log?: Log } = {},
) {
  const clock = new FakeClock();
  const { log = silentLog, port = 0 } = options;
  const source = new HttpListener({ host: '127.0.0.1', port, setting: 'metrics.listen' }, silentLog);
  const server = new MetricsServer({ clock, log, source }, 100, status);
  t.teardown(() => server.stop());
  await server.start();
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${source.port}${path}`, init);
  return { clock, source, server, get };
}

test('/metrics is told as Prometheus wants it; other paths and methods get a word', async t => {
  const { get } = await serve(t);
  const answer = await get('/metrics?x=1');
  t.is(answer.status, 200);
  t.is(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.regex(await answer.text(), /^sovereign_gateway_uptime_seconds 61$/m);
  const head = await get('/metrics', { method: 'HEAD' });
  t.is(head.status, 200);
  t.is(await head.text(), '');
  t.regex(await (await get('/')).text(), /metrics stand at \/metrics/);
  t.is((await get('/metrics/..')).status, 404);
  const deleted = await get('/metrics', { method: 'DELETE' });
  t.is(deleted.status, 405);
  t.is(deleted.headers.get('allow'), 'GET, HEAD');
});

test('who asks without end gets what was said within the second', async t => {
  let made = 0;
  const { get, clock } = await serve(t, async () => {
    made += 1;
    return { ...emptyStatus, uptimeMs: made * 1000 };
  });
  const uptime = async () =>
    Number(/^sovereign_gateway_uptime_seconds (\d+)$/m.exec(await (await get('/metrics')).text())![1]);
  t.deepEqual(await Promise.all([uptime(), uptime(), uptime()]), [1, 1, 1]);
  clock.advance(999);
  t.is(await uptime(), 1);
  clock.advance(1);
  t.is(await uptime(), 2);
});

test('one that takes long is waited for by all, and none is made beside it', async t => {
  let made = 0;
  let go = (_: NodeStatus) => {};
  const { get, clock } = await serve(t, () => {
    made += 1;
    return new Promise(resolve => (go = resolve));
  });
  const answers = [get('/metrics')];
  while (made === 0) await new Promise(resolve => setImmediate(resolve));
  clock.advance(60_000);
  answers.push(get('/metrics'));
  await new Promise(resolve => setTimeout(resolve, 50));
  t.is(made, 1);
  go(emptyStatus);
  for (const answer of await Promise.all(answers)) t.is(answer.status, 200);
  await get('/metrics');
  t.is(made, 1, 'it is new from when it was there');
});

test('a status that fails costs its answer alone', async t => {
  let calls = 0;
  const { get } = await serve(t, async () => {
    calls += 1;
    if (calls === 1) throw new Error('not now');
    return emptyStatus;
  });
  const failed = await get('/metrics');
  t.is(failed.status, 500);
  t.notRegex(await failed.text(), /not now/);
  t.is((await get('/metrics')).status, 200);
});

test('an address that is taken is told once, with what to do, and used once it is free', async t => {
  const other = createServer();
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const said: [string, unknown][] = [];
  const log = { ...silentLog, error: (event: string, fields: unknown) => said.push([event, fields]) };
  const { clock } = await serve(t, undefined, { port, log: log as Log });
  t.like(said, [['metrics-unavailable', { code: 'port-taken' }]]);
  t.regex(JSON.stringify(said), /metrics\.listen/);
  clock.advance(30_000);
  await new Promise(resolve => setTimeout(resolve, 50));
  t.is(said.length, 1);
  await new Promise(resolve => other.close(resolve));
  clock.advance(30_000);
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`).catch(() => undefined);
    if (answer?.status === 200) break;
    if (tries > 100) return t.fail('it does not listen');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  t.pass();
});
