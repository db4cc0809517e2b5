/** `sovereign backup` and `sovereign restore`, as processes. */
import { chmod, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { run } from '../../support/program.js';
import { oldGateway, temporary } from '../backup/rig.js';

/** A gateway that is stopped, and a desk with a key on it. */
async function desk(t: ExecutionContext) {
  const old = await oldGateway(t);
  await old.close();
  const cwd = await temporary(t);
  const sovereign = (...args: string[]) => run(args, { cwd });
  const key = await sovereign('backup', 'key', '--output', 'key');
  t.is(key.code, 0, key.errors);
  return { old, cwd, sovereign, recipient: key.lines[0]!, config: old.config.file };
}

test('a gateway that is stopped is backed up, verified and restored', async t => {
  const { old, cwd, sovereign, config } = await desk(t);
  t.is((await stat(join(cwd, 'key'))).mode & 0o777, 0o600);
  const again = await sovereign('backup', 'key', '--output', 'key');
  t.is(again.code, 1, 'a key is never overwritten');
  const made = await sovereign(
    'backup',
    '--config',
    config,
    '--to',
    '.',
    '--key-file',
    'key',
    '--journal',
    '--json',
  );
  t.is(made.code, 0, made.errors);
  const { file, devices, segments } = JSON.parse(made.lines[0]!);
  t.is(devices, 2);
  t.true(segments > 3);
  t.regex(file, /\/sovereign-cellar-gw-old-\d{8}T\d{6}Z\.tar\.age$/);
  const verified = await sovereign('backup', 'verify', file, '--key-file', 'key', '--json');
  const last = JSON.parse(await readFile(join(old.config.dataDirectory, 'last-backup.json'), 'utf8'));
  t.is(last.at, JSON.parse(verified.lines[0]!).at, 'the gateway will know of it');
  t.is(last.gateway, old.config.gateway);
  t.like(JSON.parse(verified.lines[0]!), {
    ok: true,
    gateway: 'gw-old',
    devices: 3,
    removed: 1,
    heard: 2,
    segments,
  });
  const restored = await sovereign('restore', file, '--key-file', 'key', '--dir', 'new', '--json');
  t.is(restored.code, 0, restored.errors);
  const said = JSON.parse(restored.lines[0]!);
  t.like(said, { from: 'gw-old', devices: 2, segments });
  t.regex(said.gateway, /^gw-[0-9a-f]{8}$/);
  t.regex(
    await readFile(join(cwd, 'new/config.yaml'), 'utf8'),
    new RegExp(`^gateway: ${said.gateway} `, 'm'),
  );
  const checked = await sovereign('journal', 'check', 'new/data');
  t.is(checked.code, 0, checked.errors);
  const printed = await sovereign('journal', 'cat', 'new/data', '--from', '1000');
  t.is(printed.lines.length, 1);
  t.regex(
    printed.lines[0]!,
    new RegExp(`${said.gateway} goes on for gw-old, restored from its backup of 20`),
  );
  const second = await sovereign('restore', file, '--key-file', 'key', '--dir', 'new');
  t.is(second.code, 1);
  t.regex(second.errors, /there is a gateway already: .*new\/config\.yaml.*\n.*--replace/s);
});

test('to a public key, and with a passphrase from a file', async t => {
  const { cwd, sovereign, recipient, config } = await desk(t);
  await writeFile(join(cwd, 'public'), `${recipient}\n`, { mode: 0o644 });
  for (const lock of [
    ['--recipient', recipient],
    ['--key-file', 'public'],
  ]) {
    const made = await sovereign('backup', '--config', config, '--to', 'b.age', ...lock);
    t.is(made.code, 0, made.errors);
    t.is((await sovereign('backup', 'verify', 'b.age', '--key-file', 'key')).code, 0);
  }
  const shut = await sovereign('backup', 'verify', 'b.age', '--key-file', 'public');
  t.is(shut.code, 1);
  t.regex(shut.errors, /public keys alone, which open nothing/);
  await writeFile(join(cwd, 'words'), 'six words that nobody guesses\n', { mode: 0o600 });
  const worded = await sovereign('backup', '--config', config, '--to', 'w.age', '--passphrase-file', 'words');
  t.is(worded.code, 0, worded.errors);
  t.is((await sovereign('backup', 'verify', 'w.age', '--passphrase-file', 'words')).code, 0);
  const wrong = await sovereign('backup', 'verify', 'w.age', '--key-file', 'key');
  t.is(wrong.code, 1);
  t.regex(wrong.errors, /can't be opened with this key or passphrase/);
});

test('what is wrong is named, with what to do', async t => {
  const { cwd, sovereign, config } = await desk(t);
  await writeFile(join(cwd, 'short'), 'too short\n', { mode: 0o600 });
  const backup = (...args: string[]) => sovereign('backup', '--config', config, ...args);
  const wrong: [string[], number, RegExp][] = [
    [['--key-file', 'key'], 2, /--to: expected a file or a directory/],
    [['--to', 'b.age'], 2, /no terminal to ask for a passphrase\n {2}give --key-file or --passphrase-file/],
    [
      ['--to', 'b.age', '--key-file', 'key', '--passphrase-file', 'short'],
      2,
      /either with a passphrase or to keys/,
    ],
    [['--to', 'b.age', '--passphrase-file', 'short'], 1, /has 9 characters, expected at least 12/],
    [['--to', 'b.age', '--key-file', 'none'], 1, /there is no key file .*\n {2}sovereign backup key/],
    [['--to', 'b.age', '--recipient', 'age1'], 1, /--recipient:1: expected a key of age/],
    [['--to', 'no/b.age', '--key-file', 'key'], 1, /there is no directory .*\/no\n {2}make it first/],
    [['--to', 'b.age', '--key-file', 'key', '--keep', '3'], 2, /--keep goes with a directory/],
    [['--to', 'short', '--key-file', 'key'], 1, /short is there, and is no backup/],
  ];
  for (const [args, status, expected] of wrong) {
    const { code, errors } = await backup(...args);
    t.is(code, status, `${args}: ${errors}`);
    t.regex(errors, expected);
  }
  await chmod(join(cwd, 'key'), 0o640);
  t.regex((await backup('--to', 'b.age', '--key-file', 'key')).errors, /has mode 0640.*\n {2}chmod 600 /);
  await chmod(join(cwd, 'key'), 0o600);
  const none = await sovereign('backup', 'verify', 'b.age', '--key-file', 'key');
  t.regex(none.errors, /there is no backup .*b\.age/);
  const text = await sovereign('backup', 'verify', 'short', '--key-file', 'key');
  t.regex(text.errors, /short is no file of age/);
  const name = await sovereign('restore', 'short', '--key-file', 'key', '--dir', 'new', '--gateway', 'a/b');
  t.is(name.code, 2);
  t.deepEqual((await readdir(cwd)).sort(), ['key', 'short'], 'nothing was left');
});

test('a file that the configuration names and that is not there is told before a backup is made without it', async t => {
  const { old, sovereign, config, cwd } = await desk(t);
  await unlink(join(old.root, 'tls/client.pem'));
  const { code, errors } = await sovereign(
    'backup',
    '--config',
    config,
    '--to',
    'b.age',
    '--key-file',
    'key',
  );
  t.is(code, 1);
  t.regex(errors, /uplink\.cert: .*tls\/client\.pem is not there/);
  t.deepEqual(await readdir(cwd), ['key']);
});
