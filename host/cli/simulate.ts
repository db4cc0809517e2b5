/** `sovereign simulate`: virtual devices that run the firmware's own device code. */
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { MAX_SAFE } from '../../firmware/seal/index.js';
import type { Config } from '../config.js';
import { mqttBroker } from '../node/broker.js';
import { onWholeGone, tellWhole } from '../node/child.js';
import { systemClock } from '../node/clock.js';
import { openFlashFile, syncDirectory, takeDirectory } from '../node/device-files.js';
import { TcpDialer } from '../node/dial.js';
import { nodeDigest } from '../node/digest.js';
import { busyShares, CORES } from '../node/load.js';
import { silentLog } from '../node/log.js';
import { MqttLinkSource } from '../node/mqtt-link.js';
import { privateFiles } from '../node/private-files.js';
import { systemRandom } from '../node/random.js';
import { SerialSource } from '../node/serial.js';
import { onStopSignal } from '../node/stop-signals.js';
import { systemTerminal } from '../node/terminal.js';
import { configOf, outputOf, usageFault, wholeOption, withConfig, withJson } from './context.js';
import type { Output, Terminal } from './output.js';
import { Bottleneck, type Progress } from './simulate/bottleneck.js';
import { Fleet, type FleetOptions, type FleetPorts } from './simulate/fleet.js';
import { Parts, TELL_MS } from './simulate/parts.js';
import { type Board, openBoards, type Part } from './simulate/state.js';
import { Turnstile } from './simulate/turnstile.js';

interface Options {
  readonly config?: string;
  readonly devices?: number;
  readonly rate: number;
  readonly readings: number;
  readonly link?: string;
  readonly state?: string;
  readonly seed?: number;
  readonly json?: boolean;
  readonly processes?: number;
  readonly part?: Part;
}

const MAX_DEVICES = 4096;
const DEFAULT_DEVICES = 3;
const BAUD = 115_200;
/** Readings a second that one process makes without being busy all the time, on slow machines too. */
const PER_PROCESS = 20_000;
const MAX_PROCESSES = 64;
const LOOK_MS = 1000;
const MQTT = { protocol: '3.1.1', keepAliveSeconds: 30, connectTimeoutMs: 5000 } as const;
/** Below the gateway's `maxUnauthenticated`, also when others connect. */
const MAX_DIALING = 32;

type Target =
  | { readonly kind: 'tcp'; readonly text: string; readonly host: string; readonly port: number }
  | { readonly kind: 'mqtt'; readonly text: string; readonly url: string }
  | { readonly kind: 'serial'; readonly text: string; readonly path: string };

export function register(program: Command, terminal: Terminal = systemTerminal): void {
  const command = program
    .command('simulate')
    .description('run virtual devices: the firmware itself, on virtual boards, over real links')
    .option(
      '--devices <n>',
      `how many (default: ${DEFAULT_DEVICES})`,
      wholeOption('--devices', 1, MAX_DEVICES),
    )
    .option('--rate <hz>', 'readings a second of each device', rateOption, 1)
    .option(
      '--readings <n>',
      'readings that each device makes in this run, start readings and heartbeats included; ends when all of them are receipted; 0: for ever',
      wholeOption('--readings', 0, MAX_SAFE),
      0,
    )
    .option(
      '--link <link>',
      'tcp://HOST:PORT, mqtt://HOST:PORT or serial:PATH (default: links.tcp.listen of the configuration)',
    )
    .option(
      '--state <dir>',
      'what the boards keep in flash: keys, and readings while the gateway is away. A next run is a reboot; stopping or killing this one is a power cut, which costs what was in memory alone: at most the last 10 s away (default: devices/ in the data directory)',
    )
    .option(
      '--seed <n>',
      'of what the sensors measure; never of keys',
      wholeOption('--seed', 0, MAX_SAFE - MAX_DEVICES),
    )
    .option(
      '--processes <n>',
      `that share the devices (default: one for every ${PER_PROCESS.toLocaleString('en-US')} readings a second, at most one a core)`,
      wholeOption('--processes', 1, MAX_PROCESSES),
    )
    .addOption(new Option('--part <i/n>').argParser(partOption).hideHelp());
  withJson(withConfig(command)).action((options: Options) => simulate(options, terminal));
}

async function simulate(options: Options, terminal: Terminal): Promise<void> {
  const config = await configOf(options);
  const target = targetOf(options.link, config);
  const count = options.devices ?? (target.kind === 'serial' ? 1 : DEFAULT_DEVICES);
  if (target.kind === 'serial' && count > 1)
    throw usageFault('--devices: a serial line carries one device', 'give --devices 1, or a tcp link');
  const output = outputOf(options, options.part === undefined ? terminal : notesToWhole(terminal));
  const directory =
    options.state === undefined ? join(config.dataDirectory, 'devices') : resolve(options.state);
  const { rate, readings, part } = options;
  const seed = options.seed ?? randomSeed();
  const open = () => openBoards(directory, count, config.keyringFile, STATE_PORTS, part);
  const fleetOptions = { rate, readings, seed, link: target.text };
  if (part !== undefined) return onePart(await open(), { ...fleetOptions, part }, target, output);
  const wished = options.processes ?? Math.min(CORES, Math.ceil((rate * count) / PER_PROCESS));
  const processes = Math.min(wished, count);
  const lock = await takeDirectory(directory);
  try {
    const boards = await open();
    const run =
      processes > 1
        ? inParts(boards, { ...options, processes, count, directory, seed, config: config.file }, output)
        : alone(boards, fleetOptions, target, output);
    const { sealed, receipted, lost, recovered } = await run;
    const before = recovered > 0 ? `, ${recovered} held from before` : '';
    const summary = `${count} ${count === 1 ? 'device' : 'devices'}: ${sealed} readings sealed${before}, ${receipted} receipted, ${lost} lost`;
    await (output.json ? output.note(summary) : output.line(summary));
  } finally {
    await lock.release();
  }
}

const STATE_PORTS = {
  openFlash: openFlashFile,
  syncDirectory,
  files: privateFiles,
  random: systemRandom,
  digest: nodeDigest,
};

/** All devices in this process. */
async function alone(
  boards: readonly Board[],
  options: FleetOptions,
  target: Target,
  output: Output,
): Promise<Progress> {
  const fleet = new Fleet(boards, options, portsOf(target, output));
  const bottleneck = new Bottleneck(options.rate * boards.length, 1, CORES);
  await running(fleet, LOOK_MS, progress => {
    const text = bottleneck.look(progress, systemClock.monotonic());
    if (text !== undefined) void output.note(text).catch(() => {});
  });
  return fleet.progress();
}

/** The devices of one process of several; what there is to say is said by the one that has started it. */
async function onePart(
  boards: readonly Board[],
  options: FleetOptions,
  target: Target,
  output: Output,
): Promise<void> {
  const fleet = new Fleet(boards, options, portsOf(target, output));
  const forget = onWholeGone(() => fleet.stop());
  try {
    await running(fleet, TELL_MS, progress => tellWhole({ ...progress }));
    tellWhole({ ...fleet.progress() });
  } finally {
    forget();
  }
}

/** Runs them to their end, or until it is told to stop; looks at them now and then. */
async function running(fleet: Fleet, everyMs: number, look: (progress: Progress) => void): Promise<void> {
  const forget = onStopSignal(() => fleet.stop());
  let timer = systemClock.after(everyMs, tick);
  function tick(): void {
    look(fleet.progress());
    timer = systemClock.after(everyMs, tick);
  }
  try {
    await fleet.run();
  } finally {
    timer.cancel();
    forget();
  }
}

async function inParts(
  boards: readonly Board[],
  run: Options & { processes: number; count: number; directory: string; seed: number; config: string },
  output: Output,
): Promise<Progress> {
  // They are enrolled now, all at once; each process opens its own.
  for (const board of boards) board.close();
  const { rate, readings, processes, count, directory, seed, config, link } = run;
  const args = ['simulate', '--config', config, '--devices', `${count}`, '--rate', `${rate}`];
  args.push('--readings', `${readings}`, '--state', directory, '--seed', `${seed}`);
  if (link !== undefined) args.push('--link', link);
  if (output.json) args.push('--json');
  const options = { processes, cores: CORES, devices: count, rate, readings, args };
  const parts = new Parts(options, { output, clock: systemClock });
  const forget = onStopSignal(() => parts.stop());
  try {
    return await parts.run();
  } finally {
    forget();
  }
}

/** What a part would say to people, the whole says: once for all parts. */
function notesToWhole(terminal: Terminal): Terminal {
  const write = async (text: string) => tellWhole({ note: text.trimEnd() });
  return { ...terminal, err: { terminal: false, columns: 80, write } };
}

function portsOf(target: Target, output: Output): FleetPorts {
  return {
    clock: systemClock,
    random: systemRandom,
    digest: nodeDigest,
    output,
    way: wayTo(target),
    busy: busyShares(),
  };
}

function wayTo(target: Target): FleetPorts['way'] {
  const turnstile = new Turnstile(MAX_DIALING);
  return (failed, device) => {
    if (target.kind === 'mqtt') {
      const source = new MqttLinkSource(
        {
          broker: { ...MQTT, url: target.url, clientId: `sovereign-${device}` },
          device,
          maxLinks: 1,
          failed,
        },
        { broker: mqttBroker, clock: systemClock, random: systemRandom, log: silentLog },
      );
      return { source, settled: () => {} };
    }
    if (target.kind === 'serial') {
      const source = new SerialSource({ port: target.path, baud: BAUD }, systemClock, {
        ...silentLog,
        warn: (_event, fields) => failed(String(fields?.problem ?? fields?.reason ?? 'not there')),
      });
      return { source, settled: () => {} };
    }
    const source = new TcpDialer(
      {
        host: target.host,
        port: target.port,
        jitter: () => randomSeed() / 2 ** 48,
        failed,
        admit: go => turnstile.enter(go),
      },
      systemClock,
    );
    return { source, settled: () => source.settled() };
  };
}

function targetOf(link: string | undefined, config: Config): Target {
  if (link === undefined) {
    const listen = config.links.tcp?.listen;
    if (listen === undefined)
      throw usageFault(
        `--link: ${config.file} has no links.tcp to take it from`,
        'give --link tcp://HOST:PORT or --link serial:PATH',
      );
    // A gateway that listens on all addresses is reached on this machine's own.
    const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
    return tcp(host, listen.port);
  }
  const [, six, host, port] =
    /^tcp:\/\/(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s/:[\]]+)):(\d{1,5})\/?$/.exec(link) ?? [];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535)
    return tcp(six ?? host, Number(port));
  const path = /^serial:(.+)$/.exec(link)?.[1];
  if (path !== undefined) return { kind: 'serial', text: link, path };
  if (/^mqtt:\/\/[^\s/@]+\/?$/.test(link) && URL.canParse(link))
    return { kind: 'mqtt', text: link, url: link };
  throw usageFault(
    `--link: expected tcp://HOST:PORT, mqtt://HOST:PORT or serial:PATH, got ${JSON.stringify(link)}`,
  );
}

function tcp(host: string, port: number): Target {
  const text = host.includes(':') ? `tcp://[${host}]:${port}` : `tcp://${host}:${port}`;
  return { kind: 'tcp', text, host, port };
}

function rateOption(text: string): number {
  const value = /^\d{1,4}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0.001 && value <= 1000))
    throw usageFault(`--rate: expected readings a second from 0.001 to 1000, got ${JSON.stringify(text)}`);
  return value;
}

function partOption(text: string): Part {
  const [, number, of] = /^(\d{1,2})\/(\d{1,2})$/.exec(text) ?? [];
  if (!(Number(number) >= 1 && Number(number) <= Number(of)))
    throw usageFault(`--part: expected I/N, got ${JSON.stringify(text)}`);
  return { number: Number(number), of: Number(of) };
}

/** A whole number from 0 to 2^48 - 1. */
function randomSeed(): number {
  const bytes = new Uint8Array(6);
  systemRandom.fill(bytes);
  return bytes.reduce((sum, byte) => 256 * sum + byte, 0);
}
