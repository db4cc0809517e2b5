import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Command } from 'commander';
import { FrameDecoder, FrameType, toHex } from '../../../firmware/seal/index.js';
import { register } from '../../../host/cli/simulate.js';
import { Fault } from '../../../host/fault.js';
import { Keyring } from '../../../host/keyring/file.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { TestGateway } from '../../firmware/gateway.js';
import { freePort } from '../../support/brokers.js';
import { needs } from '../../support/needs.js';

const SIMULATE = new URL('../../../host/cli/simulate.js', import.meta.url).href;

/** The command alone, with what `sovereign` does around it. */
const SCRIPT = `
import { Command } from ${JSON.stringify(import.meta.resolve('commander'))};
import { register } from ${JSON.stringify(SIMULATE)};
const program = new Command('sovereign');
register(program);
program.parseAsync(process.argv).catch(error => {
  console.error(error.code + ': ' + error.message);
  process.exitCode = error.code === 'usage' ? 2 : 1;
});
`;

interface Line {
  device: string;
  epoch: number;
  seq: number;
  sha256: string;
}

class Run {
  errors = '';
  output = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;

  constructor(directory: string, args: readonly string[]) {
    const node = ['--input-type=module', '-e', SCRIPT, 'sovereign', 'simulate', ...args];
    this.#child = spawn(process.execPath, node, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout!.on('data', chunk => {
      this.output += chunk;
    });
    this.#child.stderr!.on('data', chunk => {
      this.errors += chunk;
    });
  }

  get lines(): Line[] {
    return this.output
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Line);
  }

  stopReading(): void {
    this.#child.stdout!.destroy();
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** @returns the exit status, or the signal */
  async end(): Promise<unknown> {
    const [code, signal] = await this.#ended;
    return code ?? signal;
  }

  async until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 1_000 && !condition(); i++) await new Promise(resolve => setTimeout(resolve, 10));
    if (!condition()) throw new Error(`waited in vain: ${this.errors}`);
  }
}

/** Gateways in memory, one for each device of the keyring, behind one TCP port. */
class Gateways {
  readonly byId = new Map<string, TestGateway>();
  readonly #sockets = new Map<string, Socket>();
  readonly #server: Server;
  readonly #all = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;

  constructor(directory: string) {
    this.#server = createServer(socket => this.#connected(socket, directory));
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#timer = setInterval(() => {
      for (const gateway of this.byId.values()) gateway.sync();
    }, 5);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#all) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #connected(socket: Socket, directory: string): void {
    this.#all.add(socket);
    socket.on('error', () => {});
    let gateway: TestGateway | undefined;
    let waiting = Promise.resolve();
    const knock = new FrameDecoder((type, buffer, _from, to) => {
      if (type !== FrameType.knock || gateway !== undefined) return;
      const id = toHex(buffer, to - 8, to);
      waiting = this.#gateway(id, directory).then(found => {
        gateway = found;
        this.#sockets.set(id, socket);
        gateway.challenge();
      });
    });
    socket.on('data', async chunk => {
      if (gateway === undefined) knock.push(chunk);
      await waiting;
      gateway?.push(chunk);
    });
  }

  async #gateway(id: string, directory: string): Promise<TestGateway> {
    const known = this.byId.get(id);
    if (known !== undefined) return known;
    const keyring = await Keyring.load(join(directory, 'keyring.yaml'), privateFiles);
    const entry = keyring.get(id)!;
    const gateway = new TestGateway(
      { chain: entry.chain, down: entry.down! },
      Buffer.from(id, 'hex'),
      () => Date.now(),
      frame => this.#sockets.get(id)?.write(frame),
    );
    gateway.unixMs = 0;
    this.byId.set(id, gateway);
    return gateway;
  }

  /** Every reading that was accepted, as `simulate --json` prints it. */
  lines(): Line[] {
    const digest = new Uint8Array(32);
    return [...this.byId].flatMap(([device, { accepted }]) =>
      accepted.map(({ epoch, seq, bytes }) => {
        nodeDigest.sha256(bytes, 0, bytes.length, digest, 0);
        return { device, epoch, seq, sha256: toHex(digest) };
      }),
    );
  }
}

async function site(t: ExecutionContext): Promise<{ directory: string; gateways: Gateways; port: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'simulate-'));
  const port = await freePort();
  const config = `site: cellar\ngateway: gw-1\nlinks: { tcp: { listen: 127.0.0.1:${port} } }\n`;
  await writeFile(join(directory, 'config.yaml'), config);
  await writeFile(join(directory, 'keyring.yaml'), 'version: 1\ndevices: []\nremoved: []\n', { mode: 0o600 });
  const gateways = new Gateways(directory);
  t.teardown(async () => {
    if (gateways.listening) await gateways.close();
    await rm(directory, { recursive: true });
  });
  return { directory, gateways, port };
}

const sorted = (lines: readonly Line[]) => lines.map(line => JSON.stringify(line)).sort();

test('each device makes the readings asked for, and every one is printed once receipted', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const args = ['--devices', '3', '--readings', '20', '--rate', '200', '--json'];
  const run = new Run(directory, args);
  t.is(await run.end(), 0, run.errors);
  t.is(run.lines.length, 60);
  t.deepEqual(sorted(run.lines), sorted(gateways.lines()));
  for (const line of run.lines) t.deepEqual(Object.keys(line), ['device', 'epoch', 'seq', 'sha256']);
  t.true(run.errors.includes('60 readings sealed, 60 receipted, 0 lost'), run.errors);
  t.true(run.lines.every(({ epoch }) => epoch === 0));

  // A next run is a reboot of the same devices.
  const again = new Run(directory, args);
  t.is(await again.end(), 0, again.errors);
  t.is(again.lines.length, 60);
  t.true(again.lines.every(({ epoch }) => epoch === 1));
  t.deepEqual(sorted([...run.lines, ...again.lines]), sorted(gateways.lines()));
  const keyring = await Keyring.load(join(directory, 'keyring.yaml'), privateFiles);
  t.is(keyring.size, 3);
  const state = join(directory, 'data', 'devices');
  t.deepEqual(await readdir(state), ['device-0001.flash', 'device-0002.flash', 'device-0003.flash', 'lock']);
  t.is((await stat(state)).mode & 0o777, 0o700);
  t.is((await stat(join(state, 'device-0001.flash'))).mode & 0o777, 0o600);
});

test('in a pipe, without --json, one plain line says what came of it', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const run = new Run(directory, ['--devices', '1', '--readings', '5', '--rate', '100']);
  t.is(await run.end(), 0, run.errors);
  t.is(run.output, '1 device: 5 readings sealed, 5 receipted, 0 lost\n');
  t.is(run.errors, '');
});

test('a gateway that is away is said once and waited for', async t => {
  const { directory, gateways, port } = await site(t);
  const run = new Run(directory, ['--devices', '5', '--readings', '10', '--rate', '100', '--json']);
  await run.until(() => run.errors.includes('no gateway'));
  await new Promise(resolve => setTimeout(resolve, 400));
  t.is(run.output, '');
  await gateways.listen(port);
  t.is(await run.end(), 0, run.errors);
  t.is(run.lines.length, 50);
  t.is(run.errors.match(/no gateway at tcp:/g)?.length, 1);
  t.true(run.errors.includes('answers'));
});

test('a signal ends it cleanly, a kill does not make an epoch come twice', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const args = ['--devices', '2', '--rate', '100', '--json'];
  const epochs = new Set<string>();
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGINT'] as const) {
    const run = new Run(directory, args);
    await run.until(() => run.output.split('\n').length > 20);
    run.kill(signal);
    t.is(await run.end(), signal === 'SIGKILL' ? 'SIGKILL' : 0, run.errors);
    const whole = run.output.slice(0, run.output.lastIndexOf('\n')).split('\n');
    const used = new Set(
      whole.map(line => JSON.parse(line) as Line).map(({ device, epoch }) => `${device}/${epoch}`),
    );
    for (const name of used) {
      t.false(epochs.has(name), name);
      epochs.add(name);
    }
  }
  for (const { verdicts } of gateways.byId.values()) t.is(verdicts.fork, 0);
});

test('over a serial line: one device', async t => {
  if (!needs(t, 'socat')) return;
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const tty = join(directory, 'tty');
  const line = spawn('socat', [`pty,raw,echo=0,link=${tty}`, `tcp:127.0.0.1:${port}`]);
  t.teardown(() => line.kill());
  const run = new Run(directory, ['--link', `serial:${tty}`, '--readings', '20', '--rate', '100', '--json']);
  t.is(await run.end(), 0, run.errors);
  t.deepEqual(sorted(run.lines), sorted(gateways.lines()));
  t.is(run.lines.length, 20);
});

test('a reader that goes away ends it with status 1', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const run = new Run(directory, ['--devices', '3', '--rate', '50', '--json']);
  await run.until(() => run.output !== '');
  run.stopReading();
  t.is(await run.end(), 1);
  t.regex(run.errors, /^output-closed: /m);
});

test('killed while the gateway is away, devices keep what they had put into flash, and send it first', async t => {
  const { directory, gateways, port } = await site(t);
  const away = new Run(directory, ['--devices', '1', '--rate', '20', '--json']);
  const file = join(directory, 'data', 'devices', 'device-0001.flash');
  const flashed = async () => (await stat(file).catch(() => undefined))?.size ?? 0;
  for (let i = 0; i < 2_000 && (await flashed()) < 20_000; i++) await new Promise(r => setTimeout(r, 10));
  away.kill('SIGKILL');
  await away.end();
  t.is(away.output, '');
  await gateways.listen(port);
  const next = new Run(directory, ['--devices', '1', '--readings', '3', '--json']);
  t.is(await next.end(), 0);
  const { lines } = next;
  const before = lines.filter(({ epoch }) => epoch === 0);
  t.true(before.length > 0, 'the kill may come within the first writes, not before them');
  t.deepEqual(
    lines.map(({ epoch, seq }) => [epoch, seq]),
    [...before.map((_, i) => [0, i]), [1, 0], [1, 1], [1, 2]],
  );
  // A kill in the middle of a write leaves one reading torn, and that is said.
  const summary = /3 readings sealed, (\d+) held from before, \d+ receipted, (\d+) lost/.exec(next.errors);
  t.is(Number(summary?.[1]) - Number(summary?.[2]), before.length, next.errors);
  t.true(Number(summary?.[2]) <= 1);
});

test('a directory of devices belongs to one simulation at a time', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const first = new Run(directory, ['--devices', '1', '--json']);
  await first.until(() => first.output !== '');
  const second = new Run(directory, ['--devices', '1', '--json']);
  t.is(await second.end(), 1);
  t.true(second.errors.startsWith('state-taken: '), second.errors);
  first.kill('SIGTERM');
  t.is(await first.end(), 0);
});

test('a damaged flash, a removed device and a foreign file are said, not mended', async t => {
  const { directory, gateways, port } = await site(t);
  await gateways.listen(port);
  const args = ['--devices', '1', '--readings', '1'];
  t.is(await new Run(directory, args).end(), 0);
  const file = join(directory, 'data', 'devices', 'device-0001.flash');
  const image = await readFile(file);

  const damaged = Buffer.from(image);
  damaged.fill(0, 0, 8192);
  await writeFile(file, damaged);
  const lost = new Run(directory, args);
  t.is(await lost.end(), 1);
  t.true(lost.errors.startsWith('slots-lost: '), lost.errors);

  await writeFile(file, Buffer.alloc(1_000_000));
  const foreign = new Run(directory, args);
  t.is(await foreign.end(), 1);
  t.true(foreign.errors.startsWith('flash-size: '), foreign.errors);

  await writeFile(file, image);
  const [id] = gateways.byId.keys();
  await writeFile(join(directory, 'keyring.yaml'), `version: 1\ndevices: []\nremoved: ["${id}"]\n`);
  const removed = new Run(directory, args);
  t.is(await removed.end(), 1);
  t.true(removed.errors.startsWith('id-removed: '), removed.errors);

  // Gone from the keyring without having been removed: it comes back, where its chain now stands.
  await writeFile(join(directory, 'keyring.yaml'), 'version: 1\ndevices: []\nremoved: []\n');
  t.is(await new Run(directory, args).end(), 0);
  const keyring = await Keyring.load(join(directory, 'keyring.yaml'), privateFiles);
  t.is(keyring.get(id)?.epoch, 1);
});

for (const [args, word] of [
  [['--link', 'http://x'], '--link'],
  [['--link', 'tcp://host:0'], '--link'],
  [['--rate', '0'], '--rate'],
  [['--rate', '1e3'], '--rate'],
  [['--devices', '0'], '--devices'],
  [['--readings', '-1'], '--readings'],
  [['--link', 'serial:/dev/null', '--devices', '2'], '--devices'],
] as const) {
  test(`wrong usage: ${args.join(' ')}`, async t => {
    const { directory } = await site(t);
    const program = new Command('sovereign');
    register(program);
    const config = join(directory, 'config.yaml');
    const run = program.parseAsync(['simulate', '--config', config, ...args], { from: 'user' });
    const error = await t.throwsAsync(run, { instanceOf: Fault });
    t.is(error.code, 'usage');
    t.true(error.message.startsWith(word), error.message);
  });
}
