/** TLS with client certificates, against a real Mosquitto with an authority of its own. */
import { spawn } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Fault } from '../../../host/fault.js';
import { mqttBroker } from '../../../host/node/broker.js';
import { tlsTextsFault } from '../../../host/node/broker-tls.js';
import { withFreshAccess } from '../../../host/node/fresh-access.js';
import type { BrokerOptions } from '../../../host/ports.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { freePort, Mosquitto } from '../../support/brokers.js';
import { Authority, type Issued } from '../../support/certificates.js';
import { needs } from '../../support/needs.js';
import { anyRandom, FakeCursor, FakeJournal, realClock, TestLog } from '../uplink/support.js';

type Tls = NonNullable<BrokerOptions['tls']>;

const QUIET = { message: async () => {}, closed: () => {} };
const DAY_MS = 86_400_000;

async function authorities(t: ExecutionContext): Promise<{ own: Authority; other: Authority } | undefined> {
  if (!needs(t, 'mosquitto') || !needs(t, 'openssl')) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'tls-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return { own: await Authority.create(directory, 'own'), other: await Authority.create(directory, 'other') };
}

/** A Mosquitto that lets in who shows a certificate of the authority; over TLS and over WebSockets in TLS. */
async function brokerOf(t: ExecutionContext, authority: Authority, { certFile, keyFile }: Issued) {
  const [mqtts, wss] = [await freePort(), await freePort()];
  const tls = [
    `cafile ${authority.file}`,
    `certfile ${certFile}`,
    `keyfile ${keyFile}`,
    'require_certificate true',
  ];
  const broker = await Mosquitto.start([
    `listener ${mqtts} 127.0.0.1`,
    ...tls,
    `listener ${wss} 127.0.0.1`,
    'protocol websockets',
    ...tls,
  ]);
  t.teardown(() => broker.stop());
  return { broker, plain: broker.url, mqtts: `mqtts://localhost:${mqtts}`, wss: `wss://localhost:${wss}` };
}

const options = (url: string, tls?: Tls): BrokerOptions => ({
  url,
  clientId: 'tls',
  protocol: '5',
  keepAliveSeconds: 30,
  connectTimeoutMs: 5000,
  cleanStart: true,
  ...(tls && { tls }),
});
const connect = (url: string, tls?: Tls) => mqttBroker.connect(options(url, tls), QUIET);

async function refused(t: ExecutionContext, url: string, tls?: Tls): Promise<Fault> {
  const fault = (await t.throwsAsync(connect(url, tls), { instanceOf: Fault })) as Fault;
  t.not(fault.remedy, '', fault.message);
  return fault;
}

const shown = ({ cert, key }: Issued) => ({ cert, key });

test('with certificates of both, readings go through, over TLS and over WebSockets', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const hour = (n: number) => new Date(Math.floor(Date.now() / 1000) * 1000 + n * 3_600_000);
  const ends = { broker: hour(2), ours: hour(1) };
  const { mqtts, wss } = await brokerOf(t, ca.own, await ca.own.issue('broker', { to: ends.broker }));
  const text = await ca.own.text();
  const tls = { ...shown(await ca.own.issue('gateway', { to: ends.ours })), ca: text };
  for (const url of [mqtts, mqtts.replace('localhost', '127.0.0.1'), wss]) {
    const session = await connect(url, tls);
    await new Promise<void>((resolve, reject) => {
      const message = { topic: 'a/b', payload: Buffer.from('x'), retain: false };
      session.publish(message, error => (error ? reject(error) : resolve()));
    });
    t.is(session.certificateEndsAt, ends.ours.getTime());
    await session.end();
  }
  const longer = shown(await ca.own.issue('gateway', { to: hour(3) }));
  const session = await connect(mqtts, { ...longer, ca: text });
  t.is(session.certificateEndsAt, ends.broker.getTime());
  await session.end();
});

test('what the broker has against our certificate is told, also where it ends the connection without a word', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const { mqtts, wss, plain } = await brokerOf(t, ca.own, await ca.own.issue('broker'));
  const now = Date.now();
  const text = await ca.own.text();
  const early = await ca.own.issue('gateway', { from: new Date(now + DAY_MS) });
  const late = await ca.own.issue('gateway', { from: new Date(now - 2 * DAY_MS) });
  const stranger = await ca.other.issue('gateway');
  for (const url of [mqtts, wss]) {
    t.like(await refused(t, url, { ca: text }), {
      code: 'broker-certificate-refused',
      message: `${url} wants a certificate of ours (certificate required)`,
    });
    const unknown = await refused(t, url, { ca: text, ...shown(stranger) });
    t.like(unknown, {
      code: 'broker-certificate-refused',
      message: `${url} does not take our certificate (unknown ca)`,
    });
    const notYet = await refused(t, url, { ca: text, ...shown(early) });
    t.is(notYet.code, 'broker-certificate-early');
    t.regex(notYet.message, /our certificate \(cert\) is not valid before 20\d\d-.*; the clock here says 20/);
    const expired = await refused(t, url, { ca: text, ...shown(late) });
    t.is(expired.code, 'broker-certificate-expired');
    t.regex(expired.message, /our certificate \(cert\) has expired at/);
  }
  const withoutTls = await refused(t, mqtts.replace('mqtts:', 'mqtt:'));
  t.is(withoutTls.code, 'broker-unreachable');
  t.regex(withoutTls.remedy, /mqtts:\/\//);
  const tooMuch = await refused(t, plain.replace('mqtt:', 'mqtts:'), { ca: text });
  t.is(tooMuch.code, 'broker-unreachable');
  t.regex(tooMuch.remedy, /speaks TLS on this port/);
});

test('TLS 1.2 has other words for the same', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const text = await ca.own.text();
  const { certFile, keyFile } = await ca.own.issue('broker');
  const port = await freePort();
  const files = ['-CAfile', ca.own.file, '-cert', certFile, '-key', keyFile];
  const server = spawn(
    'openssl',
    ['s_server', '-tls1_2', '-Verify', '1', '-verify_return_error', '-accept', `${port}`, ...files],
    { stdio: ['pipe', 'pipe', 'ignore'] }, // it ends with its input
  );
  t.teardown(() => void server.kill('SIGKILL'));
  await new Promise(resolve => server.stdout.once('data', resolve)); // ACCEPT
  const url = `mqtts://localhost:${port}`;
  t.is((await refused(t, url, { ca: text })).code, 'broker-certificate-refused');
  const late = await ca.own.issue('gateway', { from: new Date(Date.now() - 2 * DAY_MS) });
  t.is((await refused(t, url, { ca: text, ...shown(late) })).code, 'broker-certificate-expired');
});

test('somebody who answers without TLS', async t => {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const fault = await refused(t, `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`, {});
  t.is(fault.code, 'broker-no-tls');
  t.regex(fault.remedy, /8883/);
});

test('what is wrong with the broker’s certificate is told, each with its remedy', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const now = Date.now();
  const own = shown(await ca.own.issue('gateway'));
  const text = await ca.own.text();
  const cases: [Issued, Tls, string, RegExp][] = [
    [await ca.own.issue('broker'), { ca: await ca.other.text() }, 'broker-certificate-unknown', /authority/],
    [await ca.own.issue('broker'), {}, 'broker-certificate-unknown', /authority/],
    [
      await ca.own.issue('broker', { from: new Date(now + DAY_MS) }),
      { ca: text },
      'broker-certificate-early',
      /not valid yet; the clock here says/,
    ],
    [
      await ca.own.issue('broker', { from: new Date(now - 2 * DAY_MS) }),
      { ca: text },
      'broker-certificate-expired',
      /has expired; the clock here says/,
    ],
    [
      await ca.own.issue('broker', { names: ['DNS:broker.example'] }),
      { ca: text },
      'broker-certificate-name',
      /is for DNS:broker\.example/,
    ],
  ];
  for (const [issued, tls, code, message] of cases) {
    const { mqtts, wss } = await brokerOf(t, ca.own, issued);
    for (const url of [mqtts, wss]) {
      const fault = await refused(t, url, { ...own, ...tls });
      t.is(fault.code, code);
      t.regex(fault.message, message);
      t.true(fault.message.includes(url));
    }
  }
});

test('files that hold something else are told before the broker is blamed', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const { mqtts } = await brokerOf(t, ca.own, await ca.own.issue('broker'));
  const own = shown(await ca.own.issue('gateway'));
  const other = shown(await ca.own.issue('gateway'));
  const text = await ca.own.text();
  const wrong: [Tls, RegExp][] = [
    [{ ...own, ca: 'junk' }, /ca holds no certificate/],
    [{ ...own, ca: text, cert: own.key }, /cert holds no certificate/],
    [{ ...own, ca: text, key: own.cert }, /key holds no private key/],
    [{ ...own, ca: text, key: other.key }, /key is not the key of cert/],
  ];
  for (const [tls, message] of wrong) {
    const fault = await refused(t, mqtts, tls);
    t.is(fault.code, 'broker-tls-files');
    t.regex(fault.message, message);
    t.false(`${fault.message}${fault.cause}`.includes('PRIVATE KEY'));
  }
  t.is(tlsTextsFault({ ...own, ca: text }), undefined);
  t.is(tlsTextsFault(undefined), undefined);
});

test('an uplink whose certificate is not valid yet is online by itself once it is', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const { mqtts } = await brokerOf(t, ca.own, await ca.own.issue('broker'));
  // Whole seconds; the broker and we have the same clock.
  const soon = await ca.own.issue('gateway', { from: new Date(Date.now() + 4000) });
  const log = new TestLog();
  const { protocol, keepAliveSeconds, connectTimeoutMs } = options(mqtts);
  const tls = { ...shown(soon), ca: await ca.own.text() };
  const uplink = new Uplink(
    {
      broker: mqttBroker,
      journal: new FakeJournal(),
      cursor: new FakeCursor(),
      clock: realClock,
      random: anyRandom,
      log,
    },
    {
      broker: { url: mqtts, protocol, keepAliveSeconds, connectTimeoutMs, tls },
      site: 's',
      gateway: 'g',
      window: 10,
      replayPerSecond: 0,
      readingTopic: false,
      // Without the clock as the reason, the next attempt would be long after.
      minBackoffMs: 3_600_000,
      maxBackoffMs: 3_600_000,
    },
  );
  t.teardown(() => uplink.close());
  uplink.start();
  for (let tries = 0; uplink.state.name !== 'online'; tries++) {
    if (tries > 1500) return t.fail(`${uplink.state.name} ${uplink.state.fault?.message}`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  t.deepEqual(log.lines, ['uplink-waiting broker-certificate-early', 'uplink-online']);
});

test('what is renewed while the gateway runs is shown at the next connection', async t => {
  const ca = await authorities(t);
  if (ca === undefined) return;
  const { mqtts } = await brokerOf(t, ca.own, await ca.own.issue('broker'));
  const late = await ca.own.issue('gateway', { from: new Date(Date.now() - 2 * DAY_MS) });
  const { certFile: cert, keyFile: key } = late;
  const { protocol, keepAliveSeconds, connectTimeoutMs } = options(mqtts);
  const config = { broker: mqtts, protocol, keepAliveSeconds, connectTimeoutMs, ca: ca.own.file, cert, key };
  const concealed: string[] = [];
  const broker = withFreshAccess(
    mqttBroker,
    { ...config, username: 'gateway', password: 'secret' },
    'uplink',
    text => concealed.push(text),
  );
  // As a gateway that began when it was still valid: with texts of its own.
  const own = { ca: await ca.own.text(), ...shown(late) };
  await t.throwsAsync(broker.connect(options(mqtts, own), QUIET), { code: 'broker-certificate-expired' });
  const renewed = await ca.own.issue('gateway');
  await Promise.all([writeFile(cert, renewed.cert), writeFile(key, renewed.key)]);
  const session = await broker.connect(options(mqtts, own), QUIET);
  await session.end();
  await chmod(key, 0o644);
  await t.throwsAsync(broker.connect(options(mqtts, own), QUIET), { code: 'secret-readable' });
  t.deepEqual(concealed, ['secret', 'secret']);
});
