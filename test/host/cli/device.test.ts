import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { fromHex, KeyChain, toHex } from '../../../firmware/seal/index.js';
import { register as device } from '../../../host/cli/device.js';
import { register as init } from '../../../host/cli/init.js';
import { Keyring } from '../../../host/keyring/file.js';
import { ratchet } from '../../../host/keyring/provision.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { type Outcome, runCommand, temporary } from './commands.js';

async function setUp(t: ExecutionContext) {
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const file = join(directory, 'keyring.yaml');
  return {
    directory,
    file,
    keyring: () => Keyring.parse(readFileSync(file, 'utf8'), file),
    run: (...args: string[]): Promise<Outcome> =>
      runCommand(device, ['device', ...args, '--config', join(directory, 'config.yaml')]),
  };
}

test('add prints what provisioning needs, and the keyring holds the base and down, never a root', async t => {
  const { run, keyring, file } = await setUp(t);
  const [added] = (await run('add', '--name', 'probe', '--json')).json() as Record<string, string>[];
  t.deepEqual(Object.keys(added), ['device', 'name', 'epoch', 'chain', 'down']);
  const entry = keyring().get(added.device)!;
  t.is(entry.name, 'probe');
  t.is(entry.epoch, 0);
  t.is(toHex(entry.chain), added.chain);
  t.is(toHex(entry.down!), added.down);
  t.notRegex(readFileSync(file, 'utf8'), /root/);
  const { out } = await run('add');
  t.regex(
    out,
    /^device {2}[0-9a-f]{16}\nname {4}device-[0-9a-f]{4}\nepoch {3}0\nchain {3}[0-9a-f]{64}\ndown {4}[0-9a-f]{64}\n$/,
  );
  t.is(keyring().size, 2);
});

test('add refuses a name that is taken or no name', async t => {
  const { run } = await setUp(t);
  await run('add', '--name', 'probe');
  t.is((await run('add', '--name', 'probe')).fault?.code, 'name-taken');
  t.is((await run('add', '--name', '<img onerror=x>')).fault?.code, 'name-invalid');
  t.is((await run('add', '--key-file', 'x')).fault?.code, 'usage');
});

test('a sovereign-sdk sensor is added with the key of its file', async t => {
  const { run, keyring, directory } = await setUp(t);
  const keyFile = join(directory, 'key');
  writeFileSync(keyFile, Buffer.from([0, 1, 255, 10]));
  const sdk = (...args: string[]) => run('add', '--json', '--sdk', ...args);
  const [added] = (await sdk('esp32-a1', '--key-file', keyFile)).json();
  t.deepEqual(added, { device: '6dda3382e92c7863', name: 'esp32-a1', node: 'esp32-a1' });
  t.deepEqual(keyring().byNode('esp32-a1')?.sdk, {
    node: 'esp32-a1',
    key: new Uint8Array([0, 1, 255, 10]),
    allowReset: false,
  });
  t.is((await sdk('noëud 1', '--key-file', keyFile, '--allow-reset')).fault, undefined);
  t.true(keyring().byNode('noëud 1')?.sdk?.allowReset);
  t.is((await sdk('esp32-a1', '--key-file', keyFile)).fault?.code, 'device-known');
  t.is((await sdk('b')).fault?.code, 'usage');
  t.is((await sdk('é'.repeat(65), '--key-file', keyFile)).fault?.code, 'usage');
  t.is((await sdk('b', '--key-file', join(directory, 'none'))).fault?.code, 'key-file');
  writeFileSync(keyFile, '');
  t.is((await sdk('b', '--key-file', keyFile)).fault?.code, 'key-file');
  writeFileSync(keyFile, Buffer.alloc(1025));
  t.is((await sdk('b', '--key-file', keyFile)).fault?.code, 'file-too-large');
});

test('list shows devices and no keys', async t => {
  const { run } = await setUp(t);
  t.is((await run('list')).out, '');
  const [{ device: id, chain, down }] = (await run('add', '--name', 'probe', '--json')).json();
  t.deepEqual((await run('list', '--json')).json(), [
    { device: id, name: 'probe', kind: 'device', epoch: 0 },
  ]);
  const { out } = await run('list');
  t.is(out, `${id}\tprobe\tdevice\t0\n`);
  t.false(out.includes(String(chain)) || out.includes(String(down)));
});

test('remove takes id or name, and the id stands under removed for ever', async t => {
  const { run, keyring } = await setUp(t);
  const [{ device: first }] = (await run('add', '--name', 'a', '--json')).json();
  const [{ device: second }] = (await run('add', '--name', 'b', '--json')).json();
  t.deepEqual((await run('remove', 'a', '--json')).json(), [{ device: first, name: 'a' }]);
  t.is((await run('remove', String(second))).fault, undefined);
  t.is((await run('remove', 'a')).fault?.code, 'device-unknown');
  t.is(keyring().size, 0);
  t.deepEqual([...keyring().removed], [first, second]);
});

test('export gives a keyring that verifies and cannot speak to devices', async t => {
  const { run, keyring, directory } = await setUp(t);
  const [{ chain }] = (await run('add', '--name', 'a', '--json')).json();
  await run('add', '--name', 'b');
  t.is((await run('export')).fault?.code, 'usage');

  const all = Keyring.parse((await run('export', '--verify')).out, 'k');
  t.deepEqual(
    [...all.entries()],
    [...keyring().entries()].map(({ id, name, epoch, chain }) => ({ id, name, epoch, chain })),
  );

  const output = join(directory, 'verify.yaml');
  t.is((await run('export', '--verify', '--epoch', '70', '--output', output, 'a')).fault, undefined);
  t.is(statSync(output).mode & 0o777, 0o600);
  const later = Keyring.parse(readFileSync(output, 'utf8'), output);
  t.is(later.size, 1);
  t.is(later.byName('a')?.epoch, 70);
  t.deepEqual(later.byName('a')?.chain, ratchet(nodeDigest, fromHex(String(chain))!, 70));
  t.is(later.byName('a')?.down, undefined);
  t.is((await run('export', '--verify', '--output', output)).fault?.code, 'file-exists');
  t.is((await run('export', '--verify', 'nobody')).fault?.code, 'device-unknown');
  t.is((await run('export', '--verify', '--epoch', 'x')).fault?.code, 'usage');
});

test('resync ratchets forward, or takes a chain; never back without one', async t => {
  const { run, keyring } = await setUp(t);
  const [{ device: id, chain }] = (await run('add', '--name', 'a', '--json')).json();
  const down = keyring().byName('a')!.down;
  t.deepEqual((await run('resync', 'a', '--epoch', '3', '--json')).json(), [
    { device: id, name: 'a', epoch: 3 },
  ]);
  const keys = new KeyChain(nodeDigest);
  const third = keys.next(keys.next(keys.next(fromHex(String(chain))!)));
  t.deepEqual(keyring().byName('a')?.chain, third);
  t.deepEqual(keyring().byName('a')?.down, down);
  t.is((await run('resync', 'a', '--epoch', '2')).fault?.code, 'epoch-past');
  t.is((await run('resync', 'a', '--epoch', '9007199254740991')).fault?.code, 'epoch-far');
  t.is((await run('resync', 'a', '--epoch', '1', '--chain', 'abcd')).fault?.code, 'usage');
  t.is((await run('resync', 'a', '--epoch', '0', '--chain', String(chain))).fault, undefined);
  t.is(keyring().byName('a')?.epoch, 0);
});

test('every subcommand says what it does', async t => {
  const { run } = await setUp(t);
  for (const name of ['add', 'list', 'remove', 'export', 'resync'])
    await t.throwsAsync(run(name, '--help'), { code: 'commander.helpDisplayed' });
});
