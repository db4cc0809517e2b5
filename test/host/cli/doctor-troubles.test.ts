/** Each of the likeliest troubles, made for real as far as a test may, and what doctor says to it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { flashFindings } from '../../../host/cli/doctor/gateway.js';
import { register } from '../../../host/cli/doctor.js';
import { register as init } from '../../../host/cli/init.js';
import { accessCodeAs, flashBelow, isRoot } from '../../../host/node/machine.js';
import { freePort, Mosquitto, startAedes } from '../../support/brokers.js';
import { Authority } from '../../support/certificates.js';
import { needs, notAllowed } from '../../support/needs.js';
import { Site } from '../../support/site.js';
import { runCommand, temporary } from './commands.js';

interface Found {
  readonly check: string;
  readonly state: string;
  readonly text: string;
  readonly remedy?: string;
}

async function setUp(t: ExecutionContext, broker = 'mqtt://127.0.0.1:1') {
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const config = join(directory, 'config.yaml');
  const edit = (from: string | RegExp, to: string) =>
    writeFileSync(config, readFileSync(config, 'utf8').replace(from, to));
  edit('broker: mqtt://127.0.0.1:1883', `broker: ${broker}`);
  edit(/^( *listen: .*):\d+/gm, '$1:0');
  const diagnose = async () =>
    (await runCommand(register, ['doctor', '--config', config, '--json'])).json() as unknown as Found[];
  return { directory, edit, diagnose };
}

const wrong = (found: readonly Found[], check: string) =>
  found.filter(finding => finding.check === check && finding.state === 'wrong');

test('an address that another program has, and one that is not of this machine', async t => {
  const { edit, diagnose } = await setUp(t);
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  edit('metrics:\n  listen: 127.0.0.1:0', `metrics:\n  listen: 127.0.0.1:${port}`);
  edit('tcp:\n    listen: 127.0.0.1:0', 'tcp:\n    listen: 192.0.2.1:7683');
  const [tcp, metrics, ...others] = wrong(await diagnose(), 'listen');
  t.is(tcp.text, 'links.tcp.listen: 192.0.2.1:7683 is no address of this machine');
  t.is(metrics.text, `metrics.listen: 127.0.0.1:${port} is taken by another program`);
  t.is(metrics.remedy, `ss -ltnp 'sport = :${port}' shows which; or choose another port`);
  t.is(others.length, 0);
});

test('a broker that refuses the password, and a password that everybody may read, told once', async t => {
  const passwords = needs(t, 'mosquitto_passwd', 'mosquitto');
  if (passwords === undefined) return;
  const file = join(temporary(t), 'passwords');
  execFileSync(passwords, ['-b', '-c', file, 'gateway', 'right']);
  const broker = await Mosquitto.start(['allow_anonymous false', `password_file ${file}`]);
  t.teardown(() => broker.stop());
  const { directory, edit, diagnose } = await setUp(t, broker.url);
  edit('# username: gateway', 'username: gateway');
  edit('# passwordFile: mqtt-password', 'passwordFile: mqtt-password');
  const secret = join(directory, 'mqtt-password');
  writeFileSync(secret, 'wrong\n', { mode: 0o600 });
  const [refused] = wrong(await diagnose(), 'broker');
  t.regex(refused.text, /refuses the user gateway/);
  t.regex(refused.remedy!, /access list/);

  writeFileSync(secret, 'right\n');
  chmodSync(secret, 0o644);
  const [readable, ...more] = (await diagnose()).filter(({ text }) => text.includes('mqtt-password'));
  t.regex(readable.text, /everybody on this machine may use the secret/);
  t.regex(readable.remedy!, /^chmod 600 /);
  t.is(more.length, 0);
  chmodSync(secret, 0o600);
  t.deepEqual(
    (await diagnose()).filter(({ check }) => check === 'broker').map(({ state }) => state),
    ['ok'],
  );
});

test('certificates that have expired, that soon will, that are not valid yet, and files that are none', async t => {
  if (!needs(t, 'openssl')) return;
  const { directory, edit, diagnose } = await setUp(t, 'mqtts://localhost:1');
  const authority = await Authority.create(directory, 'authority');
  const now = Date.now();
  const day = 86_400_000;
  const late = await authority.issue('late', { from: new Date(now - 3 * day), to: new Date(now - day) });
  const early = await authority.issue('early', { from: new Date(now + day) });
  const short = await authority.issue('short', { from: new Date(now - day), to: new Date(now + 9 * day) });
  const long = await authority.issue('long', { from: new Date(now - day), to: new Date(now + 900 * day) });
  edit('# ca: ca.pem ', `ca: ${authority.file}\n  cert: client.pem\n  key: client.key `);
  const use = async ({ cert, key }: { cert: string; key: string }) => {
    writeFileSync(join(directory, 'client.pem'), cert);
    writeFileSync(join(directory, 'client.key'), key, { mode: 0o600 });
    return (await diagnose()).filter(({ check }) => check === 'tls');
  };
  const words = async (issued: { cert: string; key: string }) =>
    (await use(issued)).map(({ state, text }) => `${state} ${text}`).join('\n');
  t.regex(await words(late), /^wrong uplink: our certificate \(cert\) has expired at 20.*$/);
  t.regex(await words(early), /^wrong uplink: our certificate \(cert\) is not valid before 20.*$/);
  t.regex(await words(short), /ok uplink\.ca is valid until 2199-01-01\nnote uplink\.cert expires on 20/);
  t.regex(await words(long), /^ok .*\nok uplink\.cert is valid until 20/);
  t.regex(await words({ cert: long.cert, key: short.key }), /^wrong uplink: key is not the key of cert$/);
  t.regex(await words({ cert: 'junk', key: long.key }), /^wrong uplink: cert holds no certificate$/);
});

test('permissions are those of the user that the gateway runs as', async t => {
  if (!isRoot) return notAllowed(t, 'only root can ask for another user');
  const directory = temporary(t);
  chmodSync(directory, 0o755);
  const file = join(directory, 'port');
  writeFileSync(file, '');
  const modes: [mode: number, read: string, write: string][] = [
    [0o600, 'EACCES', 'EACCES'],
    [0o644, '', 'EACCES'],
    [0o666, '', ''],
  ];
  for (const [mode, read, write] of modes) {
    chmodSync(file, mode);
    t.is(await accessCodeAs('nobody', file, 'read'), read, `${mode.toString(8)}`);
    t.is(await accessCodeAs('nobody', file, 'read-write'), write, `${mode.toString(8)}`);
    t.is(await accessCodeAs(undefined, file, 'read-write'), '');
  }
  t.is(await accessCodeAs('nobody', `${file}.not`, 'read'), 'ENOENT');
});

test('what cards and eMMC tell of their wear', async t => {
  const root = temporary(t);
  const make = (name: string, facts: Record<string, string>) => {
    const disk = join(root, 'devices', name);
    mkdirSync(join(disk, `${name}p2`), { recursive: true });
    mkdirSync(join(disk, 'device'));
    for (const [fact, text] of Object.entries(facts)) writeFileSync(join(disk, 'device', fact), `${text}\n`);
    const link = join(root, name);
    symlinkSync(join(disk, `${name}p2`), link); // as /sys/dev/block/MAJOR:MINOR
    return flashBelow(link);
  };
  t.deepEqual(await make('card', { type: 'SD' }), { kind: 'SD' });
  t.deepEqual(await make('emmc', { type: 'MMC', life_time: '0x02 0x01' }), { kind: 'MMC', usedPercent: 20 });
  t.deepEqual(await make('worn', { type: 'MMC', life_time: '0x0a 0x0b' }), { kind: 'MMC', usedPercent: 110 });
  t.deepEqual(await make('mute', { type: 'MMC', life_time: '0x00 0x00' }), { kind: 'MMC' });
  t.is(await make('ssd', { model: 'x' }), undefined);

  const says = (...of: Parameters<typeof flashFindings>) =>
    flashFindings(...of).map(({ state, text }) => `${state} ${text}`);
  t.deepEqual(says({ kind: 'SD' }, undefined), [
    'note the data is on an SD card, which does not tell how worn it is',
  ]);
  t.deepEqual(says({ kind: 'SD' }, 1e12), []);
  t.deepEqual(says({ kind: 'MMC', usedPercent: 20 }, undefined), [
    'ok the eMMC has spent up to 20 % of its life',
  ]);
  t.deepEqual(says({ kind: 'MMC', usedPercent: 90 }, 1e12), [
    'note the eMMC has spent up to 90 % of its life',
  ]);
  t.deepEqual(says({ kind: 'MMC', usedPercent: 110 }, 1e12), ['wrong the eMMC has spent all of its life']);
});

test('a gateway that runs is asked instead of tried', async t => {
  const broker = await startAedes();
  t.teardown(() => broker.stop());
  const site = await Site.create({
    broker: broker.url,
    linkPort: await freePort(),
    uplink: ', protocol: 3.1.1',
  });
  t.teardown(() => site.remove());
  const gateway = site.program(['gateway']);
  t.teardown(() => gateway.end());
  await gateway.until(() => gateway.errors.includes('uplink-online'), 'a broker');
  const { lines, code, errors } = await site.run(['doctor', '--json']);
  t.is(code, 0, `${lines.join('\n')}${errors}`);
  const found = lines.map(line => JSON.parse(line) as Found);
  t.regex(found.find(({ check }) => check === 'gateway')!.text, /^version \S+ runs as process \d+ for/);
  t.regex(found.find(({ check }) => check === 'broker')!.text, /^the gateway is connected with mqtt:/);
  t.deepEqual(wrong(found, 'listen'), []);
});
