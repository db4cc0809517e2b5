/** Changing the keyring: read, change, replace, while no other command does the same. */
import { Fault } from '../fault.js';
import { type KeyringEntry, NAME, NAME_RULE } from './entry.js';
import { Keyring } from './file.js';
import type { PrivateFiles } from './files.js';

/** A keyring on its way to a new content; ids and names are kept unique. */
export class KeyringDraft {
  readonly #entries: Map<string, KeyringEntry>;
  readonly #removed: Set<string>;

  constructor(keyring: Keyring) {
    this.#entries = new Map([...keyring.entries()].map(entry => [entry.id, entry]));
    this.#removed = new Set(keyring.removed);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whether an id is in use or was removed. */
  taken(id: string): boolean {
    return this.#entries.has(id) || this.#removed.has(id);
  }

  /** @throws Fault `device-known`, `id-removed`, `name-invalid`, `name-taken` */
  add(entry: KeyringEntry): void {
    const { id, name } = entry;
    if (this.#entries.has(id))
      throw new Fault('device-known', `the keyring has ${id} already`, 'sovereign device list shows it');
    if (this.#removed.has(id))
      throw new Fault(
        'id-removed',
        entry.sdk
          ? `the node ${entry.sdk.node} (${id}) was removed, and removed ids are never used again`
          : `${id} was removed, and removed ids are never used again`,
        entry.sdk ? 'give the sensor another node name' : 'provision the device anew',
      );
    if (!NAME.test(name))
      throw new Fault(
        'name-invalid',
        `name: expected ${NAME_RULE}, got ${JSON.stringify(name)}`,
        'choose another',
      );
    for (const other of this.#entries.values())
      if (other.name === name)
        throw new Fault(
          'name-taken',
          `the name ${name} is that of ${other.id}`,
          'choose another with --name',
        );
    this.#entries.set(id, entry);
  }

  /** By id; undefined when there is none. */
  entry(id: string): KeyringEntry | undefined {
    return this.#entries.get(id);
  }

  entries(): IterableIterator<KeyringEntry> {
    return this.#entries.values();
  }

  /** By id or name. @throws Fault `device-unknown` */
  find(idOrName: string): KeyringEntry {
    return findDevice([...this.#entries.values()], idOrName);
  }

  /** The id is never used again. */
  remove(id: string): void {
    if (this.#entries.delete(id)) this.#removed.add(id);
  }

  /** Puts an entry in place of the one with its id. */
  replace(entry: KeyringEntry): void {
    this.#entries.set(entry.id, entry);
  }

  /** A name that is free: the wish, or with -2, -3 … behind it. */
  freeName(wish: string): string {
    const names = new Set([...this.#entries.values()].map(entry => entry.name));
    let name = wish;
    for (let n = 2; names.has(name); n += 1) name = `${wish}-${n}`;
    return name;
  }

  build(): Keyring {
    return new Keyring(this.#entries.values(), this.#removed);
  }
}

/** By id or name. @throws Fault `device-unknown` */
export function findDevice(entries: Iterable<KeyringEntry>, idOrName: string): KeyringEntry {
  for (const entry of entries) if (entry.id === idOrName || entry.name === idOrName) return entry;
  throw new Fault(
    'device-unknown',
    `no device in the keyring has the id or name ${JSON.stringify(idOrName)}`,
    'sovereign device list shows them',
  );
}

/**
 * Changes the keyring at `path`; commands at the same time wait for each other, and none of their changes is
 * lost. When `change` throws, the file stays as it was.
 */
export function editKeyring<T>(
  files: PrivateFiles,
  path: string,
  change: (draft: KeyringDraft) => T,
): Promise<T> {
  return files.locked(path, async () => {
    const before = await Keyring.load(path, files);
    const draft = new KeyringDraft(before);
    const result = change(draft);
    const text = draft.build().render();
    // What could not be read again must never replace what could.
    Keyring.parse(text, path);
    if (text !== before.render()) await files.replace(path, new TextEncoder().encode(text));
    return result;
  });
}
