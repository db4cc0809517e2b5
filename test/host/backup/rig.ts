/** A gateway's directories with something in all of them, and the ways into and out of a backup. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { decrypt, encrypt, type Lock, newKeyFile, readKeys, type Unlock } from '../../../host/backup/age.js';
import { archiveOf, type Collected } from '../../../host/backup/collect.js';
import type { GatewayPlace } from '../../../host/backup/contents.js';
import { chunksOf, openBackup } from '../../../host/backup/open.js';
import type { BackupPorts } from '../../../host/backup/ports.js';
import { type Restored, type RestoreOptions, restore } from '../../../host/backup/restore.js';
import type { Chunks } from '../../../host/backup/tar.js';
import { type Config, parseConfig } from '../../../host/config.js';
import { Cursor } from '../../../host/journal/cursor.js';
import { Journal } from '../../../host/journal/journal.js';
import { KeyringDraft } from '../../../host/keyring/edit.js';
import type { KeyringEntry } from '../../../host/keyring/entry.js';
import { Keyring } from '../../../host/keyring/file.js';
import { adopt, backupPorts, removeDirectory } from '../../../host/node/backup-ports.js';
import { privateFiles } from '../../../host/node/private-files.js';
import type { LinkingStorage, Log } from '../../../host/ports.js';
import { DEVICES, reading, silent, store, TestClock } from '../journal/world.js';

export const clock = new TestClock();
export const BACKUP_AT = 1_780_000_000_000;
export const REMOVED = '00000000000000dd';
const EVIDENCE = '00000000000000aa-5-3-0102030405060708.json';

export async function temporary(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'backup-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function keyring(): Keyring {
  const entry = (id: string, name: string): KeyringEntry => {
    const chain = new Uint8Array(32).fill(id.charCodeAt(15));
    return { id, name, epoch: 0, chain, down: chain };
  };
  const draft = new KeyringDraft(new Keyring([]));
  for (const [i, id] of DEVICES.entries()) draft.add(entry(id, `probe-${i}`));
  draft.add(entry(REMOVED, 'gone'));
  draft.remove(REMOVED);
  return draft.build();
}

export interface Old {
  readonly root: string;
  readonly config: Config;
  readonly journal: Journal;
  readonly cursor: Cursor;
  place(): GatewayPlace;
  close(): Promise<void>;
}

/** Readings 0 to 29 of two devices, published up to reading 20. */
export async function oldGateway(t: ExecutionContext, more = ''): Promise<Old> {
  const root = await temporary(t);
  const [etc, data] = [join(root, 'etc'), join(root, 'var')];
  for (const directory of [etc, join(etc, 'credentials'), data, join(data, 'evidence'), join(root, 'tls')])
    await mkdir(directory, { recursive: true });
  const text = `# A comment that stays.
site: cellar
gateway: gw-old # and this one
data: ${data}
links: { tcp: { listen: "127.0.0.1:0" } }
uplink:
  broker: mqtts://broker:8883
  username: gateway
  passwordFile: credentials/mqtt   # relative
  ca: ${etc}/credentials/ca.pem    # absolute, within
  cert: ../tls/client.pem          # outside
  key: ${root}/tls/client.key
${more}`;
  const config = parseConfig(text, join(etc, 'config.yaml'));
  await writeFile(config.file, text);
  await writeFile(config.keyringFile, keyring().render(), { mode: 0o600 });
  for (const [path, content] of Object.entries({
    'etc/credentials/mqtt': 'secret\n',
    'etc/credentials/ca.pem': 'CA',
    'tls/client.pem': 'CERT',
    'tls/client.key': 'KEY',
    [`var/evidence/${EVIDENCE}`]: '{}\n',
    'var/device-settings.json': '{"format":1,"devices":{}}\n',
  }))
    await writeFile(join(root, path), content);
  const { storage } = backupPorts;
  const cursor = await Cursor.open(storage, join(data, 'cursors'), 'uplink');
  const journal = await Journal.open(
    { storage, clock, log: silent },
    { directory: join(data, 'journal'), segmentBytes: 3000 },
    [cursor],
  );
  for (let seq = 0; seq < 30; seq++) {
    await store(journal, reading(DEVICES[0], 5, seq), reading(DEVICES[1], 2, seq));
    if (seq === 20) await cursor.save(journal.durableOffset);
  }
  const close = async () => {
    await journal.close();
    await cursor.close();
  };
  t.teardown(close);
  const place = () => {
    const { offset, ranges } = cursor;
    return { ...journal.checkpoint(), cursors: { uplink: { offset, ranges } } };
  };
  return { root, config, journal, cursor, place, close };
}

export async function keys(): Promise<{ lock: Lock; unlock: Unlock; text: string }> {
  const { text } = await newKeyFile(BACKUP_AT);
  const { recipients, identities } = await readKeys(text, 'key');
  return { lock: { recipients }, unlock: { identities }, text };
}

export async function bytesOf(chunks: Chunks): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

export async function* inPieces(bytes: Uint8Array, size = 1000): Chunks {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface Taken {
  readonly sealed: Buffer;
  readonly archive: Buffer;
  readonly unlock: Unlock;
  readonly collected: Collected;
}

export async function take(
  { config }: Pick<Old, 'config'>,
  place: GatewayPlace,
  options: { journal?: boolean; status?: unknown; ports?: BackupPorts } = {},
): Promise<Taken> {
  const { lock, unlock } = await keys();
  const { journal = false, ports = backupPorts, ...rest } = options;
  const collected = { members: 0, bytes: 0, segments: 0, devices: 0 };
  const source = { config, place, version: '0.1.0', at: BACKUP_AT, journal, ...rest };
  const archive = await bytesOf(archiveOf(ports, source, collected));
  return { sealed: await bytesOf(await encrypt(inPieces(archive), lock)), archive, unlock, collected };
}

/** The same archive after a change, encrypted to the same key again. */
export async function sealAgain(archive: Uint8Array): Promise<Pick<Taken, 'sealed' | 'unlock'>> {
  const { lock, unlock } = await keys();
  return { sealed: await bytesOf(await encrypt(inPieces(archive), lock)), unlock };
}

export function open({ sealed, unlock }: Pick<Taken, 'sealed' | 'unlock'>) {
  return openBackup(backupPorts, inPieces(sealed), unlock, 'FILE');
}

export async function unsealed({ sealed, unlock }: Pick<Taken, 'sealed' | 'unlock'>): Promise<Buffer> {
  return bytesOf(await decrypt(inPieces(sealed), unlock, 'FILE'));
}

/** Into `new/etc` and `new/var` of a directory. */
export function restoreInto(
  root: string,
  { sealed, unlock }: Pick<Taken, 'sealed' | 'unlock'>,
  options: Partial<RestoreOptions> & { storage?: LinkingStorage; log?: Log } = {},
): Promise<Restored> {
  const { storage = backupPorts.storage, log = silent, ...more } = options;
  const ports = {
    ...{ ...backupPorts, storage, clock, log, files: privateFiles, adopt, removeDirectory },
  };
  const where = { path: 'FILE', directory: join(root, 'new/etc'), data: join(root, 'new/var') };
  return restore(ports, inPieces(sealed), unlock, { ...where, gateway: 'gw-new', replace: false, ...more });
}

export async function prepare(root: string): Promise<void> {
  for (const name of ['new/etc', 'new/var']) await mkdir(join(root, name), { recursive: true });
}

export async function journalOf(data: string): Promise<Journal> {
  const { storage } = backupPorts;
  return Journal.open({ storage, clock, log: silent }, { directory: join(data, 'journal') });
}

export const textOf = (...path: string[]) => readFile(join(...path), 'utf8');
export { chunksOf };
