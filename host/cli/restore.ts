/** `sovereign restore`: makes a gateway of a backup, on other hardware or in other directories. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { toHex } from '../../firmware/seal/index.js';
import { chunksOf } from '../backup/open.js';
import { type Restored, restore as restoreBackup } from '../backup/restore.js';
import { GATEWAY_NAME } from '../journal/entry.js';
import { shellWord } from '../keyring/file.js';
import { adopt, backupPorts, removeDirectory } from '../node/backup-ports.js';
import { systemClock } from '../node/clock.js';
import { lockDirectory } from '../node/lock.js';
import { systemLog } from '../node/log.js';
import { privateFiles } from '../node/private-files.js';
import { systemRandom } from '../node/random.js';
import { durationText } from '../texts.js';
import { openFile } from './backup/file.js';
import { type KeyOptions, unlockOf, withUnlock } from './backup/keys.js';
import { type JsonOption, outputOf, usageFault, withJson } from './context.js';
import type { Output, Terminal } from './output.js';

interface RestoreOptions extends JsonOption, KeyOptions {
  readonly dir: string;
  readonly data?: string;
  readonly gateway?: string;
  readonly replace?: boolean;
}

const RANDOM_BYTES = 4;

export function register(program: Command, terminal?: Terminal): void {
  const command = program
    .command('restore')
    .description('make a gateway of a backup: it goes on where the old one stopped, under a new name')
    .argument('<file>', 'a backup')
    .requiredOption('--dir <dir>', 'where configuration and keyring go')
    .option('--data <dir>', 'the data directory (default: data in --dir)')
    .option('--gateway <name>', 'what the gateway is called from now on (default: a name at random)')
    .option('--replace', 'move a gateway that is there aside; nothing is deleted');
  withJson(withUnlock(command)).action((file: string, options: RestoreOptions) =>
    restore(file, options, terminal),
  );
}

async function restore(file: string, options: RestoreOptions, terminal?: Terminal): Promise<void> {
  const output = outputOf(options, terminal);
  const path = resolve(file);
  const directory = resolve(options.dir);
  const data = options.data === undefined ? join(directory, 'data') : resolve(options.data);
  const gateway = options.gateway ?? randomName();
  if (!GATEWAY_NAME.test(gateway))
    throw usageFault(
      `--gateway: expected a name of 1 to 64 letters, digits, "-", "_" or ".", got ${JSON.stringify(gateway)}`,
    );
  const unlock = await unlockOf(options);
  const sealed = await openFile(path);
  try {
    for (const made of [directory, data]) await backupPorts.storage.ensureDirectory(made);
    // Before anything is looked at: no gateway starts there meanwhile, and none runs there.
    const lock = await lockDirectory(data);
    try {
      const ports = {
        ...{
          ...backupPorts,
          clock: systemClock,
          log: systemLog({ level: 'warn', format: 'text' }),
          files: privateFiles,
        },
        ...{ adopt, removeDirectory },
      };
      const where = { path, directory, data, gateway, replace: options.replace === true };
      await say(await restoreBackup(ports, chunksOf(sealed), unlock, where), output);
    } finally {
      await lock.release();
    }
  } finally {
    await sealed.close();
  }
}

function randomName(): string {
  const random = new Uint8Array(RANDOM_BYTES);
  systemRandom.fill(random);
  return `gw-${toHex(random)}`;
}

async function say(restored: Restored, output: Output): Promise<void> {
  const { config, from, backupAt, devices, segments, offset, aside } = restored;
  const { file, gateway, links, uplink } = config;
  if (output.json) {
    await output.object({ config: file, gateway, from, backupAt, devices, segments, offset, aside });
    return;
  }
  for (const path of aside) await output.note(`moved aside: ${path}`);
  const age = durationText(Math.max(0, systemClock.now() - backupAt));
  await output.line(
    `${file}: ${gateway}, which goes on for ${from} from where ${devices} devices stood ${age} ago`,
  );
  const ports = links.serial.map(({ port }) => port);
  if (ports.length > 0)
    await output.note(`look whether the serial ports are still called ${ports.join(', ')}`);
  if (uplink !== undefined)
    await output.note(`it will publish to ${uplink.broker}: look whether that leads there from here`);
  await output.note(
    `leave ${from} switched off; then start this one: sovereign gateway --config ${shellWord(file)}`,
  );
}
