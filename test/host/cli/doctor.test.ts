import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkClock, checkNode } from '../../../host/cli/doctor/machine.js';
import { register } from '../../../host/cli/doctor.js';
import { register as init } from '../../../host/cli/init.js';
import { startAedes } from '../../support/brokers.js';
import { runCommand, temporary } from './commands.js';

async function setUp(t: ExecutionContext, broker: string) {
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const config = join(directory, 'config.yaml');
  const edit = (from: string | RegExp, to: string) =>
    writeFileSync(config, readFileSync(config, 'utf8').replace(from, to));
  edit('mqtt://127.0.0.1:1883', broker);
  edit('# protocol: 5 ', 'protocol: 3.1.1 ');
  edit(/^( *listen: .*):\d+/gm, '$1:0'); // what else runs on this machine does not matter here
  const run = (...args: string[]) => runCommand(register, ['doctor', '--config', config, ...args]);
  return { directory, edit, run };
}

/** Where nobody listens. */
const NOWHERE = 'mqtt://127.0.0.1:1';

test('a machine that has what is needed', async t => {
  const broker = await startAedes();
  t.teardown(() => broker.stop());
  const { run } = await setUp(t, broker.url);
  const { fault, json } = await run('--json');
  t.is(fault, undefined);
  const found = json();
  t.deepEqual(
    found.filter(({ state }) => state === 'wrong'),
    [],
  );
  for (const check of [
    'node',
    'flock',
    'clock',
    'config',
    'gateway',
    'keyring',
    'data',
    'space',
    'listen',
    'broker',
  ])
    t.true(
      found.some(finding => finding.check === check),
      check,
    );
  t.regex((await run()).out, /everything that is needed is there\n$/);
});

test('each thing that is wrong is named with its remedy', async t => {
  const { directory, edit, run } = await setUp(t, NOWHERE);
  chmodSync(join(directory, 'keyring.yaml'), 0o644);
  edit('  tcp:', '  serial: [{ port: /dev/no-such-board }]\n  tcp:');
  edit('# username: gateway', 'username: u\n  passwordFile: none');
  edit('data: data', 'data: config.yaml');
  const { fault, json, out } = await run('--json');
  t.is(fault?.code, 'doctor', out);
  const wrong = json().filter(({ state }) => state === 'wrong');
  t.deepEqual(
    wrong.map(({ check }) => check),
    ['keyring', 'data', 'serial', 'broker'],
  );
  t.is(wrong[0].remedy, `chmod 600 ${join(directory, 'keyring.yaml')}`);
  for (const { check, remedy } of wrong) t.truthy(remedy, String(check));
  t.is(fault?.message, '4 things are missing or wrong');
});

test('a configuration with secrets in it is spoken of while everybody may read it, and only then', async t => {
  const { directory, edit, run } = await setUp(t, NOWHERE);
  const path = join(directory, 'config.yaml');
  const exposed = async () =>
    (await run('--json'))
      .json()
      .filter(({ check }) => check === 'config')
      .slice(1);
  chmodSync(directory, 0o755);
  chmodSync(path, 0o644);
  t.deepEqual(await exposed(), [], 'no secrets');
  edit('# username: gateway', 'username: u\n  password: not-for-everybody');
  edit('# tokenFile: web-token', 'token: 0123456789abcdef');
  const [{ state, text, remedy }] = await exposed();
  t.is(state, 'note');
  t.is(text, `everybody on this machine may use uplink.password, web.token in ${path}: its mode is 0644`);
  t.regex(String(remedy), new RegExp(`^chmod 600 ${path} .*uplink.passwordFile, web.tokenFile`));
  chmodSync(path, 0o640);
  t.deepEqual(await exposed(), [], 'a group shares it on purpose');
  chmodSync(path, 0o644);
  chmodSync(directory, 0o700);
  t.deepEqual(await exposed(), [], 'nobody else gets there');
});

test('a configuration that is wrong or missing', async t => {
  const { run, edit, directory } = await setUp(t, NOWHERE);
  edit('site:', 'sitte:');
  const { fault, out } = await run();
  t.is(fault?.code, 'doctor');
  t.regex(out, /WRONG {2}config .*2 problems in[\s\S]*did you mean site\?/);
  const missing = await runCommand(register, ['doctor', '--config', join(directory, 'none.yaml')]);
  t.regex(missing.out, /there is no configuration/);
});

test('versions of Node and clocks that were never set', async t => {
  t.is(checkNode('20.15.0').state, 'ok');
  t.is(checkNode('22.1.0').state, 'ok');
  t.is(checkNode('20.14.9').state, 'wrong');
  t.is(checkNode('18.20.0').state, 'wrong');
  t.like(await checkClock(() => 0), [{ check: 'clock', state: 'wrong' }]);
});
