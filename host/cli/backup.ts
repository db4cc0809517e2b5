/** `sovereign backup`: a copy of a gateway from which another one can go on, taken while it runs. */
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { encrypt, newKeyFile } from '../backup/age.js';
import { archiveOf, type Collected } from '../backup/collect.js';
import { LAST_BACKUP, recordBackup } from '../backup/last.js';
import { chunksOf, openBackup } from '../backup/open.js';
import { backupName, pruneBackups, writeBackup } from '../backup/output.js';
import type { Config } from '../config.js';
import { Fault, systemCode } from '../fault.js';
import { adopt, backupPorts, isDirectory } from '../node/backup-ports.js';
import { systemClock } from '../node/clock.js';
import { systemLog } from '../node/log.js';
import { privateFiles } from '../node/private-files.js';
import { bytesText } from '../texts.js';
import { version } from '../version.js';
import { openFile } from './backup/file.js';
import { type KeyOptions, lockOf, unlockOf, withLock, withUnlock } from './backup/keys.js';
import { findPlace } from './backup/place.js';
import {
  type ConfigOption,
  configOf,
  type JsonOption,
  outputOf,
  usageFault,
  wholeOption,
  withConfig,
  withJson,
} from './context.js';
import type { Output, Terminal } from './output.js';

interface BackupOptions extends ConfigOption, JsonOption, KeyOptions {
  readonly to?: string;
  readonly journal?: boolean;
  readonly keep?: number;
}

const MAX_KEEP = 10_000;

export function register(program: Command, terminal?: Terminal): void {
  const command = program
    .command('backup')
    .description(
      'back a gateway up, running or stopped: keys, configuration, and how far each device had got',
    )
    .option('--to <path>', 'the file, or a directory in which each backup has a name of its own')
    .option('--journal', 'with the readings of the journal; else only what is needed to go on')
    .option('--keep <n>', 'of this gateway’s backups in the directory', wholeOption('--keep', 1, MAX_KEEP));
  withJson(withConfig(withLock(command))).action((options: BackupOptions) => backup(options, terminal));
  withJson(withUnlock(command.command('verify')))
    .argument('<file>', 'a backup')
    .description('open a backup, check every byte of it, and say what it holds')
    .action((file: string, _options: unknown, own: Command) =>
      verify(file, own.optsWithGlobals<KeyOptions & JsonOption>(), terminal),
    );
  command
    .command('key')
    .description('make a key: whoever has the file opens what was encrypted to it')
    .requiredOption('--output <file>', 'where to write it; keep a copy away from the gateway')
    .action(({ output }: { output: string }) => key(output, terminal));
}

async function backup(options: BackupOptions, terminal?: Terminal): Promise<void> {
  const output = outputOf(options, terminal);
  if (options.to === undefined)
    throw usageFault('--to: expected a file or a directory', 'such as --to /media/usb');
  const config = await configOf(options);
  const lock = await lockOf(options);
  const { storage } = backupPorts;
  const target = resolve(options.to);
  const folder = await isFolder(target);
  if (options.keep !== undefined && !folder)
    throw usageFault(
      `--keep goes with a directory, and ${target} is none`,
      'leave it out, or make the directory',
    );
  const found = await findPlace(config, systemLog({ level: 'warn', format: 'text' }));
  try {
    const { site, gateway } = config;
    const at = systemClock.now();
    const path = folder ? join(target, backupName(site, gateway, at)) : target;
    const collected: Collected = { members: 0, bytes: 0, segments: 0, devices: 0 };
    const source = { config, version, at, journal: options.journal === true };
    const archive = archiveOf(
      backupPorts,
      { ...source, place: found.place, status: found.status },
      collected,
    );
    const bytes = await writeBackup(storage, path, await encrypt(archive, lock));
    await recorded(config, at, output);
    const { keep } = options;
    const removed =
      keep === undefined
        ? []
        : await pruneBackups(storage, target, {
            site,
            gateway,
            keep,
            latest: basename(path),
            now: systemClock.now(),
          });
    const { devices, segments } = collected;
    if (output.json) await output.object({ file: path, bytes, devices, segments, removed });
    else {
      const journal = source.journal ? `, ${segments} segments of the journal` : '';
      const gone = removed.length > 0 ? `; ${removed.length} older ones removed` : '';
      await output.line(`${path}: ${bytesText(bytes)}, ${devices} devices${journal}${gone}`);
    }
  } finally {
    await found.release();
  }
}

/** The gateway tells when it was. A backup is one without that, too. */
async function recorded({ dataDirectory, gateway }: Config, at: number, output: Output): Promise<void> {
  try {
    await recordBackup(backupPorts.storage, dataDirectory, gateway, at);
    await adopt(join(dataDirectory, LAST_BACKUP), dataDirectory).catch(() => {});
  } catch (error) {
    const why = systemCode(error) || String(error);
    await output.note(`the gateway will not tell of this backup: can't write ${dataDirectory}: ${why}`);
  }
}

async function verify(file: string, options: KeyOptions & JsonOption, terminal?: Terminal): Promise<void> {
  const output = outputOf(options, terminal);
  const unlock = await unlockOf(options);
  const path = resolve(file);
  const opened = await openFile(path);
  try {
    const { manifest, keyring, place, members, bytes, segments, evidence, files } = await openBackup(
      backupPorts,
      chunksOf(opened),
      unlock,
      path,
    );
    const { version: by, at, site, gateway, journal } = manifest;
    if (output.json) {
      const removed = keyring.removed.size;
      const counts = { devices: keyring.size, removed, heard: place.positions.size, segments, evidence };
      await output.object({
        file: path,
        ok: true,
        site,
        gateway,
        at,
        version: by,
        ...counts,
        journal,
        members,
        bytes,
      });
      return;
    }
    await output.line(`${path}: sound`);
    await output.line(`  of ${gateway} at ${site}, ${new Date(at).toISOString()}, by version ${by}`);
    await output.line(
      `  ${keyring.size} devices in the keyring, ${keyring.removed.size} removed ones, ${place.positions.size} heard`,
    );
    await output.line(
      `  ${files.size} files that the configuration names, ${evidence} forks kept as evidence`,
    );
    await output.line(journal ? `  ${segments} segments of the journal` : '  without the journal');
  } finally {
    await opened.close();
  }
}

async function key(file: string, terminal?: Terminal): Promise<void> {
  const path = resolve(file);
  const { text, recipient } = await newKeyFile(systemClock.now());
  await privateFiles.create(path, new TextEncoder().encode(text));
  const output = outputOf({}, terminal);
  await output.note(`${path}: keep a copy away from this machine; without it no backup opens`);
  await output.line(recipient);
}

/** Whether it goes into this directory, under a name of its own. @throws Fault when there is nowhere to write it */
async function isFolder(path: string): Promise<boolean> {
  const there = await isDirectory(path);
  if (there !== undefined) return there;
  if ((await isDirectory(dirname(path))) === true) return false;
  throw new Fault('backup-not-written', `there is no directory ${dirname(path)}`, 'make it first');
}
