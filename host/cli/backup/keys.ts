/** What a backup is locked and opened with, from the command line. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type KeyFile, type Lock, MIN_PASSPHRASE_CHARS, readKeys, type Unlock } from '../../backup/age.js';
import { Fault } from '../../fault.js';
import { shellWord } from '../../keyring/file.js';
import { privateFiles } from '../../node/private-files.js';
import { askSecret } from '../../node/prompt.js';
import { usageFault } from '../context.js';

export interface KeyOptions {
  readonly keyFile?: string;
  readonly recipient?: readonly string[];
  readonly passphraseFile?: string;
}

const MAX_FILE_BYTES = 64 * 1024;

export function withUnlock(command: Command): Command {
  return command
    .option('--key-file <file>', 'the secret key, as `sovereign backup key` or age-keygen wrote it')
    .option('--passphrase-file <file>', 'its first line (default: asked for at the terminal)');
}

export function withLock(command: Command): Command {
  return command
    .option('--key-file <file>', 'encrypt to the keys in this file; public ones (age1…) are enough')
    .addOption(
      new Option('--recipient <key>', 'encrypt to this public key, age1…; may be given several times')
        .argParser((key: string, before: string[] = []) => [...before, key])
        .default(undefined),
    )
    .option('--passphrase-file <file>', 'encrypt with its first line (default: asked for at the terminal)');
}

/** @throws Fault */
export async function lockOf(options: KeyOptions): Promise<Lock> {
  const { keyFile, recipient = [], passphraseFile } = options;
  if (passphraseFile !== undefined && (keyFile !== undefined || recipient.length > 0))
    throw usageFault('a backup is encrypted either with a passphrase or to keys', 'leave one of them out');
  if (keyFile !== undefined || recipient.length > 0) {
    const given = await readKeys(recipient.join('\n'), '--recipient', true);
    const { recipients } = keyFile === undefined ? { recipients: [] } : await keysIn(keyFile);
    return { recipients: [...given.recipients, ...recipients] };
  }
  const passphrase = await passphraseOf(passphraseFile, true);
  if (passphrase.length < MIN_PASSPHRASE_CHARS)
    throw new Fault(
      'passphrase-short',
      `the passphrase has ${passphrase.length} characters, expected at least ${MIN_PASSPHRASE_CHARS}: whoever has the file can try as many as he likes`,
      'take five or six words at random, or a key file (sovereign backup key)',
    );
  return { passphrase };
}

/** @throws Fault */
export async function unlockOf({ keyFile, passphraseFile }: KeyOptions): Promise<Unlock> {
  if (keyFile !== undefined && passphraseFile !== undefined)
    throw usageFault('a backup is opened either with a passphrase or with a key', 'leave one of them out');
  if (keyFile === undefined) return { passphrase: await passphraseOf(passphraseFile, false) };
  const { identities } = await keysIn(keyFile);
  if (identities.length > 0) return { identities };
  throw new Fault(
    'backup-key',
    `${resolve(keyFile)} has public keys alone, which open nothing`,
    'give the file with the secret key, AGE-SECRET-KEY-1…',
  );
}

async function keysIn(file: string): Promise<KeyFile> {
  const path = resolve(file);
  const { text, mode } = await read(path, 'key file');
  const keys = await readKeys(text, path);
  if (keys.identities.length > 0) mustBePrivate(path, mode);
  return keys;
}

async function passphraseOf(file: string | undefined, twice: boolean): Promise<string> {
  if (file !== undefined) {
    const path = resolve(file);
    const { text, mode } = await read(path, 'passphrase file');
    mustBePrivate(path, mode);
    return text.split(/\r?\n/, 1)[0];
  }
  const first = await askSecret('Passphrase of the backup: ');
  if (first === undefined)
    throw usageFault('there is no terminal to ask for a passphrase', 'give --key-file or --passphrase-file');
  if (twice && (await askSecret('Once more: ')) !== first)
    throw usageFault('the two passphrases differ', 'begin again');
  return first;
}

async function read(path: string, what: string): Promise<{ text: string; mode: number }> {
  const found = await privateFiles.read(path, MAX_FILE_BYTES);
  if (found === undefined)
    throw new Fault(
      'file-missing',
      `there is no ${what} ${path}`,
      'sovereign backup key --output FILE makes a key',
    );
  return { text: new TextDecoder().decode(found.bytes), mode: found.mode };
}

function mustBePrivate(path: string, mode: number): void {
  if ((mode & 0o077) === 0) return;
  throw new Fault(
    'key-readable',
    `${path} has mode ${(mode & 0o7777).toString(8).padStart(4, '0')}: others than its owner may read it, expected 0600`,
    `chmod 600 ${shellWord(path)}`,
  );
}
