import type { KeyringEntry, KeyringView } from '../../../host/keyring/entry.js';

/** The keyring of one machine: devices come and go while everything runs. */
export class SimKeyring implements KeyringView {
  readonly #entries = new Map<string, KeyringEntry>();

  constructor(entries: Iterable<KeyringEntry> = []) {
    for (const entry of entries) this.add(entry);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): KeyringEntry | undefined {
    return this.#entries.get(id);
  }

  byNode(node: string): KeyringEntry | undefined {
    return this.#find(({ sdk }) => sdk?.node === node);
  }

  byName(name: string): KeyringEntry | undefined {
    return this.#find(entry => entry.name === name);
  }

  entries(): Iterable<KeyringEntry> {
    return this.#entries.values();
  }

  add(entry: KeyringEntry): void {
    this.#entries.set(entry.id, entry);
  }

  remove(id: string): void {
    this.#entries.delete(id);
  }

  #find(fits: (entry: KeyringEntry) => boolean): KeyringEntry | undefined {
    for (const entry of this.#entries.values()) if (fits(entry)) return entry;
    return undefined;
  }
}
