/** `sovereign simulate`: virtual devices that run the firmware's own device code. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { MAX_SAFE } from '../../firmware/seal/index.js';
import type { Config } from '../config.js';
import { mqttBroker } from '../node/broker.js';
import { systemClock } from '../node/clock.js';
import { openFlashFile, syncDirectory, takeDirectory } from '../node/device-files.js';
import { TcpDialer } from '../node/dial.js';
import { nodeDigest } from '../node/digest.js';
import { silentLog } from '../node/log.js';
import { MqttLinkSource } from '../node/mqtt-link.js';
import { privateFiles } from '../node/private-files.js';
import { systemRandom } from '../node/random.js';
import { SerialSource } from '../node/serial.js';
import { onStopSignal } from '../node/stop-signals.js';
import { systemTerminal } from '../node/terminal.js';
import { configOf, outputOf, usageFault, wholeOption, withConfig, withJson } from './context.js';
import type { Terminal } from './output.js';
import { Fleet, type FleetPorts } from './simulate/fleet.js';
import { openBoards } from './simulate/state.js';
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
}

const MAX_DEVICES = 4096;
const DEFAULT_DEVICES = 3;
const BAUD = 115_200;
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
    );
  withJson(withConfig(command)).action((options: Options) => simulate(options, terminal));
}

async function simulate(options: Options, terminal: Terminal): Promise<void> {
  const config = await configOf(options);
  const target = targetOf(options.link, config);
  const count = options.devices ?? (target.kind === 'serial' ? 1 : DEFAULT_DEVICES);
  if (target.kind === 'serial' && count > 1)
    throw usageFault('--devices: a serial line carries one device', 'give --devices 1, or a tcp link');
  const output = outputOf(options, terminal);
  const directory =
    options.state === undefined ? join(config.dataDirectory, 'devices') : resolve(options.state);
  const lock = await takeDirectory(directory);
  try {
    const boards = await openBoards(directory, count, config.keyringFile, {
      openFlash: openFlashFile,
      syncDirectory,
      files: privateFiles,
      random: systemRandom,
      digest: nodeDigest,
    });
    const seed = options.seed ?? randomSeed();
    const { rate, readings } = options;
    const fleet = new Fleet(
      boards,
      { rate, readings, seed, link: target.text },
      { clock: systemClock, random: systemRandom, digest: nodeDigest, output, way: wayTo(target) },
    );
    const forget = onStopSignal(() => fleet.stop());
    try {
      await fleet.run();
    } finally {
      forget();
    }
    const { sealed, receipted, lost, recovered } = fleet;
    const before = recovered > 0 ? `, ${recovered} held from before` : '';
    const summary = `${count} ${count === 1 ? 'device' : 'devices'}: ${sealed} readings sealed${before}, ${receipted} receipted, ${lost} lost`;
    await (output.json ? output.note(summary) : output.line(summary));
  } finally {
    await lock.release();
  }
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

/** A whole number from 0 to 2^48 - 1. */
function randomSeed(): number {
  const bytes = new Uint8Array(6);
  systemRandom.fill(bytes);
  return bytes.reduce((sum, byte) => 256 * sum + byte, 0);
}
