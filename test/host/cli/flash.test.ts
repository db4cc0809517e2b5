import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { register as doctor } from '../../../host/cli/doctor.js';
import { listBoards } from '../../../host/cli/flash/boards.js';
import { checkFamily, checkSdk, familyOf, type ToolMachine } from '../../../host/cli/flash/toolchain.js';
import { register } from '../../../host/cli/flash.js';
import { run } from '../../support/program.js';
import { runCommand, temporary } from './commands.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');

function script(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

/** A directory that looks like the SDK with its toolchains; its mcconfig writes down how it was called. */
function fakeSdk(t: ExecutionContext, version = '8.2.3', tsc = '6.0.2') {
  const directory = temporary(t);
  const at = (...path: string[]) => join(directory, ...path);
  mkdirSync(at('sdk', 'tools'), { recursive: true });
  mkdirSync(at('pico-sdk'));
  mkdirSync(at('idf'));
  writeFileSync(at('sdk', 'tools', 'VERSION'), `${version}\n`);
  const tools = at('sdk', 'build', 'bin', process.platform === 'darwin' ? 'mac' : 'lin', 'release');
  script(
    join(tools, 'mcconfig'),
    `echo "$UPLOAD_PORT|$*" >> ${at('calls')}\n[ -n "$MCCONFIG_SAYS" ] && echo "$MCCONFIG_SAYS"\ncase "$*" in *"-t $MCCONFIG_FAILS"*) exit 3;; esac\nmcbundle`,
  );
  script(join(tools, 'mcbundle'), 'exit 0');
  script(at('bin', 'tsc'), `echo "Version ${tsc}"`);
  script(at('bin', 'arm-none-eabi-gcc'), 'exit 0');
  script(at('bin', 'idf.py'), 'exit 0');
  const environment: Record<string, string> = {
    PATH: `${at('bin')}:/usr/bin:/bin`,
    MODDABLE: at('sdk'),
    PICO_SDK_DIR: at('pico-sdk'),
    IDF_PATH: at('idf'),
    MCCONFIG_FAILS: 'never',
  };
  const calls = () => (existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : []);
  return { directory, environment, calls };
}

const boardsThere = readdirSync(join(root, 'boards')).filter(name =>
  existsSync(join(root, 'boards', name, 'manifest.json')),
);

test('the boards are the folders with a manifest, which names the target', async t => {
  const directory = temporary(t);
  const board = (name: string, text: string) => {
    mkdirSync(join(directory, 'boards', name), { recursive: true });
    writeFileSync(join(directory, 'boards', name, 'manifest.json'), text);
  };
  const files = {
    list: async (path: string) => readdirSync(path).sort(),
    readText: async (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  };
  board('pico', '{}');
  board('esp32c3', '{"build": {"SOVEREIGN_TARGET": "esp32/esp32c3"}}');
  mkdirSync(join(directory, 'boards', 'virtual'));
  t.deepEqual(
    (await listBoards(directory, files)).map(({ name, target }) => [name, target]),
    [
      ['esp32c3', 'esp32/esp32c3'],
      ['pico', 'pico'],
    ],
  );
  board('pico', '{');
  await t.throwsAsync(listBoards(directory, files), { code: 'manifest-invalid' });
  board('pico', '{"build": {"SOVEREIGN_TARGET": "pico; rm -rf"}}');
  await t.throwsAsync(listBoards(directory, files), { code: 'manifest-invalid' });
  t.deepEqual(['pico', 'pico/pico_w', 'esp32', 'esp32/esp32c3', 'virtual', 'picotto'].map(familyOf), [
    'pico',
    'pico',
    'esp32',
    'esp32',
    undefined,
    undefined,
  ]);
});

test('each board of this project is known, built and then deployed with its own target and manifest', async t => {
  const { environment, calls } = fakeSdk(t);
  const listed = await runCommand(register, ['flash'], { environment });
  t.deepEqual(
    listed.lines.map(line => line.split('\t')[0]),
    boardsThere,
  );
  for (const line of listed.lines) {
    const [name, target] = line.split('\t') as [string, string];
    const manifest = join(root, 'boards', name, 'manifest.json');
    const port = target.startsWith('esp32') ? '/dev/ttyUSB7' : '';
    const before = calls().length;
    const { code, errors } = await run(['flash', '--board', name, '--port', '/dev/ttyUSB7'], {
      env: environment,
    });
    t.is(code, 0, errors);
    t.deepEqual(calls().slice(before), [
      `${port}|-m -p ${target} -t build ${manifest}`,
      `${port}|-m -p ${target} -t deploy ${manifest}`,
    ]);
    const dry = await runCommand(register, ['flash', '--board', name, '--dry-run'], { environment });
    t.deepEqual(dry.lines, [
      `mcconfig -m -p ${target} -t build ${manifest}`,
      `mcconfig -m -p ${target} -t deploy ${manifest}`,
    ]);
    t.is(calls().length, before + 2);
    const failed = await run(['flash', '--board', name, '--build-only'], {
      env: { ...environment, MCCONFIG_FAILS: 'build' },
    });
    t.is(failed.code, 1);
    t.regex(failed.errors, /mcconfig ended with status 3 while it built/);
    t.is(calls().length, before + 3, 'what was not built is not deployed');
    const unfit = await run(['flash', '--board', name], {
      env: { ...environment, MCCONFIG_SAYS: 'xsl: FATAL TypeError: link: unavailable function' },
    });
    t.is(unfit.code, 1);
    t.regex(unfit.errors, /would not start: xsl: FATAL TypeError/);
    t.is(calls().length, before + 4);
  }
});

test('without the SDK, or with half of it, everything that is missing is named with its remedy', async t => {
  const { environment, directory } = fakeSdk(t, '7.1.0', '5.9.3');
  const machine = (
    environment: Record<string, string>,
    answers: Record<string, string> = {},
  ): ToolMachine => ({
    environment: name => environment[name],
    platform: process.platform,
    fileKind: async path => (existsSync(path) ? (path.endsWith('mcconfig') ? 'file' : 'directory') : 'none'),
    readText: async path => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
    programOutput: async program => answers[program],
  });
  const words = async (machine: ToolMachine) =>
    (await Promise.all([checkSdk(machine), checkFamily(machine, 'pico'), checkFamily(machine, 'esp32')]))
      .flat()
      .map(({ state, text, remedy }) => `${state}: ${text} -> ${remedy}`.replaceAll(directory, '.'));
  t.deepEqual(await words(machine({})), [
    'wrong: the Moddable SDK is not installed: MODDABLE is not set -> npm i -g xs-dev && xs-dev setup, then open a new shell',
    'wrong: PICO_SDK_DIR is not set -> xs-dev setup --device=pico, then open a new shell',
    'wrong: arm-none-eabi-gcc is not there -> apt-get install gcc-arm-none-eabi, or xs-dev setup --device=pico, then open a new shell',
    'wrong: IDF_PATH is not set -> xs-dev setup --device=esp32, then open a new shell',
  ]);
  const half = await words(machine({ ...environment, PICO_SDK_DIR: '/none' }, { tsc: 'Version 5.9.3' }));
  t.deepEqual(half, [
    'wrong: the Moddable SDK in ./sdk is 7.1.0, expected 8.2 -> xs-dev update, or check out the tag 8.2.0 or a later one of that release there and build its tools',
    'wrong: tsc 5.9.3, expected 6 or later -> npm i -g typescript@6',
    'wrong: PICO_SDK_DIR is /none, which is no directory -> xs-dev setup --device=pico, then open a new shell',
    'wrong: arm-none-eabi-gcc is not there -> apt-get install gcc-arm-none-eabi, or xs-dev setup --device=pico, then open a new shell',
    'ok: ./idf -> undefined',
    'wrong: idf.py is not on the PATH -> . ./idf/export.sh in this shell',
  ]);
  if (boardsThere.length > 0) {
    const none = await runCommand(register, ['flash', '--board', boardsThere[0]!], { environment: {} });
    t.is(none.fault?.code, 'toolchain');
    t.regex(none.fault!.message, /npm i -g xs-dev && xs-dev setup/);
  }
  t.is((await runCommand(register, ['flash', '--board', 'abacus'], { environment })).fault?.code, 'usage');
});

test('doctor checks the toolchain, and what is missing of it is only a note', async t => {
  const args = ['doctor', '--json', '--config', join(temporary(t), 'none.yaml')];
  const bare = await runCommand(doctor, args, { environment: {} });
  t.deepEqual(
    bare.json().filter(({ check }) => check === 'sdk'),
    [
      {
        check: 'sdk',
        state: 'note',
        text: 'the Moddable SDK is not installed: MODDABLE is not set; it is for building firmware alone',
        remedy: 'npm i -g xs-dev && xs-dev setup, then open a new shell',
      },
    ],
  );
  const { environment } = fakeSdk(t);
  const found = (await runCommand(doctor, args, { environment })).json();
  t.like(
    found.find(({ check }) => check === 'sdk'),
    { state: 'ok', text: 'Moddable SDK 8.2.3' },
  );
  t.is(found.find(({ check }) => check === 'pico-sdk')?.state, 'ok');
});

test('the package carries what flash needs', t => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const files = new Set<string>(JSON.parse(packed)[0].files.map(({ path }: { path: string }) => path));
  for (const name of boardsThere) t.true(files.has(`boards/${name}/manifest.json`));
  for (const path of ['firmware/device.ts', 'firmware/seal/README.md', 'host/journal/README.md'])
    t.true(files.has(path), path);
  t.deepEqual(
    [...files].filter(path => /^(test|build|host\/.*(?<!README\.md)$)/.test(path)),
    [],
  );
});
