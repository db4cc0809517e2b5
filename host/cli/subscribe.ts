/** `sovereign subscribe`: verified readings from the broker, each once, with their gaps. */
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { MAX_SAFE } from '../../firmware/seal/index.js';
import type { Config } from '../config.js';
import { Fault } from '../fault.js';
import { KeyringWatch } from '../keyring/watch.js';
import { mqttBroker } from '../node/broker.js';
import { systemClock } from '../node/clock.js';
import { nodeDigest } from '../node/digest.js';
import { withFreshAccess } from '../node/fresh-access.js';
import { lockDirectory } from '../node/lock.js';
import { systemLog } from '../node/log.js';
import { privateFiles } from '../node/private-files.js';
import { systemRandom } from '../node/random.js';
import { onStopSignal } from '../node/stop-signals.js';
import { NodeStorage } from '../node/storage.js';
import type { BrokerOptions } from '../ports.js';
import { Subscriber } from '../subscriber/subscriber.js';
import {
  brokerAccessOf,
  configOf,
  outputOf,
  usageFault,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import type { Terminal } from './output.js';
import { Printer } from './subscribe/printer.js';

interface Options {
  readonly config?: string;
  readonly broker?: string;
  readonly id?: string;
  readonly state?: string;
  readonly from?: string;
  readonly readings: number;
  readonly json?: boolean;
}

/** What a file name, an MQTT client id and a person can all bear. */
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function register(program: Command, terminal?: Terminal): void {
  const command = program
    .command('subscribe')
    .description('verify readings from the broker, print each one once, report what is missing')
    .option('--broker <url>', 'mqtt:// or mqtts://, with user:password@ if need be (default: uplink.broker)')
    .option(
      '--id <name>',
      'who is subscribing: the broker keeps what comes while this one is away (default: of the gateway’s name)',
    )
    .option('--state <dir>', 'what was seen already (default: subscribers/ID in the data directory)')
    .addOption(
      new Option(
        '--from <when>',
        'of devices that were never heard: `start` also asks for what the gateways’ journals hold of them, `now` does not (default: start with --id or --state, else now)',
      ).choices(['start', 'now']),
    )
    .option('--readings <n>', 'end after so many; 0: never', wholeOption('--readings', 0, MAX_SAFE), 0);
  withJson(withConfig(command)).action((options: Options) => subscribe(options, terminal));
}

async function subscribe(options: Options, terminal?: Terminal): Promise<void> {
  const config = await configOf(options);
  const id = options.id ?? `subscriber-of-${config.gateway}`.slice(0, 64);
  if (!ID.test(id)) {
    throw usageFault(`--id: expected 1 to 64 letters, digits, "-", "_" or ".", got ${JSON.stringify(id)}`);
  }
  const broker = await brokerOf(options, config, id);
  const directory =
    options.state === undefined ? join(config.dataDirectory, 'subscribers', id) : resolve(options.state);
  const output = outputOf(options, terminal);
  const printer = new Printer(output, systemClock);
  const log = systemLog({ level: config.log.level, format: 'text' });
  const keyring = await KeyringWatch.open(
    { files: privateFiles, clock: systemClock, log },
    config.keyringFile,
  );
  let release = async () => {};
  try {
    release = await takeState(directory);
    const { uplink } = config;
    const ports = {
      // The configuration's files are for the configuration's broker alone.
      broker:
        uplink !== undefined && (options.broker ?? uplink.broker) === uplink.broker
          ? withFreshAccess(mqttBroker, uplink, 'uplink', secret => log.conceal(secret))
          : mqttBroker,
      storage,
      clock: systemClock,
      random: systemRandom,
      log,
      digest: nodeDigest,
      keyring,
      sink: printer,
    };
    const { readings } = options;
    const from = fromOf(options);
    const subscriber = await Subscriber.open(ports, { broker, stateDirectory: directory, readings, from });
    keyring.onChange(() => subscriber.keyringChanged());
    const forget = onStopSignal(() => subscriber.close());
    try {
      await subscriber.run();
    } finally {
      forget();
      printer.end();
    }
  } finally {
    keyring.close();
    await release();
  }
}

/** Whoever has a name wants everything; whoever just looks, what comes. */
function fromOf({ from, id, state }: Options): 'start' | 'now' {
  return from === 'now' || (from === undefined && id === undefined && state === undefined) ? 'now' : 'start';
}

const storage = new NodeStorage();

/** Two subscribers with one state would each miss what the other one has had. */
async function takeState(directory: string): Promise<() => Promise<void>> {
  try {
    await storage.ensureDirectory(directory);
    const lock = await lockDirectory(directory);
    return () => lock.release();
  } catch (error) {
    if (error instanceof Fault && error.code !== 'data-locked' && error.code !== 'data-not-writable')
      throw error;
    const taken = error instanceof Fault && error.code === 'data-locked';
    throw new Fault(
      taken ? 'state-taken' : 'state-unusable',
      taken
        ? `another subscriber uses the state in ${directory}`
        : `can't write the state directory ${directory}: ${(error as Error).message}`,
      taken
        ? 'End it, or give this one another --id.'
        : 'Mend its permissions, or give another one with --state.',
      error,
    );
  }
}

/** The configuration's credentials are for the configuration's broker alone. */
async function brokerOf(
  options: Options,
  config: Config,
  clientId: string,
): Promise<Omit<BrokerOptions, 'cleanStart' | 'will'>> {
  const { uplink } = config;
  const common = {
    clientId,
    protocol: uplink?.protocol ?? ('5' as const),
    keepAliveSeconds: uplink?.keepAliveSeconds ?? 30,
    connectTimeoutMs: uplink?.connectTimeoutMs ?? 10_000,
  };
  const { broker } = options;
  if (broker === undefined || broker === uplink?.broker) {
    const access = await brokerAccessOf(config);
    return { ...common, ...access, url: uplink!.broker };
  }
  if (!/^(mqtts?|wss?):\/\/[^\s/]/.test(broker) || !URL.canParse(broker)) {
    throw usageFault(
      `--broker: expected mqtt://HOST:PORT or mqtts://HOST:PORT, got ${JSON.stringify(broker)}`,
    );
  }
  const { username, password } = new URL(broker);
  return {
    ...common,
    url: broker,
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
  };
}
