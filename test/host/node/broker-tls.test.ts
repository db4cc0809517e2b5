import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { Fault } from '../../../host/fault.js';
import { mqttBroker } from '../../../host/node/broker.js';
import type { BrokerOptions } from '../../../host/ports.js';
import { freePort, Mosquitto } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';

const run = promisify(execFile);
const QUIET = { message: async () => {}, closed: () => {} };

/** A self-signed certificate of `localhost`; needs the program openssl. */
async function certificate(directory: string, name: string): Promise<void> {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.pem`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await run('openssl', ['req', '-x509', ...curve, ...files, ...subject]);
}

test('TLS with the broker’s and the client’s certificate; a stranger’s certificate is refused by name', async t => {
  if (!needs(t, 'mosquitto') || !needs(t, 'openssl')) return;
  const directory = await mkdtemp(join(tmpdir(), 'tls-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  for (const name of ['broker', 'client', 'stranger']) await certificate(directory, name);
  const port = await freePort();
  const broker = await Mosquitto.start([
    `listener ${port} 127.0.0.1`,
    `cafile ${directory}/client.pem`,
    `certfile ${directory}/broker.pem`,
    `keyfile ${directory}/broker.key`,
    'require_certificate true',
  ]);
  t.teardown(() => broker.stop());
  const read = (name: string) => readFile(join(directory, name), 'utf8');
  const own = { cert: await read('client.pem'), key: await read('client.key') };
  const options = (url: string, tls: NonNullable<BrokerOptions['tls']>): BrokerOptions => ({
    url,
    clientId: 'tls',
    protocol: '5',
    keepAliveSeconds: 30,
    connectTimeoutMs: 5000,
    cleanStart: true,
    tls,
  });
  const refused = async (url: string, tls: NonNullable<BrokerOptions['tls']>) =>
    (await t.throwsAsync(mqttBroker.connect(options(url, tls), QUIET), { instanceOf: Fault }))!.code;

  for (const host of ['localhost', '127.0.0.1']) {
    const url = `mqtts://${host}:${port}`;
    const session = await mqttBroker.connect(options(url, { ...own, ca: await read('broker.pem') }), QUIET);
    await new Promise<void>((resolve, reject) => {
      const message = { topic: 'a/b', payload: Buffer.from('x'), retain: false };
      session.publish(message, error => (error ? reject(error) : resolve()));
    });
    await session.end();
    t.is(await refused(url, { ...own, ca: await read('stranger.pem') }), 'broker-tls');
    t.is(await refused(url, own), 'broker-tls'); // no system authority knows it
  }
  // Without a certificate of our own, the broker ends the connection.
  t.regex(await refused(`mqtts://localhost:${port}`, { ca: await read('broker.pem') }), /^broker-/);
});
