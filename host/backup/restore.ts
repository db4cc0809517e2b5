/**
 * Makes a gateway of a backup. Everything is written beside its place first (`restoring/` in the data directory), and only when the
 * whole backup has been read and its sums agree is it moved there, the configuration last: without it, no gateway starts.
 *
 * Nothing is ever deleted or written over. What stands in the way is refused, or moved aside when that is asked for.
 */
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { settingIn, withSettings } from '../config/files.js';
import { type Config, parseConfig } from '../config.js';
import { Fault, systemCode } from '../fault.js';
import { Cursor } from '../journal/cursor.js';
import { goOn } from '../journal/handover.js';
import type { PrivateFiles } from '../keyring/files.js';
import type { Clock, Log } from '../ports.js';
import type { Unlock } from './age.js';
import { decodeHops, encodeHops, HANDOVER_FILE, type Hop } from './handover.js';
import { type Opened, openBackup } from './open.js';
import type { BackupPorts } from './ports.js';
import type { Chunks } from './tar.js';

export interface RestorePorts extends BackupPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: PrivateFiles;
  /** One that is empty. */
  readonly removeDirectory: (path: string) => Promise<void>;
  /** Gives what lies at and below a path to whom another directory belongs; nothing without the right to do so. */
  readonly adopt: (path: string, like: string) => Promise<void>;
}

export interface RestoreOptions {
  /** Of the backup, for messages. */
  readonly path: string;
  /** Where configuration and keyring go. Absolute, like `data`. */
  readonly directory: string;
  readonly data: string;
  /** What the gateway is called from now on. */
  readonly gateway: string;
  /** Moves what is there aside. */
  readonly replace: boolean;
}

export interface Restored {
  readonly config: Config;
  readonly from: string;
  readonly backupAt: number;
  readonly devices: number;
  readonly segments: number;
  /** Where its journal begins. */
  readonly offset: number;
  /** What was in the way, and where it is now. */
  readonly aside: readonly string[];
}

const STAGING = 'restoring';
const CONFIG_NAME = 'config.yaml';
/** What a gateway keeps in its data directory and a backup brings. */
const BROUGHT = ['journal', 'cursors', 'evidence', 'device-settings.json', HANDOVER_FILE];
const SECRETS = 'credentials';

/**
 * The caller holds the lock of the data directory, which is there.
 * @throws Fault `restore-in-the-way` when there is a gateway already; what `openBackup` throws; `restore-failed` when the disk refuses
 */
export async function restore(
  ports: RestorePorts,
  sealed: Chunks,
  unlock: Unlock,
  options: RestoreOptions,
): Promise<Restored> {
  const { storage } = ports;
  const { directory, data } = options;
  const aside = new Aside(ports, options);
  const config = join(directory, CONFIG_NAME);
  await aside.look([config, ...BROUGHT.map(name => join(data, name))]);
  try {
    const staging = join(data, STAGING);
    await clear(ports, staging);
    await storage.ensureDirectory(staging);
    const opened = await openBackup(ports, sealed, unlock, options.path, (name, body) =>
      place(ports, join(staging, name), body),
    );
    const plan = planOf(opened, options);
    await aside.look([plan.keyring, ...plan.files.map(([path]) => path)]);
    const offset = await goOnIn(ports, staging, opened, options);
    await aside.move();
    for (const name of await storage.list(staging))
      await storage.rename(join(staging, name), join(data, name));
    await storage.syncDirectory(data);
    await ports.adopt(data, data);
    for (const [path, bytes] of plan.files) await put(ports, path, bytes, directory);
    await put(ports, plan.keyring, new TextEncoder().encode(opened.keyringText), directory);
    await put(ports, config, new TextEncoder().encode(plan.text), directory);
    await ports.removeDirectory(staging).catch(() => {}); // empty by now, and in nobody's way if it stays
    const { manifest, place: old, segments } = opened;
    return {
      config: plan.config,
      from: manifest.gateway,
      backupAt: manifest.at,
      devices: old.positions.size,
      segments,
      offset,
      aside: aside.moved,
    };
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(
      'restore-failed',
      `can't restore to ${directory}: ${systemCode(error) || String(error)}`,
      'what was written is in the folder restoring; mend the disk or its permissions, and restore again with --replace',
      error,
    );
  }
}

interface Plan {
  readonly text: string;
  readonly config: Config;
  readonly keyring: string;
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[];
}

/** Where each file goes, and the configuration that says so: under the new directory, as it lay under the old one. */
function planOf({ manifest, configText, files }: Opened, { directory, data, gateway }: RestoreOptions): Plan {
  const old = dirname(manifest.config);
  const changes: [string[], string][] = [[['gateway'], gateway]];
  const target = (path: string): string => {
    const within = relative(old, path);
    const outside = within.startsWith('..') || isAbsolute(within);
    return join(directory, outside ? join(SECRETS, basename(path)) : within);
  };
  const moved = (setting: string, path: string, to: string) => {
    // A relative path goes on leading there; an absolute one, or one that led elsewhere, is said anew.
    const settings = setting.split('.');
    const said = settingIn(configText, settings);
    if (resolve(directory, said ?? relative(old, path)) !== to)
      changes.push([settings, shorter(directory, to)]);
  };
  const keyring = target(manifest.keyring);
  moved('keyring', manifest.keyring, keyring);
  moved('data', manifest.data, data);
  const written = new Map<string, Uint8Array>();
  for (const { member, path, setting } of manifest.files) {
    const to = target(path);
    written.set(to, files.get(member)!);
    moved(setting, path, to);
  }
  const text = withSettings(configText, changes);
  const config = parseConfig(text, join(directory, CONFIG_NAME));
  return { text, config, keyring, files: [...written] };
}

const shorter = (directory: string, path: string) => {
  const within = relative(directory, path);
  return within.startsWith('..') ? path : within;
};

/** The journal's next era, the cursors, and the note of the hand-over. */
async function goOnIn(
  ports: RestorePorts,
  staging: string,
  { manifest, place: old }: Opened,
  { gateway }: RestoreOptions,
): Promise<number> {
  const { storage, clock } = ports;
  const hops = await hopsIn(ports, join(staging, HANDOVER_FILE));
  const names = [manifest.gateway, ...hops.flatMap(({ from, to }) => [from, to])];
  if (names.includes(gateway))
    throw new Fault(
      'gateway-replaced',
      `${gateway} is the name of the gateway that was backed up, or of one before it`,
      'give another one with --gateway: subscribers and brokers tell gateways apart by their names',
    );
  const journal = join(staging, 'journal');
  await storage.ensureDirectory(journal);
  // Only what the backup brought can be gone on with.
  const kept = manifest.journal && old.previous !== null;
  const place = kept ? old : { ...old, previous: null };
  const said = { from: manifest.gateway, to: gateway, backupAt: manifest.at };
  const offset = await goOn(ports, journal, place, said);
  for (const [name, { offset: passed, ranges }] of Object.entries(old.cursors)) {
    const cursor = await Cursor.open(storage, join(staging, 'cursors'), name);
    try {
      // All that was there was published, or is not here to be published.
      if (!kept || passed >= old.durableOffset) await cursor.save(offset);
      else await cursor.save(passed, ranges);
    } finally {
      await cursor.close();
    }
  }
  const hop: Hop = { ...said, restoredAt: clock.now(), next: old.nextOffset, offset };
  await ports.files.replace(join(staging, HANDOVER_FILE), encodeHops([...hops, hop]));
  return offset;
}

/** What the medium of the old gateway destroyed of it costs those before, and not the restore. */
async function hopsIn({ readFile, log }: RestorePorts, path: string): Promise<readonly Hop[]> {
  const bytes = await readFile(path, 1024 * 1024);
  try {
    return bytes === undefined ? [] : decodeHops(bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    log.warn('handover-unreadable', { reason: error.message });
    return [];
  }
}

/** A file of the backup, durable. */
async function place({ storage }: RestorePorts, path: string, body: Chunks): Promise<void> {
  await storage.ensureDirectory(dirname(path));
  const file = await storage.open(path, 'create');
  try {
    let bytes = 0;
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; ) at += await file.write(chunk.subarray(at), bytes + at);
      bytes += chunk.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await storage.syncDirectory(dirname(path));
}

async function put(ports: RestorePorts, path: string, bytes: Uint8Array, like: string): Promise<void> {
  const { storage, files, adopt } = ports;
  const directory = dirname(path);
  await storage.ensureDirectory(directory);
  await files.replace(path, bytes);
  if (directory !== like) await adopt(directory, like);
  await adopt(path, like);
}

/** What a restore that was stopped has left. */
async function clear({ storage }: RestorePorts, directory: string): Promise<void> {
  for (const name of await storage.list(directory)) {
    const path = join(directory, name);
    await storage.remove(path).catch(async error => {
      if (!['EISDIR', 'EPERM'].includes(systemCode(error))) throw error;
      await clear({ storage } as RestorePorts, path);
    });
  }
}

/** What is in the way. */
class Aside {
  readonly moved: string[] = [];
  readonly #ports: RestorePorts;
  readonly #options: RestoreOptions;
  readonly #found: string[] = [];

  constructor(ports: RestorePorts, options: RestoreOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** @throws Fault `restore-in-the-way` when one of these is there and may not be moved */
  async look(paths: readonly string[]): Promise<void> {
    const { storage } = this.#ports;
    for (const path of paths) {
      const there = (await storage.list(dirname(path))).includes(basename(path));
      if (there && !this.#found.includes(path)) this.#found.push(path);
    }
    if (this.#found.length === 0 || this.#options.replace) return;
    throw new Fault(
      'restore-in-the-way',
      `there is a gateway already: ${this.#found.join(', ')}`,
      'restore into empty directories, or move all this aside with --replace',
    );
  }

  async move(): Promise<void> {
    const { storage, clock } = this.#ports;
    const stamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
    for (const path of this.#found) {
      const to = `${path}.before-${stamp}`;
      await storage.rename(path, to);
      await storage.syncDirectory(dirname(path));
      this.moved.push(to);
    }
  }
}
