import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { register } from '../../../host/cli/init.js';
import { configSchema } from '../../../host/config/schema.js';
import { parseConfig } from '../../../host/config.js';
import { runCommand, temporary } from './commands.js';

test('writes a configuration that is taken and a keyring at 0600, and says what is next', async t => {
  const directory = join(temporary(t), 'new', 'place');
  const { out, fault } = await runCommand(register, ['init', '--dir', directory, '--site', 'cellar']);
  t.is(fault, undefined);
  const file = join(directory, 'config.yaml');
  const config = parseConfig(readFileSync(file, 'utf8'), file);
  t.is(config.site, 'cellar');
  t.regex(config.gateway, /^gw-[0-9a-f]{8}$/);
  t.deepEqual(config.links.tcp?.listen, { host: '127.0.0.1', port: 7683 });
  t.is(config.uplink?.broker, 'mqtt://127.0.0.1:1883');
  t.is(statSync(join(directory, 'keyring.yaml')).mode & 0o777, 0o600);
  t.is(statSync(file).mode & 0o777, 0o600);
  t.regex(out, new RegExp(`sovereign gateway --config ${file}`));
});

test('what is commented out is true: uncommented, it is taken and shows the defaults', async t => {
  const directory = temporary(t);
  await runCommand(register, ['init', '--dir', directory]);
  const file = join(directory, 'config.yaml');
  const text = readFileSync(file, 'utf8');
  const settings = text
    .split('\n')
    .map(line => (/^\s*# ?(\s*[\w]+:|\s*- )/.test(line) ? line.replace('# ', '') : line))
    .filter(line => !/ # for example/.test(line))
    .join('\n');
  t.not(settings, text);
  const full = parseConfig(settings, file);
  const plain = parseConfig(text, file);
  t.is(full.links.serial[0].baud, 115_200);
  t.deepEqual(full.homeAssistant, { prefix: 'homeassistant' });
  t.deepEqual(Object.keys(full.panel ?? {}).sort(), ['chip', 'enclosure', 'led']);
  t.deepEqual(
    {
      ...full,
      devices: plain.devices,
      homeAssistant: undefined,
      panel: undefined,
      links: { ...full.links, serial: [], mqtt: undefined, sdk: undefined },
    },
    {
      ...plain,
      homeAssistant: undefined,
      panel: undefined,
      links: { ...plain.links, mqtt: undefined, sdk: undefined },
    },
  );
  const keys = Object.keys(configSchema.shape.journal.unwrap().shape);
  for (const key of keys) t.true(text.includes(`  ${key}:`), key);
});

test('refuses to overwrite either file, and changes nothing', async t => {
  for (const name of ['config.yaml', 'keyring.yaml']) {
    const directory = temporary(t);
    writeFileSync(join(directory, name), 'mine');
    const { fault } = await runCommand(register, ['init', '--dir', directory]);
    t.is(fault?.code, 'file-exists');
    t.is(readFileSync(join(directory, name), 'utf8'), 'mine');
    t.is(statSync(directory).nlink, 2);
    t.throws(() => statSync(join(directory, name === 'config.yaml' ? 'keyring.yaml' : 'config.yaml')));
  }
});

test('a site and a directory that YAML would take for a number or another word are texts', async t => {
  for (const word of ['123', '1e3', 'null', 'true', '0x10', '1.5']) {
    const directory = temporary(t);
    const { fault } = await runCommand(register, [
      'init',
      '--dir',
      directory,
      '--site',
      word,
      '--data',
      word,
    ]);
    t.is(fault, undefined, word);
    const config = parseConfig(readFileSync(join(directory, 'config.yaml'), 'utf8'), '/etc/config.yaml');
    t.like(config, { site: word, dataDirectory: `/etc/${word}` });
  }
  const { fault } = await runCommand(register, ['init', '--dir', temporary(t), '--data', '']);
  t.regex(fault?.message ?? '', /--data/);
});

test('refuses a site that no topic can hold', async t => {
  for (const site of ['a/b', '#', '', 'a: b', 'x'.repeat(65)]) {
    const { fault } = await runCommand(register, ['init', '--dir', temporary(t), '--site', site]);
    t.is(fault?.code, 'usage', site);
  }
});

test('--json names the files', async t => {
  const directory = temporary(t);
  const { json } = await runCommand(register, ['init', '--json', '--dir', directory]);
  t.deepEqual(json(), [{ config: join(directory, 'config.yaml'), keyring: join(directory, 'keyring.yaml') }]);
});
