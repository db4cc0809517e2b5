/** install.sh and the unit, for real: the packaged tarball, a booted systemd, no network. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { findProgram, needs, notAllowed } from '../support/needs.js';
import { becomes, cutOff, install, mainPid, mountsOf, settled, show, told } from './inside.js';
import { Machine } from './machine.js';
import { makeTarball, unpack, variant } from './tarball.js';

interface Context {
  readonly machine: Machine | string;
}
const test = anyTest as TestFn<Context>;

let machine: Machine | string = 'not begun';

test.before(async t => {
  t.timeout(180_000);
  machine = await Machine.boot();
  if (typeof machine === 'string') return;
  const at = (name: string) => join((machine as Machine).shared, name);
  await unpack(await makeTarball(at('packages')), at('first'));
  await variant(at('first'), at('second'), '0.1.1');
  await variant(at('first'), at('broken'), '0.1.2', async folder => {
    const program = join(folder, 'dist/sovereign.mjs');
    const text = await readFile(program, 'utf8');
    const broken = "if (process.argv[2] === 'gateway') throw new Error('this version is broken');\n";
    await writeFile(program, text.replace('\n', `\n${broken}`));
  });
  await variant(at('first'), at('altered'), '0.1.3');
  await writeFile(join(at('altered'), 'dist/sovereign.mjs'), '#!/usr/bin/env node\n');
});

test.after.always(async () => {
  if (typeof machine !== 'string') await machine.stop();
});

/** A test in the machine, one after the other; where none boots, says why. */
function inside(title: string, body: (t: ExecutionContext<Context>, m: Machine) => Promise<void>): void {
  test.serial(title, async t => {
    t.timeout(120_000);
    if (typeof machine === 'string') return notAllowed(t, machine);
    return body(t, machine);
  });
}

inside('refuses what it can’t install, and has touched nothing', async (t, m) => {
  const nobody = await m.sh('runuser -u nobody -- /mnt/first/install.sh');
  t.is(nobody.code, 1);
  t.regex(nobody.err, /this needs root\n {2}sudo /);

  const altered = await install(m, 'altered');
  t.is(altered.code, 1);
  t.regex(altered.err, /not those of the tarball: dist\/sovereign\.mjs: FAILED/);

  const old = join(m.shared, 'node');
  await writeFile(old, '#!/bin/sh\necho 18.19.0\n');
  await chmod(old, 0o755);
  const early = await m.run('/mnt/first/install.sh', [], { PATH: `/mnt:${process.env.PATH}` });
  t.is(early.code, 1);
  t.regex(early.err, /node is version 18\.19\.0, expected 20\.15 or later/);
  await writeFile(old, '#!/bin/sh\necho 22.20.0\n');
  const elsewhere = await m.run('/mnt/first/install.sh', [], { PATH: `/mnt:${process.env.PATH}` });
  t.is(elsewhere.code, 1);
  t.regex(elsewhere.err, /\/mnt\/node is out of the gateway's sight/);

  const site = await install(m, 'first', '--site', '../x');
  t.is(site.code, 1);
  t.regex(site.err, /--site: expected 1 to 64/);
  t.is((await install(m, 'first', '--nonsense')).code, 2);

  t.not((await m.sh('test -e /opt/sovereign || test -e /etc/sovereign || getent passwd sovereign')).code, 0);
});

inside('installs without a network, and the second time changes nothing', async (t, m) => {
  const first = await install(m, 'first', '--site', 'cellar');
  t.is(first.code, 0, told(first));
  t.regex(first.out, /runs and is healthy/);
  const modes = await m.sh(
    'stat -c "%a %U %n" /etc/sovereign /etc/sovereign/config.yaml /etc/sovereign/keyring.yaml /etc/sovereign/credentials /var/lib/sovereign /opt/sovereign/current/dist/sovereign.mjs',
  );
  t.is(
    modes.out,
    [
      '700 sovereign /etc/sovereign',
      '600 sovereign /etc/sovereign/config.yaml',
      '600 sovereign /etc/sovereign/keyring.yaml',
      '700 sovereign /etc/sovereign/credentials',
      '700 sovereign /var/lib/sovereign',
      '755 root /opt/sovereign/current/dist/sovereign.mjs',
      '',
    ].join('\n'),
  );
  t.is(await show(m, 'UnitFileState'), 'enabled');
  const verified = await m.run('systemd-analyze', [
    'verify',
    'sovereign.service',
    'sovereign-settle.service',
    'sovereign-backup.timer',
  ]);
  t.is(told(verified).trim(), '');
  t.is(await show(m, 'StatusText'), 'working');
  const pid = await mainPid(m);
  const again = await install(m, 'first');
  t.is(again.code, 0, told(again));
  t.regex(again.out, /nothing was changed/);
  t.is(await mainPid(m), pid);
});

inside('an address, a site, a data directory: the configuration is the installed one', async (t, m) => {
  const text = await readFile(m.path('/etc/sovereign/config.yaml'), 'utf8');
  t.regex(text, /^site: cellar$/m);
  t.regex(text, /^data: \/var\/lib\/sovereign$/m);
  const doctor = await m.run('sovereign', ['doctor', '--json']);
  t.regex(doctor.out, /"check":"data","state":"ok"/);
  t.regex(doctor.out, /"check":"gateway","state":"ok","text":"version \S+ runs as process/);
  t.notRegex(doctor.out, /does not let the gateway see/);
  // What the installation makes needs no word, also with a secret in it, and as an editor of root's may leave it.
  const kept =
    await m.sh(`cd /etc/sovereign && cp -p config.yaml /root && sed -i 's|^web:|&\\n  token: 0123456789abcdef|' config.yaml &&
    chmod 644 config.yaml && sovereign doctor --json; mv /root/config.yaml config.yaml`);
  t.regex(kept.out, /"check":"config","state":"ok"/, told(kept));
  t.notRegex(kept.out, /everybody on this machine/);
});

inside('doctor knows the service: stopped, with a certificate out of its sight, failed', async (t, m) => {
  const gateway = async () => {
    const { out } = await m.run('sovereign', ['doctor', '--json']);
    const findings = out.split('\n').filter(line => line.startsWith('{')) as string[];
    return findings.filter(line => line.includes('"check":"gateway"')).join('\n');
  };
  await m.run('systemctl', ['stop', 'sovereign']);
  t.regex(await gateway(), /sovereign\.service is inactive.*systemctl enable --now sovereign/);
  const file = m.path('/etc/sovereign/config.yaml');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/broker: mqtt:\S+/, 'broker: mqtts://localhost\n  ca: /home/ca.pem'));
  t.regex(await gateway(), /does not let the gateway see \/home\/ca\.pem.*BindPaths=\/home/);
  await m.run('systemctl', ['start', 'sovereign']);
  t.regex(await gateway(), /sovereign\.service (ends again and again|has failed).*journalctl -u sovereign/);
  await writeFile(file, text);
  t.is((await m.run('systemctl', ['restart', 'sovereign'])).code, 0);
  t.regex(await gateway(), /"state":"ok"/);
});

inside(
  'closed as it is, it takes readings over a serial port and over tcp, and publishes them',
  async (t, m) => {
    if (findProgram('mosquitto') === undefined) return void needs(t, 'mosquitto');
    if (findProgram('socat') === undefined) return void needs(t, 'socat');
    // A broker that wants a password, which systemd hands over; a port that a user of dialout may open.
    await writeFile(
      join(m.shared, 'mosquitto.conf'),
      'listener 1883 127.0.0.1\nallow_anonymous false\npassword_file /run/passwords\nuser root\n',
    );
    const prepared = await m.sh(`
    mosquitto_passwd -b -c /run/passwords gateway correct-horse &&
    systemd-run --quiet --unit=broker mosquitto -c /mnt/mosquitto.conf &&
    systemd-run --quiet --unit=cable socat \
      pty,raw,echo=0,link=/dev/board,group=dialout,mode=660 tcp-listen:7999,reuseaddr &&
    echo correct-horse > /etc/sovereign/credentials/mqtt-password &&
    sed -i 's|^links:|links:\\n  serial:\\n    - port: /dev/board|; s|^  broker: .*|&\\n  username: gateway\\n  passwordFile: credentials/mqtt-password|' /etc/sovereign/config.yaml &&
    mkdir -p /etc/systemd/system/sovereign.service.d &&
    printf '[Service]\\nDeviceAllow=char-pts rw\\nWatchdogSec=4\\n' > /etc/systemd/system/sovereign.service.d/test.conf`);
    t.is(prepared.code, 0, told(prepared));
    // Run again, it gives the password's file to the gateway's user; the unit has changed, so the gateway is restarted.
    const taken = await install(m, 'first');
    t.is(taken.code, 0, told(taken));
    t.is((await m.sh('stat -c "%a %U" /etc/sovereign/credentials/mqtt-password')).out, '600 sovereign\n');
    await m.run('systemctl', ['restart', 'sovereign']);
    t.true(
      await becomes(
        async () => (await m.sh('journalctl -u sovereign | grep uplink-online | tail -1')).out !== '',
      ),
    );

    const simulate = (link: string, state: string) =>
      m.run('sovereign', [
        'simulate',
        '--devices',
        '1',
        '--readings',
        '10',
        '--rate',
        '20',
        '--link',
        link,
        '--state',
        state,
        '--json',
      ]);
    const overTcp = await simulate('tcp://127.0.0.1:7683', '/var/lib/sovereign/boards-tcp');
    const overSerial = await simulate('tcp://127.0.0.1:7999', '/var/lib/sovereign/boards-serial');
    t.is(overTcp.code, 0, told(overTcp));
    t.is(overSerial.code, 0, `${told(overSerial)}${(await m.sh('journalctl -u sovereign | tail -20')).out}`);
    const receipted = [overTcp, overSerial].flatMap(({ out }) =>
      out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line)),
    );
    t.is(new Set(receipted.map(({ device }) => device)).size, 2);
    const printed = await m.run('timeout', [
      '60',
      'sovereign',
      'subscribe',
      '--from',
      'start',
      '--readings',
      `${receipted.length}`,
      '--json',
    ]);
    t.is(printed.code, 0, told(printed));
    const seen = new Set(
      printed.out
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).sha256),
    );
    t.deepEqual(
      receipted.filter(({ sha256 }) => !seen.has(sha256)),
      [],
    );

    // What the kernel says of the process that did it.
    const pid = await mainPid(m);
    const status = (await m.sh(`cat /proc/${pid}/status`)).out;
    t.regex(status, /^Seccomp:\t2$/m, 'a filter');
    t.regex(status, /^NoNewPrivs:\t1$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      t.regex(status, new RegExp(`^${set}:\\t0+$`, 'm'));
    const sees = (path: string) => m.sh(`nsenter --target ${pid} --mount ls ${path}`);
    t.not((await sees('/home')).code, 0);
    t.not((await sees('/var/log')).code, 0);
    t.regex((await sees('/run/credentials/sovereign.service')).out, /credentials_mqtt-password/);
    t.is((await sees('/etc/sovereign/credentials')).out, '', 'as a file it is out of sight');
    const mounts = await mountsOf(m, pid);
    for (const path of ['/', '/usr', '/etc', '/opt/sovereign', '/run', '/sys'])
      t.is(mounts(path).write, false, path);
    for (const path of ['/var/lib/sovereign', '/tmp', '/sys/devices/platform'])
      t.is(mounts(path).write, true, path);
    for (const path of ['/etc', '/run', '/tmp', '/var/lib/sovereign'])
      t.is(mounts(path).execute, false, path);
    const rss = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
    t.true(rss < 160, `${rss} MiB at most`);
  },
);

inside('a gateway that stands still is restarted by the watchdog', async (t, m) => {
  const pid = await mainPid(m);
  await m.sh(`kill -STOP ${pid}`);
  t.true(
    await becomes(
      async () =>
        ![pid, 0].includes(Number(await show(m, 'MainPID'))) && (await show(m, 'ActiveState')) === 'active',
    ),
  );
  t.regex((await m.sh('journalctl -u sovereign')).out, /Watchdog timeout/);
});

inside('upgrades, and keeps the version before', async (t, m) => {
  const pid = await mainPid(m);
  const upgraded = await install(m, 'second');
  t.is(upgraded.code, 0, told(upgraded));
  t.regex(upgraded.out, /0\.1\.1-\w{8} runs and is healthy/);
  t.not(await mainPid(m), pid);
  t.regex(
    (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out,
    /0\.1\.1-.*\n.*0\.1\.0-/,
  );
});

inside('a version that does not become healthy is taken back, and says what it said', async (t, m) => {
  const before = (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out;
  const broken = await install(m, 'broken');
  t.is(broken.code, 1);
  t.regex(broken.err, /0\.1\.2-\w{8} was not healthy within 15 s/);
  t.regex(broken.err, /this version is broken/);
  t.regex(broken.err, /back to 0\.1\.1-\w{8}, which is healthy/);
  t.is((await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out, before);
  t.is(await show(m, 'ActiveState'), 'active');
});

inside(
  'a power cut before a version is known to be good: the next start takes back one that is not',
  async (t, m) => {
    const before = (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out;
    await cutOff(m, 'broken');
    t.regex((await m.sh('readlink /opt/sovereign/current')).out, /0\.1\.2-/, 'it has been switched');
    t.true(await settled(m), (await m.sh('journalctl -u sovereign-settle | tail')).out);
    t.is((await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out, before);
    t.true(await becomes(async () => (await show(m, 'ActiveState')) === 'active'));
    const said = (await m.sh('journalctl -u sovereign-settle')).out;
    t.regex(said, /0\.1\.2-\w{8} was not healthy within 30 s/);
    t.regex(said, /back to 0\.1\.1-\w{8}, which is healthy/);
  },
);

inside('… and keeps one that is, with the version before to go back to', async (t, m) => {
  await cutOff(m, 'first');
  t.true(await settled(m), (await m.sh('journalctl -u sovereign-settle | tail')).out);
  t.regex(
    (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out,
    /0\.1\.0-.*\n.*0\.1\.1-/,
  );
  t.is(await show(m, 'ActiveState'), 'active');
  t.is((await m.run('systemctl', ['start', 'sovereign-settle'])).code, 0, 'then there is nothing left to do');
  // A run that was ended so, and no start of the machine: the next run goes back to what was good, not to what was begun.
  await m.run('/mnt/broken/install.sh', [], { PATH: `/mnt/cut:${process.env.PATH}` });
  const again = await install(m, 'second');
  t.is(again.code, 0, told(again));
  t.regex(
    (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out,
    /0\.1\.1-.*\n.*0\.1\.0-/,
  );
  t.not((await m.sh('test -e /opt/sovereign/pending')).code, 0);
});

inside('a configuration that a version does not take stops the upgrade, not the gateway', async (t, m) => {
  const pid = await mainPid(m);
  await m.sh('echo "sitte: cellar" >> /etc/sovereign/config.yaml');
  const refused = await install(m, 'first');
  t.is(refused.code, 1);
  t.regex(refused.err, /does not take the configuration: .*sitte/s);
  t.is(await mainPid(m), pid);
  await m.sh("sed -i '/^sitte/d' /etc/sovereign/config.yaml");
});

inside('goes back when told to', async (t, m) => {
  const back = await install(m, 'second', '--rollback');
  t.is(back.code, 0, told(back));
  t.regex(
    (await m.sh('readlink /opt/sovereign/current /opt/sovereign/previous')).out,
    /0\.1\.0-.*\n.*0\.1\.1-/,
  );
  t.is(await show(m, 'ActiveState'), 'active');
});

inside(
  'its timer’s unit backs it up, and another gateway goes on from that under the same unit',
  async (t, m) => {
    const backups = '/var/backups/sovereign';
    const backUp = () => m.run('systemctl', ['start', 'sovereign-backup.service']);
    t.is(await show(m, 'ActiveState', 'sovereign-backup.timer'), 'active');
    t.is((await backUp()).code, 0, 'without a key there is nothing to do, and nothing that fails');
    t.is((await m.sh(`ls ${backups}`)).out, '');
    const key = await m.sh('cd /root && sovereign backup key --output backup.key');
    t.regex(key.out, /^age1\w+\n$/, told(key));
    await m.sh(`echo ${key.out.trim()} > /etc/sovereign/backup.key`);
    const made = await backUp();
    t.is(made.code, 0, `${told(made)}${(await m.sh('journalctl -u sovereign-backup | tail')).out}`);
    const file = (await m.sh(`ls ${backups}/*.age`)).out.trim();
    t.is((await m.sh(`stat -c '%a %U' ${file}`)).out, '600 sovereign\n');
    const status = async () => JSON.parse((await m.run('sovereign', ['status', '--json'])).out);
    t.true(await becomes(async () => Date.now() - (await status()).lastBackupAt < 60_000), 'and is told of');
    const before = await status();

    await m.run('systemctl', ['stop', 'sovereign']);
    const page = `--key-file backup.key --dir /etc/sovereign --data /var/lib/sovereign --replace`;
    for (const command of [`backup verify ${file} --key-file backup.key`, `restore ${file} ${page}`]) {
      const ran = await m.sh(`cd /root && sovereign ${command}`);
      t.is(ran.code, 0, told(ran));
    }
    t.is(
      (await m.sh('find /etc/sovereign /var/lib/sovereign ! -user sovereign')).out,
      '/etc/sovereign/backup.key\n',
    );
    const started = await m.run('systemctl', ['start', 'sovereign']);
    t.is(started.code, 0, (await m.sh('journalctl -u sovereign | tail')).out);
    const { gateway, handover } = JSON.parse((await m.run('sovereign', ['status', '--json'])).out);
    t.not(gateway, before.gateway);
    t.deepEqual(handover.replaces, [before.gateway]);
  },
);

inside('removes the program and nothing of what was taken in; installed again, it goes on', async (t, m) => {
  const count = async () => (await m.sh('cat /var/lib/sovereign/journal/*.jsonl | grep -c bytes')).out;
  const keyring = (await m.sh('cat /etc/sovereign/keyring.yaml')).out;
  const readings = await count();
  const removed = await install(m, 'first', '--uninstall');
  t.is(removed.code, 0, told(removed));
  t.is(
    (await m.sh('ls /opt/sovereign /usr/local/bin/sovereign /etc/systemd/system/sovereign*.service')).out,
    '',
  );
  t.is(await show(m, 'LoadState'), 'not-found');
  t.is((await m.sh('cat /etc/sovereign/keyring.yaml')).out, keyring);
  t.is(await count(), readings);
  t.is((await install(m, 'first', '--uninstall')).code, 0, 'once more is no problem');

  const broken = await install(m, 'broken');
  t.is(broken.code, 1);
  t.regex(broken.err, /this version is broken/);
  t.is(await show(m, 'LoadState'), 'not-found', 'there is none to go back to, so none stays');
  t.is((await m.sh('cat /etc/sovereign/keyring.yaml')).out, keyring);

  const again = await install(m, 'first');
  t.is(again.code, 0, told(again));
  t.is((await m.sh('cat /etc/sovereign/keyring.yaml')).out, keyring);
});
