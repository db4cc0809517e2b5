/** A site whose broker lets nobody in without a certificate, and a gateway that begins without knowing the time. */
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { freePort } from '../support/brokers.js';
import { Authority } from '../support/certificates.js';
import { FakeTime, findFakeTime } from '../support/fake-time.js';
import { LiveSite } from '../support/live-site.js';
import { needs, notRun } from '../support/needs.js';
import { freshSeed } from '../support/prng.js';

const NEVER_SET = '@1970-01-01 00:00:10';
const RIGHT = '+0';

test('certificates that are not valid yet by a clock that nobody has set: everything is kept, and published once it is', async t => {
  if (!needs(t, 'mosquitto') || !needs(t, 'openssl')) return;
  const passwords = needs(t, 'mosquitto_passwd', 'mosquitto');
  if (passwords === undefined) return;
  const library = findFakeTime();
  if (library === undefined) {
    notRun(t, 'libfaketime is not installed: apt-get install faketime');
    return;
  }
  t.timeout(300_000);
  const directory = await mkdtemp(join(tmpdir(), 'tls-site-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const authority = await Authority.create(directory, 'authority');
  const broker = await authority.issue('broker');
  const client = await authority.issue('gateway');
  execFileSync(passwords, ['-b', '-c', join(directory, 'passwords'), 'gateway', 'a secret of two']);
  // As systemd hands them over, which the folder itself does not hold here.
  const secrets = { CREDENTIALS_DIRECTORY: join(directory, 'handed') };
  const [password, key] = ['mqtt-password', 'client.key'].map(name => join(directory, 'credentials', name));
  await mkdir(secrets.CREDENTIALS_DIRECTORY);
  const hand = (name: string, text: string) =>
    writeFile(join(secrets.CREDENTIALS_DIRECTORY, `credentials_${name}`), text, { mode: 0o440 });
  await hand('mqtt-password', 'a secret of two\n');
  await hand('client.key', client.key);
  const port = await freePort();
  const linkPort = await freePort();
  const ofGateway = new FakeTime(library, join(directory, 'gateway-clock'), NEVER_SET);
  const ofSubscriber = new FakeTime(library, join(directory, 'subscriber-clock'), NEVER_SET);

  const live = await LiveSite.start(t, {
    seed: freshSeed(),
    devices: 4,
    rate: 10,
    mosquitto: [
      'allow_anonymous false',
      `password_file ${directory}/passwords`,
      `listener ${port} 127.0.0.1`,
      `cafile ${authority.file}`,
      `certfile ${broker.certFile}`,
      `keyfile ${broker.keyFile}`,
      'require_certificate true',
    ],
    broker: `mqtts://localhost:${port}`,
    linkPort,
    link: `tcp://127.0.0.1:${linkPort}`,
    links: `tcp: { listen: "127.0.0.1:${linkPort}" }, mqtt: {}`,
    uplink: `, username: gateway, passwordFile: ${password}, ca: ${authority.file}, cert: ${client.certFile}, key: ${key}`,
    gateway: { env: { ...ofGateway.env, ...secrets } },
    subscribe: { env: secrets },
  });
  const { gateway, ledger } = live;
  await gateway.until(/(?=.*uplink-waiting).*broker-certificate-early/, 0);
  await gateway.until(/(?=.*mqtt-link-away).*broker-certificate-early/, 0);
  t.regex(gateway.lines.find(line => line.includes('uplink-waiting'))!, /1970-01-01.*timedatectl/);
  const late = live.site.program(['subscribe', '--id', 'late', '--json'], {
    env: { ...ofSubscriber.env, ...secrets },
  });
  t.teardown(() => late.end());
  await late.until(() => late.errors.includes('not valid yet'), 'a word of the certificate');
  await live.moreReceipts(40);
  t.is(ledger.printed, 0);

  ofGateway.set(RIGHT);
  ofSubscriber.set(RIGHT);
  await gateway.until(/uplink-online/, 0);
  await gateway.until(/mqtt-link-open/, 0);
  await late.until(() => late.errors.includes('connected to mqtts://'), 'the late subscriber');
  const waiting = gateway.lines.filter(line => /(?=.*uplink-waiting).*broker-certificate-early/.test(line));
  t.is(waiting.length, 1, 'told once, however often it was tried');
  t.false(gateway.lines.some(line => line.includes('a secret of two') || line.includes('PRIVATE KEY')));
  await live.judge(t);
});
