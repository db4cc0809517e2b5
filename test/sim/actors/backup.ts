/**
 * Backups by the product's own code. One is taken while everything goes on: the place by a control call, the files over the
 * machine's disk. A restore happens in no time, on a machine on which nothing goes wrong until it is done: what may go
 * wrong there is in `test/host/backup/`.
 */
import { encrypt, type Lock, newKeyFile, readKeys, type Unlock } from '../../../host/backup/age.js';
import { archiveOf } from '../../../host/backup/collect.js';
import { type GatewayPlace, readPlace } from '../../../host/backup/contents.js';
import type { BackupPorts, ReadFile } from '../../../host/backup/ports.js';
import { type Restored, restore } from '../../../host/backup/restore.js';
import type { Chunks } from '../../../host/backup/tar.js';
import { systemCode } from '../../../host/fault.js';
import { Keyring } from '../../../host/keyring/file.js';
import { backupPorts } from '../../../host/node/backup-ports.js';
import type { Clock, LinkingStorage, Storage } from '../../../host/ports.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';
import type { Disk } from '../disk/disk.js';
import type { Range } from '../disk/inode.js';
import type { Life } from '../kernel/life.js';
import { SimClock } from '../kernel/sim-clock.js';
import { systemError } from '../kernel/violation.js';
import { DATA_DIRECTORY, type GatewayMachine } from './gateway.js';
import type { SimKeyring } from './sim-keyring.js';

export interface Backup {
  readonly from: string;
  readonly withJournal: boolean;
  readonly place: GatewayPlace;
  readonly archive: Uint8Array;
  /** What the medium had destroyed of the segments, by name. */
  readonly destroyed: ReadonlyMap<string, readonly Range[]>;
}

export interface BackupParts {
  /** Of the process that takes it. */
  readonly life: Life;
  readonly storage: Storage;
  readonly disk: Disk;
  readonly keyring: SimKeyring;
  /** Told where the gateway stands, at that moment. */
  readonly placed: (place: GatewayPlace) => void;
}

const ETC = '/etc/sovereign';
const { hash } = backupPorts;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** @throws what the disk refuses, as a Fault or an error of the system */
export async function takeBackup(
  { gateway, config, wall }: GatewayMachine,
  parts: BackupParts,
  withJournal: boolean,
): Promise<Backup> {
  const { life, storage, disk, keyring, placed } = parts;
  // As they come over the socket.
  const place = readPlace(JSON.parse(JSON.stringify(await gateway!.handlers.checkpoint({}))));
  placed(place);
  const status = await gateway!.handlers.status({});
  const texts = new Map([
    [`${ETC}/config.yaml`, `site: ${config.site}\ngateway: ${config.gateway}\ndata: ${DATA_DIRECTORY}\n`],
    [`${ETC}/keyring.yaml`, new Keyring([...keyring.entries()]).render()],
  ]);
  const readFile: ReadFile = async (path, maxBytes) => {
    const text = texts.get(path);
    return text === undefined ? wholeFile(storage, path, maxBytes) : Buffer.from(text);
  };
  const ports: BackupPorts = { storage: unlinked(storage), readFile, hash };
  const named = { ...config, file: `${ETC}/config.yaml`, keyringFile: `${ETC}/keyring.yaml` };
  const at = new SimClock(life, wall).now();
  const collected = { members: 0, bytes: 0, segments: 0, devices: 0 };
  const source = { config: named, place, status, version: '0.0.0', at, journal: withJournal };
  const archive = await bytesOf(archiveOf(ports, source, collected));
  const destroyed = new Map<string, readonly Range[]>();
  for (const file of disk.files())
    if (file.directory?.path === `${DATA_DIRECTORY}/journal`) destroyed.set(file.name, [...file.destroyed]);
  return { from: config.gateway, withJournal, place, archive, destroyed };
}

/** The files of the new data directory, by path, beside what the restore says of itself. */
export async function restoreBackup(
  { archive }: Backup,
  gateway: string,
  clock: Clock,
): Promise<{ readonly restored: Restored; readonly files: ReadonlyMap<string, Uint8Array> }> {
  keys ??= newKeys();
  const { lock, unlock } = await keys;
  const storage = new MemoryStorage();
  const ports = {
    storage: unlinked(storage),
    readFile: (path: string, maxBytes: number) => wholeFile(storage, path, maxBytes),
    ...{ hash, clock, log: silent },
    files: {
      ...{ read: absent, create: absent, locked: absent, stamp: absent },
      replace: async (path: string, bytes: Uint8Array) => void storage.files.set(path, bytes),
    },
    removeDirectory: async () => {},
    adopt: async () => {},
  };
  const sealed = await encrypt(pieces(archive), lock);
  const where = { path: 'BACKUP', directory: ETC, data: DATA_DIRECTORY, gateway, replace: false };
  const restored = await restore(ports, sealed, unlock, where);
  const files = new Map([...storage.files].filter(([path]) => path.startsWith(`${DATA_DIRECTORY}/`)));
  return { restored, files };
}

let keys: Promise<{ lock: Lock; unlock: Unlock }> | undefined;

async function newKeys(): Promise<{ lock: Lock; unlock: Unlock }> {
  const { recipients, identities } = await readKeys((await newKeyFile(0)).text, 'key');
  return { lock: { recipients }, unlock: { identities } };
}

/** Where there are no links, a restore does without. */
function unlinked<T extends Storage>(storage: T): T & LinkingStorage {
  return Object.assign(storage, { link: () => Promise.reject(systemError('EPERM')) });
}

function absent(): never {
  throw new Error('a restore does not call this');
}

async function wholeFile(storage: Storage, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    const file = await storage.open(path, 'read');
    try {
      const bytes = new Uint8Array(Math.min(maxBytes, await file.size()));
      await file.read(bytes, 0);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function bytesOf(chunks: Chunks): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

async function* pieces(bytes: Uint8Array): Chunks {
  yield bytes;
}
