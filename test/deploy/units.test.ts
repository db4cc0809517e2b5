/** What can be said of units, scripts and rules without installing them. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { needs } from '../support/needs.js';
import { SOURCES } from './tarball.js';

const run = promisify(execFile);
const DEPLOY = join(SOURCES, 'host/deploy');
const UNITS = join(DEPLOY, 'systemd');
/** As systemd-analyze says it, from 0 (closed) to 10; the usual service without a sandbox has 9.6. */
const MOST_EXPOSED = 1.2;

test(`no unit is exposed more than ${MOST_EXPOSED}`, async t => {
  const analyze = needs(t, 'systemd-analyze', 'systemd');
  if (analyze === undefined) return;
  // The installer is root, and has the whole machine before it.
  const services = (await readdir(UNITS)).filter(
    name => name.endsWith('.service') && name !== 'sovereign-settle.service',
  );
  t.true(services.includes('sovereign.service'));
  for (const name of services) {
    const limit = `--threshold=${10 * MOST_EXPOSED}`;
    const { stdout } = await run(analyze, [
      'security',
      '--offline=true',
      '--no-pager',
      limit,
      join(UNITS, name),
    ]).catch(error => error);
    const level = Number(/exposure level for \S+: ([\d.]+) /.exec(stdout)?.[1]);
    t.log(`${name}: ${level}`);
    t.true(level <= MOST_EXPOSED, stdout);
  }
});

test('the limits of the garbage collector are the measured ones', async t => {
  const unit = await readFile(join(UNITS, 'sovereign.service'), 'utf8');
  t.regex(unit, /^ExecStart=\S+ \/opt\/sovereign\/node --max-old-space-size=96 --max-semi-space-size=2 /m);
});

test('the scripts have nothing that shellcheck would say a word about', async t => {
  const shellcheck = needs(t, 'shellcheck');
  if (shellcheck === undefined) return;
  const scripts = ['install.sh', 'package.sh', 'sovereign'].map(name => join(DEPLOY, name));
  const all = [...scripts, join(SOURCES, 'test/deploy/boot.sh')];
  const options = ['--external-sources', '--check-sourced', `--source-path=${SOURCES}`];
  const { stdout } = await run(shellcheck, [...options, ...all]).catch(error => error);
  t.is(stdout, '');
});

test('the program that starts the gateway is in order and tells how it is used', async t => {
  const start = join(UNITS, 'start');
  t.regex((await run('perl', ['-c', start])).stderr, /syntax OK/);
  const { code, stderr } = await run(start).catch(error => error);
  t.not(code, 0);
  t.regex(stderr, /^usage: /);
  // Without a socket to notify, it just becomes the program; with one that is not there, it says so.
  t.is((await run(start, ['echo', 'became it'])).stdout, 'became it\n');
  const nowhere = { ...process.env, NOTIFY_SOCKET: '/nowhere/notify' };
  t.regex(
    (await run(start, ['true'], { env: nowhere }).catch(error => error)).stderr,
    /\/nowhere\/notify: No such file/,
  );
});

/** One line of rules: what must hold, and what is then done. */
interface Rule {
  readonly matches: readonly [key: string, equal: boolean, patterns: readonly string[]][];
  readonly assigns: readonly [key: string, operator: string, value: string][];
}

function parse(text: string): Rule[] {
  const lines = text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'));
  return lines.map(line => {
    const matches: Rule['matches'][number][] = [];
    const assigns: Rule['assigns'][number][] = [];
    let rest = line;
    while (rest !== '') {
      const part = /^([A-Z]+(?:\{[^}]*\})?)(==|!=|\+=|:=|=)"([^"]*)"(?:, )?/.exec(rest);
      if (part === null) throw new Error(`not a rule: ${rest}`);
      const [whole, key, operator, value] = part as unknown as [string, string, string, string];
      if (operator === '==' || operator === '!=') matches.push([key, operator === '==', value.split('|')]);
      else assigns.push([key, operator, value]);
      rest = rest.slice(whole.length);
    }
    return { matches, assigns };
  });
}

/** What udev makes of a device by the rules, as far as these need it (udev(7)). */
function apply(
  rules: readonly Rule[],
  device: Record<string, string>,
): { links: string[]; env: Record<string, string> } {
  const env = { ...device };
  const links: string[] = [];
  const value = (key: string) => env[/^ENV\{(.*)\}$/.exec(key)?.[1] ?? key] ?? '';
  const glob = (pattern: string) => new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  for (let at = 0; at < rules.length; at++) {
    const { matches, assigns } = rules[at]!;
    const holds = matches.every(
      ([key, equal, patterns]) => patterns.some(pattern => glob(pattern).test(value(key))) === equal,
    );
    if (!holds) continue;
    for (const [key, , text] of assigns) {
      const filled = text.replaceAll(/\$env\{(\w+)\}/g, (_, name: string) => env[name] ?? '');
      const variable = /^ENV\{(.*)\}$/.exec(key)?.[1];
      if (variable !== undefined) env[variable] = filled;
      if (key === 'SYMLINK') links.push(filled);
      if (key === 'GOTO')
        at = rules.findIndex(rule => rule.assigns.some(([k, , v]) => k === 'LABEL' && v === text));
    }
  }
  return { links, env };
}

test('each kind of board gets a name that stays, and nothing else gets one', async t => {
  const rules = parse(await readFile(join(DEPLOY, 'udev/70-sovereign.rules'), 'utf8'));
  const usb = { ACTION: 'add', SUBSYSTEM: 'tty', SUBSYSTEMS: 'usb', ID_BUS: 'usb' };
  const links = (device: Record<string, string>) => apply(rules, { ...usb, ...device }).links;
  const place = { ID_PATH_TAG: 'platform-fd500000_pcie-usb-0_1_2_1_0' };

  const pico = { ID_VENDOR_ID: '2e8a', ID_MODEL_ID: '000a', ID_SERIAL_SHORT: 'E6605838', ...place };
  t.deepEqual(links(pico), ['sovereign/pico-E6605838']);
  t.is(apply(rules, { ...usb, ...pico }).env.ID_MM_DEVICE_IGNORE, '1');
  t.deepEqual(
    links({ ID_VENDOR_ID: '303a', ID_MODEL_ID: '1001', ID_SERIAL_SHORT: '34:85:18:00:11:22', ...place }),
    ['sovereign/esp32-34:85:18:00:11:22'],
  );
  t.deepEqual(links({ ID_VENDOR_ID: '10c4', ID_MODEL_ID: 'ea60', ID_SERIAL_SHORT: '01A2B3', ...place }), [
    'sovereign/cp210x-01A2B3',
  ]);
  t.deepEqual(
    links({ ID_VENDOR_ID: '10c4', ID_MODEL_ID: 'ea60', ID_SERIAL_SHORT: '0001', ...place }),
    [`sovereign/cp210x-at-${place.ID_PATH_TAG}`],
    'as all of them are called',
  );
  t.deepEqual(links({ ID_VENDOR_ID: '1a86', ID_MODEL_ID: '7523', ...place }), [
    `sovereign/ch34x-at-${place.ID_PATH_TAG}`,
  ]);
  t.deepEqual(links({ ID_VENDOR_ID: '0403', ID_MODEL_ID: '6001', ID_SERIAL_SHORT: 'A5XK3RJT', ...place }), [
    'sovereign/ftdi-A5XK3RJT',
  ]);

  t.deepEqual(
    links({ ID_VENDOR_ID: '1546', ID_MODEL_ID: '01a8', ID_SERIAL_SHORT: '1', ...place }),
    [],
    'a GPS receiver',
  );
  t.deepEqual(links({ ...pico, ACTION: 'remove' }), []);
  t.deepEqual(links({ ...pico, SUBSYSTEM: 'block' }), [], 'the drive of BOOTSEL');
  t.deepEqual(
    apply(rules, { ACTION: 'add', SUBSYSTEM: 'tty', SUBSYSTEMS: 'platform' }).links,
    [],
    'an UART of the machine',
  );
});

test('udev takes the rules', async t => {
  const udevadm = needs(t, 'udevadm', 'udev');
  if (udevadm === undefined) return;
  const [, version] = /(\d+)/.exec((await run(udevadm, ['--version'])).stdout) ?? [];
  // `udevadm verify` is of systemd 254. Before that nothing reads rules without a running udevd.
  if (Number(version) < 254) return void t.pass(`udevadm ${version} can't verify rules`);
  const { stdout } = await run(udevadm, ['verify', join(DEPLOY, 'udev/70-sovereign.rules')]);
  t.regex(stdout, /Fail: +0/);
});
