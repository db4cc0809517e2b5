import { get } from 'node:http';
import { hostname } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { silentLog } from '../../../host/node/log.js';
import { openMetrics } from '../../../host/node/metrics.js';

async function serve(t: ExecutionContext, host: string, names: readonly string[] = []) {
  const source = openMetrics({ listen: { host, port: 0 }, maxDevices: 0, names }, silentLog);
  await source.start({ request: () => ({ status: 200, headers: {}, body: 'up 1\n' }) });
  t.teardown(() => source.stop());
  return (name: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const options = { host: '127.0.0.1', port: source.port, headers: { Host: name }, agent: false };
      get(options, response => {
        let text = '';
        response.on('data', chunk => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode, text }));
      }).on('error', reject);
    });
}

test('on loopback, metrics answer to addresses and names of this machine, and to none that is led to it', async t => {
  const ask = await serve(t, '127.0.0.1', ['metrics.lan']);
  const name = hostname();
  for (const known of [
    '127.0.0.1:9090',
    '[::1]:9090',
    'localhost',
    'LOCALHOST:9090',
    name,
    `${name}.local:9090`,
  ])
    t.deepEqual(await ask(known), { status: 200, text: 'up 1\n' }, known);
  t.is((await ask('metrics.lan')).status, 200);
  for (const strange of [
    'rebound.example:9090',
    'metrics.lan.example',
    'localhost.example',
    '127.0.0.1.example',
  ]) {
    const { status, text } = await ask(strange);
    t.is(status, 421, strange);
    t.regex(text, /not known as ".*add the name to metrics\.names/);
  }
});

test('elsewhere they answer to whatever name the network has, unless names are given', async t => {
  const open = await serve(t, '0.0.0.0');
  for (const name of ['pi.example.org:9090', '192.0.2.7:9090', 'pi'])
    t.is((await open(name)).status, 200, name);
  const named = await serve(t, '0.0.0.0', ['pi.example.org']);
  t.is((await named('pi.example.org:9090')).status, 200);
  t.is((await named('192.0.2.7:9090')).status, 200);
  t.is((await named('rebound.example')).status, 421);
});
