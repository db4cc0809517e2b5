/**
 * What stands retained at the broker on behalf of this gateway, so that it can be taken away again: after a device was removed
 * from the keyring while the broker was out of reach, after another prefix was configured, after Home Assistant was turned off.
 * And the records of each device, so that after a restart it is announced with all of them, whichever comes first. One file,
 * replaced as a whole, written before anything new is announced:
 *
 *   {"format":1,"devices":{"3f0c5d2a9b1e4c77":{"firmware":"1.2","records":[["air/temperature","number","Cel"]],
 *    "topics":["homeassistant/device/…/config",…]}},"remove":["homeassistant/…"]}
 *
 * `remove`: to be emptied at the broker, and then forgotten. When the file is lost, what it told of stays at the broker until
 * somebody empties it by hand; devices are announced again as they are heard.
 */
import type { Log, Storage } from '../../ports.js';
import { readFile } from '../../read-file.js';
import { replaceFile } from '../../replace-file.js';
import type { RecordForm, ValueKind } from './entities.js';
import { MAX_RECORDS } from './view.js';

export interface Announced {
  readonly firmware?: string | undefined;
  readonly forms: ReadonlyMap<string, RecordForm>;
  readonly topics: readonly string[];
}

const FILE = 'homeassistant.json';
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_TEXT_CHARS = 1024;
const KINDS: readonly string[] = ['number', 'flag', 'text'];

export class Book {
  /** By id. */
  readonly devices = new Map<string, Announced>();
  /** Topics. */
  readonly remove = new Set<string>();
  readonly #storage: Storage;
  readonly #directory: string;
  #stored = false;

  private constructor(storage: Storage, directory: string) {
    this.#storage = storage;
    this.#directory = directory;
  }

  /** A file that can’t be read is said, and taken for an empty one: nothing of it is needed for readings. */
  static async open(storage: Storage, log: Log, directory: string): Promise<Book> {
    const book = new Book(storage, directory);
    try {
      await book.#load();
    } catch (error) {
      if ((error as { code?: string }).code === 'ENOENT') return book;
      log.warn('homeassistant-book-unreadable', { file: book.#path, error: String(error) });
    }
    book.#stored = true;
    return book;
  }

  /** Nothing stands at the broker. */
  get empty(): boolean {
    return this.devices.size === 0 && this.remove.size === 0;
  }

  put(id: string, announced: Announced): void {
    const before = this.devices.get(id)?.topics ?? [];
    this.devices.set(id, announced);
    for (const topic of before) this.remove.add(topic);
    for (const topic of announced.topics) this.remove.delete(topic);
  }

  /** What stands there of it is to go. */
  drop(id: string): void {
    for (const topic of this.devices.get(id)?.topics ?? []) this.remove.add(topic);
    this.devices.delete(id);
  }

  /** @throws the system's error */
  async save(): Promise<void> {
    const storage = this.#storage;
    if (this.empty) {
      if (this.#stored) await storage.remove(this.#path);
      this.#stored = false;
      return;
    }
    const devices = [...this.devices].map(([id, { firmware, forms, topics }]) => {
      const records = [...forms].map(([name, { kind, unit }]) => [
        name,
        kind,
        ...(unit === undefined ? [] : [unit]),
      ]);
      return [id, { firmware, records, topics }];
    });
    const text = JSON.stringify({
      format: 1,
      devices: Object.fromEntries(devices),
      remove: [...this.remove],
    });
    await replaceFile(storage, this.#directory, FILE, Buffer.from(`${text}\n`));
    this.#stored = true;
  }

  get #path(): string {
    return `${this.#directory}/${FILE}`;
  }

  async #load(): Promise<void> {
    const bytes = await readFile(this.#storage, this.#path, MAX_FILE_BYTES);
    const { devices, remove } = parse(new TextDecoder().decode(bytes));
    for (const [id, announced] of devices) this.devices.set(id, announced);
    for (const topic of remove) this.remove.add(topic);
  }
}

/** @throws Error when it is not what `save` writes */
function parse(text: string): { devices: [string, Announced][]; remove: string[] } {
  const value = JSON.parse(text) as { format?: unknown; devices?: Record<string, unknown>; remove?: unknown };
  if (value.format !== 1 || typeof value.devices !== 'object' || value.devices === null)
    throw new Error('another format');
  const devices = Object.entries(value.devices).map(([id, device]): [string, Announced] => {
    const { firmware, records, topics } = device as {
      firmware?: unknown;
      records?: unknown;
      topics?: unknown;
    };
    if (!Array.isArray(records) || records.length > MAX_RECORDS)
      throw new Error(`records of ${id.slice(0, 64)}`);
    return [
      id,
      {
        ...(firmware !== undefined && { firmware: short(firmware) }),
        forms: new Map(records.map(form)),
        topics: topicList(topics),
      },
    ];
  });
  return { devices, remove: topicList(value.remove) };
}

function form(record: unknown): [string, RecordForm] {
  const [name, kind, unit] = Array.isArray(record) ? record : [];
  if (!KINDS.includes(kind)) throw new Error('kind of a record');
  return [short(name), { kind: kind as ValueKind, ...(unit !== undefined && { unit: short(unit) }) }];
}

function topicList(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('topics');
  return value.map(short);
}

function short(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT_CHARS) throw new Error('a text');
  return value;
}
