/**
 * Settings for the sources of devices, and which of them each device has. A device keeps the highest version that it
 * was sent since it started, so versions of one device only ever rise, also across restarts of the gateway; they stand
 * in one file, replaced as a whole:
 *
 *   {"format":1,"devices":{"3f0c5d2a9b1e4c77":{"version":3,"sha256":"…"}}}
 *
 * `sha256`: of the encoded settings that the version stands for. The same settings keep their version; others get the
 * next one, made durable before it is sent. When the file is lost, devices may have versions that nobody here knows:
 * their own word, authentic, then says from where to go on.
 */
import {
  type Digest,
  encodeSourceSettings,
  MAX_SAFE,
  type NamedSourceSettings,
  toHex,
} from '../../firmware/seal/index.js';
import type { Log, Storage } from '../ports.js';
import { readFile } from '../read-file.js';
import { replaceFile } from '../replace-file.js';

const FILE = 'device-settings.json';

export interface SettingsPorts {
  readonly storage: Storage;
  readonly digest: Digest;
  readonly log: Log;
}

/** What a device is to be sent. */
export interface DueSettings {
  readonly version: number;
  readonly bytes: Uint8Array;
}

interface Known {
  version: number;
  sha256: string;
}

const MAX_FILE_BYTES = 16 * 1024 * 1024;

export class SettingsBook {
  readonly #ports: SettingsPorts;
  readonly #directory: string;
  readonly #path: string;
  readonly #wanted: ReadonlyMap<string, readonly NamedSourceSettings[]>;
  readonly #known: Map<string, Known>;
  #saving: Promise<unknown> = Promise.resolve();

  private constructor(
    ports: SettingsPorts,
    directory: string,
    wanted: ReadonlyMap<string, readonly NamedSourceSettings[]>,
    known: Map<string, Known>,
  ) {
    this.#ports = ports;
    this.#directory = directory;
    this.#path = `${directory}/${FILE}`;
    this.#wanted = wanted;
    this.#known = known;
  }

  /** @param wanted by the device's id or name */
  static async open(
    ports: SettingsPorts,
    directory: string,
    wanted: ReadonlyMap<string, readonly NamedSourceSettings[]>,
  ): Promise<SettingsBook> {
    const book = new SettingsBook(ports, directory, wanted, new Map());
    await book.#load();
    return book;
  }

  /** The last version that was made for a device; undefined when there is none. */
  version(id: string): number | undefined {
    return this.#known.get(id)?.version;
  }

  /** Whether the configuration has something for a device. */
  wants(id: string, name: string | undefined): boolean {
    return this.#wanted.has(id) || (name !== undefined && this.#wanted.has(name));
  }

  /**
   * What to send to a device that says it has `deviceVersion`; undefined when it has what it should. The version is
   * durable when this resolves; when it can't be made so, nothing is sent.
   */
  due(id: string, name: string | undefined, deviceVersion: number): Promise<DueSettings | undefined> {
    // One after another: two sessions of one device must not take the same version for different settings.
    const due = this.#saving.then(() => this.#due(id, name, deviceVersion));
    this.#saving = due.catch(() => undefined);
    return due;
  }

  async #due(id: string, name: string | undefined, deviceVersion: number): Promise<DueSettings | undefined> {
    const wanted = this.#wanted.get(id) ?? (name === undefined ? undefined : this.#wanted.get(name));
    const known = this.#known.get(id);
    // Settings that were taken out of the configuration: an empty list gives the device its own back.
    if (wanted === undefined && known === undefined) return undefined;
    const bytes = encodeSourceSettings(wanted ?? []);
    if (bytes === undefined) return undefined;
    const sha256 = this.#hash(bytes);
    const same = known?.sha256 === sha256;
    if (same && deviceVersion === known.version) return undefined;
    // A device that just started and has its own settings anyway needs none of ours.
    if (wanted === undefined && same && deviceVersion === 0) return undefined;
    let version = same ? known.version : (known?.version ?? 0) + 1;
    // Versions that this file has forgotten.
    if (deviceVersion >= version && !(same && deviceVersion === version)) version = deviceVersion + 1;
    if (version > MAX_SAFE) {
      // No device that was only ever sent our versions says so; whoever has its key may.
      this.#ports.log.error('settings-versions-used-up', { device: id, version: deviceVersion });
      return undefined;
    }
    if (!same || version !== known.version) {
      const before = known && { ...known };
      this.#known.set(id, { version, sha256 });
      try {
        await this.#save();
      } catch (error) {
        if (before === undefined) this.#known.delete(id);
        else this.#known.set(id, before);
        this.#ports.log.error('settings-not-saved', { device: id, error: String(error) });
        return undefined;
      }
    }
    return { version, bytes };
  }

  #hash(bytes: Uint8Array): string {
    const sum = new Uint8Array(32);
    this.#ports.digest.sha256(bytes, 0, bytes.length, sum, 0);
    return toHex(sum);
  }

  async #load(): Promise<void> {
    const { storage, log } = this.#ports;
    try {
      const bytes = await readFile(storage, this.#path, MAX_FILE_BYTES);
      for (const [id, known] of entriesOf(new TextDecoder().decode(bytes))) this.#known.set(id, known);
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return;
      log.warn('settings-unreadable', { file: this.#path, error: String(error) });
    }
  }

  async #save(): Promise<void> {
    const { storage } = this.#ports;
    const text = JSON.stringify({ format: 1, devices: Object.fromEntries(this.#known) });
    await replaceFile(storage, this.#directory, FILE, Buffer.from(`${text}\n`));
  }
}

/** @throws Error when it is not what `#save` writes */
function entriesOf(text: string): [string, Known][] {
  const parsed = JSON.parse(text) as { format?: unknown; devices?: Record<string, Known> };
  if (parsed.format !== 1 || typeof parsed.devices !== 'object') throw new Error('another format');
  return Object.entries(parsed.devices).map(([id, { version, sha256 }]) => {
    if (!/^[0-9a-f]{16}$/.test(id) || !Number.isSafeInteger(version) || version < 1)
      throw new Error(`entry ${JSON.stringify(id.slice(0, 32))}`);
    return [id, { version, sha256: String(sha256) }];
  });
}
