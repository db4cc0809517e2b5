import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Keyring } from '../../../host/keyring/file.js';
import { run } from '../../support/program.js';
import { temporary } from './commands.js';

async function site(t: ExecutionContext): Promise<string> {
  const cwd = temporary(t);
  t.is((await run(['init'], { cwd })).code, 0);
  return cwd;
}

test('commands at the same time lose nothing: every device that was printed is in the keyring', async t => {
  const cwd = await site(t);
  const runs = await Promise.all(
    Array.from({ length: 5 }, (_, i) => run(['device', 'add', '--json', '--name', `d${i}`], { cwd })),
  );
  const keyring = Keyring.parse(readFileSync(join(cwd, 'keyring.yaml'), 'utf8'), 'keyring.yaml');
  t.is(keyring.size, 5);
  for (const { code, lines, errors } of runs) {
    t.is(code, 0, errors);
    const { device, name, chain } = JSON.parse(lines[0]);
    t.is(keyring.get(device)?.name, name);
    t.is(Buffer.from(keyring.get(device)!.chain).toString('hex'), chain);
  }
});

test('status 0 when done, 1 when it failed, 2 for wrong usage', async t => {
  const cwd = await site(t);
  const failed = await run(['init'], { cwd });
  t.is(failed.code, 1);
  t.regex(failed.errors, /^sovereign: .*config\.yaml is there already/);
  const status = await run(['status'], { cwd });
  t.is(status.code, 1);
  t.regex(status.errors, /no gateway runs/);
  writeFileSync(join(cwd, 'x'), 'x');
  t.is((await run(['verify', 'x'], { cwd })).code, 1);
  for (const args of [
    ['device', 'add', '--sdk', 'x'],
    ['device', 'resync', 'x', '--epoch', '-1'],
    ['verify'],
    ['nonsense'],
  ])
    t.is((await run(args, { cwd })).code, 2, args.join(' '));
});

test('a gateway whose configuration gives its secrets to everybody says so', async t => {
  const cwd = await site(t);
  chmodSync(cwd, 0o755);
  rmSync(join(cwd, 'keyring.yaml')); // which ends it
  const config = join(cwd, 'config.yaml');
  const uplink = 'uplink: { broker: "mqtt://127.0.0.1:1", username: u, password: not-for-everybody }';
  writeFileSync(config, `site: test\ngateway: gw\n${uplink}\n`, { mode: 0o600 });
  t.notRegex((await run(['gateway'], { cwd })).errors, /config-readable/);
  chmodSync(config, 0o644);
  const { errors } = await run(['gateway'], { cwd });
  t.regex(errors, /config-readable.*uplink\.password in .*config\.yaml: its mode is 0644.*chmod 600/);
  t.notRegex(errors, /not-for-everybody/);
});

test('a gateway that cannot begin says why and ends, whatever it had opened by then', async t => {
  const cwd = await site(t);
  const taken = createServer();
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  writeFileSync(
    join(cwd, 'config.yaml'),
    `site: test\ngateway: gw\nlinks: { tcp: { listen: "127.0.0.1:${port}" } }\n`,
  );
  const data = join(cwd, 'data');
  const fails = async (name: string, expected: RegExp, make: (path: string) => void) => {
    mkdirSync(data);
    make(join(data, name));
    const { code, errors } = await run(['gateway'], { cwd }); // resolves only when the process has ended
    t.is(code, 1, name);
    t.regex(errors, expected);
    t.notRegex(errors, /\n {4}at /, 'no stack');
    rmSync(data, { recursive: true });
  };
  const file = (path: string) => writeFileSync(path, 'x');
  await fails('cursors', /^sovereign: can't use the cursor/, file);
  await fails('journal', /^sovereign: the journal's directory .* can't be used/, file);
  await fails('evidence', /^sovereign: the directory .*evidence can't be used/, file);
  await fails('control.sock', /^sovereign: cannot make the control socket/, path => mkdirSync(path));
  await fails('nothing', /sovereign: port \d+ on 127\.0\.0\.1 is taken/, () => {});
});
