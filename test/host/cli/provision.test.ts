import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { SerialPort } from 'serialport';
import { nobleDigest } from '../../../boards/virtual/digest.js';
import { PowerCut, VirtualFlash } from '../../../boards/virtual/flash.js';
import { Provisioning } from '../../../firmware/provisioning.js';
import { FrameType, toHex } from '../../../firmware/seal/index.js';
import { KeyStore } from '../../../firmware/store/key-store.js';
import { SettingsStore } from '../../../firmware/store/settings.js';
import { BoardTalk } from '../../../host/cli/device/board-talk.js';
import { type ProvisionOptions, provisionBoard } from '../../../host/cli/device/provision.js';
import { register as device } from '../../../host/cli/device.js';
import { register as init } from '../../../host/cli/init.js';
import { Fault } from '../../../host/fault.js';
import { Keyring } from '../../../host/keyring/file.js';
import type { PrivateFiles } from '../../../host/keyring/files.js';
import { systemClock } from '../../../host/node/clock.js';
import { privateFiles } from '../../../host/node/private-files.js';
import { systemRandom } from '../../../host/node/random.js';
import { openSerial } from '../../../host/node/serial.js';
import { Cable, openPort } from '../../support/cable.js';
import { needs } from '../../support/needs.js';
import { identity } from '../intake/rig.js';
import { runCommand, temporary } from './commands.js';

/** A virtual board on the far end of a cable; a power cut starts it anew, silently. */
class CableBoard {
  readonly flash = new VirtualFlash({ sectors: 5, sectorBytes: 1536, programBytes: 256 });
  starts = 0;
  /** Answers to new keys that the cable eats. */
  mute = 0;
  /** The cable is pulled at the answer to new keys; a start puts it back. */
  pulled: 'no' | 'soon' | 'yes' = 'no';
  readonly #port: SerialPort;
  #firmware!: Provisioning;

  constructor(port: SerialPort) {
    this.#port = port;
    this.start();
    port.on('data', (chunk: Buffer) => {
      try {
        this.#firmware.receive(chunk);
      } catch (error) {
        if (!(error instanceof PowerCut)) throw error;
        this.start();
      }
    });
  }

  start(button = false): void {
    this.starts++;
    this.pulled = 'no';
    const wire = {
      send: (buffer: Uint8Array, from: number, to: number) => {
        if (buffer[1] === 19 && this.pulled === 'soon') this.pulled = 'yes';
        if (buffer[1] === 19 && this.mute > 0) this.mute--;
        else if (this.pulled !== 'yes') this.#port.write(Buffer.from(buffer.slice(from, to)));
        return true;
      },
    };
    const keys = new KeyStore(this.flash);
    const settings = new SettingsStore(this.flash, 3);
    this.#firmware = new Provisioning(
      { digest: nobleDigest, wire, keys, settings },
      { board: 'virtual', firmware: 'sovereign-virtual 1', button },
    );
  }

  get id(): string {
    const keys = new KeyStore(this.flash);
    return keys.load() === 'ready' ? toHex(keys.identity.id) : '';
  }
}

async function setUp(t: ExecutionContext) {
  const socat = needs(t, 'socat');
  if (socat === undefined) return undefined;
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const cable = new Cable(socat, directory);
  await cable.plug();
  t.teardown(() => cable.pull());
  const port = await openPort(cable.deviceEnd);
  t.teardown(() => port.isOpen && port.close());
  const board = new CableBoard(port);
  const keyringFile = join(directory, 'keyring.yaml');
  const steps: string[] = [];
  /** The command's own work with short waits. */
  const provision = async (more: Partial<ProvisionOptions> = {}, files: PrivateFiles = privateFiles) => {
    const talk = new BoardTalk(systemClock, { whoMs: 400, askEveryMs: 50, provisionMs: 400 });
    const link = await openSerial({ port: cable.gatewayEnd, baud: 115_200 }, opened => talk.begin(opened));
    try {
      return await provisionBoard(
        { port: cable.gatewayEnd, keyringFile, settings: {}, ...more },
        { files, random: systemRandom, talk, step: text => void steps.push(text) },
      );
    } catch (error) {
      if (error instanceof Fault) return error;
      throw error;
    } finally {
      link.close();
      await new Promise(resolve => setTimeout(resolve, 20)); // the port's lock goes with its descriptor
    }
  };
  return {
    directory,
    cable,
    board,
    port,
    steps,
    provision,
    keyring: () => Keyring.parse(readFileSync(keyringFile, 'utf8'), keyringFile),
    run: (...args: string[]) =>
      runCommand(device, [
        'device',
        'provision',
        '--port',
        cable.gatewayEnd,
        '--config',
        join(directory, 'config.yaml'),
        ...args,
      ]),
  };
}

test('the command: a new board gets an identity, keys and settings, and the keyring has it', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { run, board, keyring, directory } = world;
  writeFileSync(join(directory, 'wifi'), 'very secret\n');
  const { fault, json, err, out } = await run(
    ...['--name', 'cellar', '--wifi-ssid', 'barn', '--wifi-password-file', join(directory, 'wifi')],
    ...['--gateway', '192.0.2.7:7683', '--json'],
  );
  t.is(fault, undefined);
  const [made] = json();
  t.deepEqual(made, {
    device: board.id,
    name: 'cellar',
    board: 'virtual',
    firmware: 'sovereign-virtual 1',
    resumed: false,
  });
  const keys = new KeyStore(board.flash);
  t.is(keys.load(), 'ready');
  const entry = keyring().get(board.id)!;
  t.deepEqual([entry.name, entry.epoch, entry.pending], ['cellar', 0, undefined]);
  t.deepEqual([entry.chain, entry.down], [keys.slots.chain, keys.identity.down]);
  t.deepEqual(new SettingsStore(board.flash, 3).load(), {
    name: 'cellar',
    ssid: 'barn',
    wifiPassword: 'very secret',
    gatewayHost: '192.0.2.7',
    gatewayPort: 7683,
  });
  t.regex(err, /is a virtual with sovereign-virtual 1, unprovisioned\ncellar gets the id/);
  for (const secret of ['very secret', toHex(entry.chain), toHex(entry.down!)])
    t.false((err + out).includes(secret));

  const again = await run();
  t.is(again.fault?.code, 'board-provisioned');
  t.regex(again.fault!.message, /it is cellar \([0-9a-f]{16}\)/);
  t.is(keyring().size, 1);
  board.start(true);
  const renewed = (await run('--json')).json()[0];
  t.not(renewed.device, made.device, 'every provisioning makes a new id');
  t.is(renewed.device, board.id);
  t.is(keyring().size, 2);
});

test('options that make no sense are wrong usage, before anything is touched', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { run, board } = world;
  for (const args of [
    ['--name', 'two words'],
    ['--wifi-ssid', 'barn'],
    ['--wifi-password-file', 'x'],
    ['--gateway', 'a:1', '--mqtt', 'mqtt://b'],
    ['--gateway', 'a:0'],
    ['--gateway', 'http://a'],
    ['--mqtt', 'b:1883'],
    ['--mqtt-user', 'u'],
    ['--wifi-ssid', 'x'.repeat(33), '--gateway', 'a:1'],
    ['--baud', '1'],
  ])
    t.is((await run(...args)).fault?.code, 'usage', args.join(' '));
  t.is(
    (await run('--gateway', 'g', '--wifi-ssid', 'b', '--wifi-password-file', '/none')).fault?.code,
    'password-file',
  );
  t.is(board.flash.steps, 0);
});

test('each thing that may be wrong with a port has its own words', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { run, cable, board, port, provision, keyring } = world;
  const missing = await runCommand(device, [
    'device',
    'provision',
    '--port',
    '/dev/no-such-port',
    '--config',
    join(world.directory, 'config.yaml'),
  ]);
  t.is(missing.fault?.code, 'port-missing');
  const gateway = await openPort(cable.gatewayEnd);
  const busy = await run();
  t.is(busy.fault?.code, 'port-busy');
  t.regex(busy.fault!.remedy, /stop it while/);
  await new Promise<void>(resolve => gateway.close(() => resolve()));

  port.removeAllListeners('data');
  const quiet = (await provision()) as Fault;
  t.is(quiet.code, 'board-unknown');
  t.regex(quiet.message, /it sent nothing/);
  const chatter = setInterval(() => port.write('ESP-ROM:esp32c3\r\nboot: 0x1\r\n'), 30);
  const noisy = await provision();
  clearInterval(chatter);
  t.is((noisy as Fault).code, 'board-unknown');
  t.regex((noisy as Fault).message, /it sent \d+ bytes/);
  const old = identity();
  const reading = old.sealMany(0, 1)[0].bytes;
  const { FrameEncoder } = await import('../../../firmware/seal/index.js');
  const encoder = new FrameEncoder();
  const length = encoder.encode(FrameType.reading, reading);
  const talking = setInterval(() => port.write(Buffer.from(encoder.buffer.slice(0, length))), 30);
  t.is(((await provision()) as Fault).code, 'board-old');
  clearInterval(talking);
  t.is(board.flash.steps, 0);
  t.is(keyring().size, 0);
});

test('a board that has lost its keys says so; the button helps', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { board, provision } = world;
  await provision();
  board.flash.image.fill(0, 0, 40);
  board.start();
  const fault = (await provision()) as Fault;
  t.is(fault.code, 'board-fault');
  t.regex(fault.remedy, /hold its button/);
  board.start(true);
  t.like(await provision(), { resumed: false, device: board.id });
});

test('power cuts in the board, answers lost, a keyring that cannot be written: never a board without a keyring entry', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { board, provision, keyring } = world;
  const blank = board.flash.image.slice();
  await provision();
  const { steps } = board.flash;
  // Everywhere in the firmware's own test; here the ends, and one in each erase and program.
  const cuts = [
    0,
    1,
    1600,
    1900,
    3600,
    5200,
    5400,
    7000,
    steps - 500,
    steps - 300,
    steps - 255,
    steps - 250,
    steps - 1,
  ];
  for (const cut of cuts) {
    board.flash.image.set(blank);
    board.start();
    board.flash.cutAfter(cut, cut);
    const first = await provision();
    if (board.id === '') {
      // It took nothing, and the retry within the command gave it its keys, or the next run does.
      t.true(first instanceof Fault, `cut at ${cut}`);
      t.like(await provision(), { device: board.id });
    } else if (first instanceof Fault) {
      let second = await provision();
      for (let tries = 1; tries < 4 && second instanceof Fault; tries++) {
        t.log(`cut at ${cut}: ${second.code}, ${second.message}`); // a slow machine, which a person would answer by trying again
        second = await provision();
      }
      t.like(second, { device: board.id, resumed: true }, `cut at ${cut}`);
    } else t.is(first.device, board.id);
    t.is(keyring().get(board.id)?.pending, undefined, `cut at ${cut}`);
  }

  board.flash.image.set(blank);
  board.start();
  board.mute = 1;
  t.like(await provision(), { device: board.id, resumed: false }, 'asked again, the board says what it has');

  board.flash.image.set(blank);
  board.start();
  board.pulled = 'soon';
  t.is(((await provision()) as Fault).code, 'board-silent');
  t.true(keyring().get(board.id)?.pending);
  board.start();
  t.like(await provision(), { device: board.id, resumed: true });

  board.flash.image.set(blank);
  board.start();
  const size = keyring().size;
  const failing = (after: number): PrivateFiles => {
    let left = after;
    return {
      ...privateFiles,
      replace: (path, bytes) => {
        left -= 1;
        if (left >= 0) return privateFiles.replace(path, bytes);
        return Promise.reject(new Fault('disk-full', 'no room'));
      },
    };
  };
  const full = await provision({}, failing(0));
  t.is((full as Fault).code, 'disk-full');
  t.is(board.id, '', 'before the board was given anything');
  t.is(keyring().size, size);
  const half = await provision({ name: 'half' }, failing(1));
  t.is((half as Fault).code, 'keyring-pending');
  t.true(keyring().get(board.id)?.pending, 'the board works with the entry as it is');
  t.like(await provision({ name: 'half' }), { device: board.id, name: 'half', resumed: true });
  t.is(keyring().byName('half')?.pending, undefined);
});

test('a board that refuses or vanishes leaves its entry pending, and its name taken', async t => {
  const world = await setUp(t);
  if (world === undefined) return;
  const { board, provision, keyring, port } = world;
  board.flash.failAfter(10);
  const refused = (await provision({ name: 'a' })) as Fault;
  t.is(refused.code, 'board-refused');
  t.regex(refused.message, /flash erase failed/);
  t.true(keyring().byName('a')?.pending, 'what seems a refusal may be an old answer');

  const listeners = port.listeners('data') as ((chunk: Buffer) => void)[];
  port.removeAllListeners('data');
  port.on('data', (chunk: Buffer) => {
    if (chunk.length < 40)
      listeners[0](chunk); // answers who, and is pulled before it gets its keys
    else port.removeAllListeners('data');
  });
  const silent = (await provision({ name: 'c' })) as Fault;
  t.is(silent.code, 'board-silent');
  const pending = keyring().byName('c')!;
  t.true(pending.pending);
  port.on('data', listeners[0]);
  const taken = (await provision({ name: 'c' })) as Fault;
  t.is(taken.code, 'name-taken');
  t.regex(taken.remedy, new RegExp(pending.id));
  t.is(board.id, '');
  t.like(await provision({ name: 'b' }), { device: board.id });
});
