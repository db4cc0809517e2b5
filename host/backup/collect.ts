/**
 * Collects the members of a backup. The gateway's place is one instant of it; the files are read afterwards, each as a whole
 * or up to where that instant says, so that together they are what a gateway could have been stopped with.
 */
import { basename, dirname, join } from 'node:path';
import { pathText } from '../config/document.js';
import { type NamedFile, namedFiles } from '../config/files.js';
import { type Config, MAX_CONFIG_BYTES } from '../config.js';
import { Fault, systemCode } from '../fault.js';
import { segmentName } from '../journal/names.js';
import { MAX_KEYRING_BYTES } from '../keyring/entry.js';
import type { StorageFile } from '../ports.js';
import {
  type BackupManifest,
  CONFIG,
  DATA_FILES,
  FILES,
  FORMAT,
  type GatewayPlace,
  KEYRING,
  MANIFEST,
  MAX_MEMBER_BYTES,
  placeObject,
  STATE,
  STATUS,
  SUMS,
} from './contents.js';
import type { BackupPorts } from './ports.js';
import { type Chunks, END, memberHeader, padding } from './tar.js';

export interface BackupSource {
  readonly config: Config;
  readonly place: GatewayPlace;
  /** What the gateway says of itself, for whoever looks into the backup; absent when it is not running. */
  readonly status?: unknown;
  readonly version: string;
  /** Unix ms. */
  readonly at: number;
  /** With the journal's segments. */
  readonly journal: boolean;
}

/** What went into it. */
export interface Collected {
  members: number;
  bytes: number;
  segments: number;
  devices: number;
}

const COPY_BYTES = 256 * 1024;
const MAX_FILE_BYTES = 256 * 1024;

/**
 * The archive, not yet encrypted. `collected` is filled while it is read.
 * @throws Fault while it is read: `backup-file` for a file that is not there or not readable
 */
export async function* archiveOf(ports: BackupPorts, source: BackupSource, collected: Collected): Chunks {
  const { config, place, at } = source;
  const sums: string[] = [];
  const directory = dirname(config.file);
  collected.devices = place.positions.size;

  async function* member(name: string, sizeBytes: number, body: Chunks): Chunks {
    const hash = ports.hash();
    yield memberHeader(name, sizeBytes, at);
    for await (const chunk of body) {
      hash.update(chunk);
      yield chunk;
    }
    yield padding(sizeBytes);
    sums.push(`${hash.hex()}  ${name}\n`);
    collected.members++;
    collected.bytes += sizeBytes;
  }
  const whole = (name: string, bytes: Uint8Array) => member(name, bytes.length, once(bytes));
  const json = (name: string, value: unknown) => whole(name, utf8(`${JSON.stringify(value)}\n`));

  const text = await needed(ports, config.file, MAX_CONFIG_BYTES, 'the configuration');
  const named = distinct(namedFiles(new TextDecoder().decode(text), directory));
  const files = [...named.values()].flat();
  const manifest: BackupManifest = {
    backup: FORMAT,
    version: source.version,
    at,
    site: config.site,
    gateway: config.gateway,
    config: config.file,
    keyring: config.keyringFile,
    data: config.dataDirectory,
    files: files.map(({ setting, path }) => ({
      member: memberOf(named, path),
      path,
      setting: pathText(setting),
    })),
    journal: source.journal,
  };
  yield* json(MANIFEST, manifest);
  yield* whole(CONFIG, text);
  yield* whole(KEYRING, await needed(ports, config.keyringFile, MAX_KEYRING_BYTES, 'the keyring'));
  for (const [path, [{ setting }]] of named)
    yield* whole(memberOf(named, path), await needed(ports, path, MAX_FILE_BYTES, pathText(setting)));
  yield* json(STATE, placeObject(place));
  if (source.status !== undefined) yield* json(STATUS, source.status);
  for (const name of DATA_FILES) {
    const bytes = await ports.readFile(join(config.dataDirectory, name), MAX_MEMBER_BYTES);
    if (bytes !== undefined) yield* whole(name, bytes);
  }
  const evidence = join(config.dataDirectory, 'evidence');
  for (const name of await ports.storage.list(evidence)) {
    const bytes = name.endsWith('.json')
      ? await ports.readFile(join(evidence, name), MAX_FILE_BYTES)
      : undefined;
    if (bytes !== undefined) yield* whole(`evidence/${name}`, bytes);
  }
  if (source.journal) yield* journal();
  const list = utf8(sums.join(''));
  yield memberHeader(SUMS, list.length, at);
  yield list;
  yield padding(list.length);
  yield END;

  /** The newest first: retention, which takes the oldest, can then take only what is at the end. */
  async function* journal(): Chunks {
    for (const first of [...place.segments].reverse()) {
      const name = segmentName(first);
      const path = join(config.dataDirectory, 'journal', name);
      const file = await ports.storage.open(path, 'read').catch(error => {
        if (systemCode(error) === 'ENOENT' && first !== place.previous?.first) return undefined;
        throw unreadable(path, error);
      });
      if (file === undefined) return;
      try {
        const sizeBytes = first === place.previous?.first ? place.previous.bytes : await file.size();
        yield* member(`journal/${name}`, sizeBytes, contentOf(file, path, sizeBytes));
        collected.segments++;
      } finally {
        await file.close();
      }
    }
  }
}

/** Each file once, however often it is named. */
function distinct(files: readonly NamedFile[]): Map<string, NamedFile[]> {
  const byPath = new Map<string, NamedFile[]>();
  for (const file of files) byPath.set(file.path, [...(byPath.get(file.path) ?? []), file]);
  return byPath;
}

function memberOf(named: ReadonlyMap<string, unknown>, path: string): string {
  const number = [...named.keys()].indexOf(path);
  return `${FILES}${number}-${basename(path)
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .slice(0, 64)}`;
}

async function needed(
  { readFile }: BackupPorts,
  path: string,
  maxBytes: number,
  what: string,
): Promise<Uint8Array> {
  const bytes = await readFile(path, maxBytes);
  if (bytes !== undefined) return bytes;
  throw new Fault(
    'backup-file',
    `${what}: ${path} is not there`,
    'a backup without it could not be restored: put it there, or mend the configuration',
  );
}

async function* contentOf(file: StorageFile, path: string, sizeBytes: number): Chunks {
  for (let at = 0; at < sizeBytes; ) {
    const chunk = new Uint8Array(Math.min(COPY_BYTES, sizeBytes - at));
    const got = await file.read(chunk, at).catch(error => {
      throw unreadable(path, error);
    });
    if (got < chunk.length) throw unreadable(path, new Error(`it ends at byte ${at + got} of ${sizeBytes}`));
    at += got;
    yield chunk;
  }
}

function unreadable(path: string, error: unknown): Fault {
  return new Fault(
    'backup-file',
    `can't read ${path}: ${systemCode(error) || (error as Error).message}`,
    'sovereign journal check says what the medium has destroyed; without --journal, everything but the journal is backed up',
    error,
  );
}

async function* once(bytes: Uint8Array): Chunks {
  yield bytes;
}

const utf8 = (text: string) => new TextEncoder().encode(text);
