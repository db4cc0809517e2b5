/**
 * `npm start`: the whole way of a reading on one machine. An embedded broker, and the same commands that a
 * site runs, each as a process of its own: gateway, simulate, subscribe.
 */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { MAX_SAFE } from '../../firmware/seal/index.js';
import { Fault } from '../fault.js';
import { Keyring } from '../keyring/file.js';
import { type Child, freeLoopbackPort, startSelf } from '../node/child.js';
import { startEmbeddedBroker } from '../node/embedded-broker.js';
import { privateFiles } from '../node/private-files.js';
import { onStopSignal } from '../node/stop-signals.js';
import { NodeStorage } from '../node/storage.js';
import { outputOf, wholeOption } from './context.js';

interface Options {
  readonly readings: number;
  readonly devices: number;
  readonly rate: string;
  readonly dir: string;
}

/** Of the page, when it is free. */
const PAGE_PORT = 8480;

export function register(program: Command): void {
  program
    .command('start')
    .description('try everything on this machine: broker, gateway, virtual devices, verified readings')
    .option(
      '--readings <n>',
      'end after so many verified readings; 0: never',
      wholeOption('--readings', 0, MAX_SAFE),
      0,
    )
    .option('--devices <n>', 'virtual devices', wholeOption('--devices', 1, 100), 3)
    .option('--rate <hz>', 'readings a second of each', '1')
    .option('--dir <dir>', 'what is kept from one run to the next', '.sovereign')
    .action(start);
}

async function start(options: Options): Promise<void> {
  const directory = resolve(options.dir);
  const config = join(directory, 'config.yaml');
  const broker = await startEmbeddedBroker();
  const log = join(directory, 'log.txt');
  const background: Child[] = [];
  try {
    const page = await freeLoopbackPort(PAGE_PORT);
    await prepare(directory, config, broker.url, page);
    const output = outputOf({});
    await output.note(
      `Three parts of a site run here, and a broker (${broker.url}). What they say goes to ${log}.`,
    );
    await output.note(`The gateway's page: http://127.0.0.1:${page}`);
    await output.note('Each line below is a reading that the subscriber has verified. Ctrl-C ends it.\n');
    const withConfig = ['--config', config];
    const subscriber = startSelf(['subscribe', '--readings', String(options.readings), ...withConfig]);
    // The devices before the gateway: it then finds their keys in the keyring from the beginning.
    const devices = ['--devices', String(options.devices), '--rate', options.rate];
    background.push(startSelf(['simulate', ...devices, ...withConfig], log));
    background.push(startSelf(['gateway', ...withConfig], log));
    const forget = onStopSignal(() => subscriber.stop());
    const partEnded = Promise.race(background.map(part => part.ended)).then(() => 'part' as const);
    const first = await Promise.race([subscriber.ended, partEnded]);
    forget();
    if (first === 'part') {
      subscriber.stop();
      throw new Fault('start-failed', 'a part of the site has ended by itself', `${log} says why`);
    }
    process.exitCode = first;
  } finally {
    for (const part of background) part.stop();
    await Promise.all(background.map(part => part.ended));
    await broker.close();
  }
}

/** Ports and broker are new in each run; keys, flash and journal stay. */
async function prepare(directory: string, config: string, broker: string, page: number): Promise<void> {
  await new NodeStorage().ensureDirectory(directory);
  const keyring = join(directory, 'keyring.yaml');
  const bytes = (text: string) => new TextEncoder().encode(text);
  if ((await privateFiles.stamp(keyring)) === '')
    await privateFiles.create(keyring, bytes(new Keyring([]).render()));
  const text = `# Written by each \`npm start\`.
site: home
gateway: here
links: { tcp: { listen: "127.0.0.1:${await freeLoopbackPort()}" } }
web: { listen: "127.0.0.1:${page}" }
uplink: { broker: "${broker}", protocol: 3.1.1 }
`;
  await privateFiles.replace(config, bytes(text));
}
