/**
 * Backups are encrypted in the age format (age-encryption.org/v1), so that `age` opens them where this program is not at
 * hand: to recipients, whose secret key need not be on the gateway, or with a passphrase. Everything is streamed, in chunks
 * of 64 KiB that are authenticated one by one; a file that was cut off or altered is told as such.
 */
import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { Fault } from '../fault.js';
import type { Chunks } from './tar.js';

/** What a backup is encrypted with. */
export type Lock = { readonly passphrase: string } | { readonly recipients: readonly string[] };
/** What opens it. */
export type Unlock = { readonly passphrase: string } | { readonly identities: readonly string[] };

/** The first bytes of every age file. */
export const AGE_BEGIN = 'age-encryption.org/v1\n';
/**
 * Of scrypt, as a power of two: 64 MiB of memory, which every board has, where age itself takes 256 MiB. A passphrase that
 * is long enough makes up for it.
 */
const WORK_FACTOR = 16;
export const MIN_PASSPHRASE_CHARS = 12;
const MAX_KEYS = 64;

const RECIPIENT = /^age1[02-9ac-hj-np-z]{58}$/;
const IDENTITY = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/;

/** A key file, as `age-keygen` and `sovereign backup key` write them: one key a line, `#` begins a comment. */
export interface KeyFile {
  /** Those that stand there, and those of the identities. */
  readonly recipients: readonly string[];
  readonly identities: readonly string[];
}

/** @throws Fault `backup-key` that names the line, or says that there is no key */
export async function readKeys(text: string, file: string, noneIsFine = false): Promise<KeyFile> {
  const recipients: string[] = [];
  const identities: string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (IDENTITY.test(line)) {
      identities.push(line);
      recipients.push(await identityToRecipient(line).catch(() => badKey(file, index)));
    } else if (RECIPIENT.test(line)) recipients.push(line);
    else badKey(file, index);
    if (recipients.length > MAX_KEYS)
      throw new Fault(
        'backup-key',
        `${file} has more than ${MAX_KEYS} keys`,
        'look whether this is the right file',
      );
  }
  if (recipients.length === 0 && !noneIsFine)
    throw new Fault('backup-key', `${file} has no key in it`, 'sovereign backup key --output FILE makes one');
  return { recipients, identities };
}

function badKey(file: string, index: number): never {
  // The line itself may be a secret with a slip in it.
  throw new Fault(
    'backup-key',
    `${file}:${index + 1}: expected a key of age, age1… or AGE-SECRET-KEY-1…`,
    'age-keygen and sovereign backup key write such files',
  );
}

/** The text of a new key file. */
export async function newKeyFile(createdMs: number): Promise<{ text: string; recipient: string }> {
  const identity = await generateIdentity();
  const recipient = await identityToRecipient(identity);
  const text = `# created: ${new Date(createdMs).toISOString()}\n# public key: ${recipient}\n${identity}\n`;
  return { text, recipient };
}

/** @throws Fault `backup-key` when a recipient is none after all */
export async function encrypt(plain: Chunks, lock: Lock): Promise<Chunks> {
  const encrypter = new Encrypter();
  if ('passphrase' in lock) {
    encrypter.setPassphrase(lock.passphrase);
    encrypter.setScryptWorkFactor(WORK_FACTOR);
  } else {
    for (const recipient of lock.recipients) {
      try {
        encrypter.addRecipient(recipient);
      } catch (error) {
        throw new Fault(
          'backup-key',
          `${recipient} is no recipient of age`,
          'mend it, or make a new key',
          error,
        );
      }
    }
  }
  return encrypter.encrypt(ReadableStream.from(plain));
}

/** @throws Fault `backup-form` (no age file), `backup-key-wrong`; and while it is read `backup-damaged` */
export async function decrypt(sealed: Chunks, unlock: Unlock, file: string): Promise<Chunks> {
  const decrypter = new Decrypter();
  if ('passphrase' in unlock) decrypter.addPassphrase(unlock.passphrase);
  else for (const identity of unlock.identities) decrypter.addIdentity(identity);
  const source = watched(sealed);
  try {
    const plain = await decrypter.decrypt(ReadableStream.from(source.chunks));
    return authenticated(plain, source, file);
  } catch (error) {
    throw source.fault ?? opening(error, file);
  }
}

/** Errors of the disk are not errors of what stands on it. */
function watched(sealed: Chunks): { chunks: Chunks; fault: unknown } {
  const source: { chunks: Chunks; fault: unknown } = { chunks: sealed, fault: undefined };
  source.chunks = (async function* () {
    try {
      yield* sealed;
    } catch (error) {
      source.fault = error;
      throw error;
    }
  })();
  return source;
}

async function* authenticated(plain: Chunks, source: { fault: unknown }, file: string): Chunks {
  const chunks = plain[Symbol.asyncIterator]();
  for (;;) {
    // Only what the decryption throws is its own, and not what is done with the bytes.
    const next = await chunks.next().catch(error => {
      throw (
        source.fault ??
        new Fault(
          'backup-damaged',
          `${file} has been altered or cut off: ${error instanceof Error ? error.message : String(error)}`,
          'take another backup; sovereign backup verify tells whether it is whole',
          error,
        )
      );
    });
    if (next.done === true) return;
    yield next.value;
  }
}

function opening(error: unknown, file: string): Fault {
  const text = error instanceof Error ? error.message : String(error);
  if (/no identity matched/.test(text))
    return new Fault(
      'backup-key-wrong',
      `${file} can't be opened with this key or passphrase`,
      'give the key file or the passphrase that it was made with',
      error,
    );
  if (/invalid version/.test(text))
    return new Fault(
      'backup-form',
      `${file} is no file of age: ${text}`,
      'give a file that `sovereign backup` has made',
      error,
    );
  return new Fault(
    'backup-damaged',
    `the begin of ${file} has been altered or cut off: ${text}`,
    'take another backup',
    error,
  );
}
