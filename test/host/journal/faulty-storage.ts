import type { LinkingStorage, StorageFile } from '../../../host/ports.js';

export type Effect =
  | 'list'
  | 'ensure'
  | 'syncdir'
  | 'open'
  | 'create'
  | 'link'
  | 'rename'
  | 'remove'
  | 'read'
  | 'write'
  | 'sync';

/** What to do instead of an effect: an error's code, `short` (half of a write), `hang` (never returns). */
export type Upset = string | undefined;

interface Inode {
  visible: Buffer;
  synced: Buffer;
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

/**
 * A file system in memory that keeps what is visible and what is durable apart, counts every effect that
 * changes something, and can upset any of them.
 */
export class FaultyStorage implements LinkingStorage {
  visible = new Map<string, Inode>();
  durable = new Map<string, Inode>();
  directories = new Set<string>(['/']);
  effects = 0;
  bytesRead = 0;
  opened: string[] = [];
  written: Buffer[] = [];
  upset: (effect: Effect, index: number, path: string) => Upset = () => undefined;
  availableBytes = 1e12;

  async list(directory: string): Promise<string[]> {
    await this.happen('list', directory);
    const names: string[] = [];
    for (const path of this.visible.keys()) {
      if (path.startsWith(`${directory}/`)) names.push(path.slice(directory.length + 1));
    }
    return names.sort();
  }

  async ensureDirectory(directory: string): Promise<void> {
    await this.happen('ensure', directory);
    this.directories.add(directory);
  }

  async syncDirectory(directory: string): Promise<void> {
    await this.happen('syncdir', directory);
    for (const path of [...this.durable.keys()]) {
      if (path.startsWith(`${directory}/`) && !this.visible.has(path)) this.durable.delete(path);
    }
    for (const [path, inode] of this.visible)
      if (path.startsWith(`${directory}/`)) this.durable.set(path, inode);
  }

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    await this.happen(mode === 'create' ? 'create' : 'open', path);
    let inode = this.visible.get(path);
    if (mode === 'create') {
      if (inode) throw systemError('EEXIST');
      inode = { visible: Buffer.alloc(0), synced: Buffer.alloc(0) };
      this.visible.set(path, inode);
    }
    if (!inode) throw systemError('ENOENT');
    this.opened.push(path);
    return new FaultyFile(this, inode, path);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.happen('rename', from);
    const inode = this.visible.get(from);
    if (!inode) throw systemError('ENOENT');
    this.visible.delete(from);
    this.visible.set(to, inode);
  }

  async link(from: string, to: string): Promise<void> {
    await this.happen('link', from);
    const inode = this.visible.get(from);
    if (!inode) throw systemError('ENOENT');
    if (this.visible.has(to)) throw systemError('EEXIST');
    this.visible.set(to, inode);
  }

  async remove(path: string): Promise<void> {
    await this.happen('remove', path);
    if (!this.visible.delete(path)) throw systemError('ENOENT');
  }

  async space(): Promise<{ availableBytes: number; totalBytes: number }> {
    return { availableBytes: this.availableBytes, totalBytes: 2e12 };
  }

  /** Counts an effect and lets it fail or hang; true: it is to fall short. */
  async happen(effect: Effect, path: string): Promise<boolean> {
    const index = this.effects++;
    const upset = this.upset(effect, index, path);
    if (upset === undefined) return false;
    if (upset === 'hang') await new Promise(() => undefined);
    if (upset === 'short') return true;
    throw systemError(upset);
  }

  /**
   * What is there after the machine stops.
   *
   * @param keep `synced`: nothing but what was synced; `visible`: the process died, the kernel lived; a
   *   function: a number in [0, 1) for each choice, anything legal in between
   */
  afterCrash(keep: 'synced' | 'visible' | (() => number)): FaultyStorage {
    const after = new FaultyStorage();
    after.directories = new Set(this.directories);
    for (const path of new Set([...this.durable.keys(), ...this.visible.keys()])) {
      const held = this.durable.get(path);
      const shown = this.visible.get(path);
      let inode = keep === 'visible' || held === shown ? shown : held;
      if (typeof keep === 'function' && held !== shown) inode = keep() < 0.5 ? held : shown;
      if (!inode) continue;
      const { visible, synced } = inode;
      let content = keep === 'synced' ? synced : visible;
      if (typeof keep === 'function' && !visible.equals(synced)) {
        content = visible.subarray(
          0,
          synced.length + Math.floor(keep() * (visible.length - synced.length + 1)),
        );
        if (keep() < 0.3 && content.length > synced.length) {
          content = Buffer.from(content);
          const hole = synced.length + Math.floor(keep() * (content.length - synced.length));
          content.fill(0, hole, Math.min(hole + 64, content.length));
        }
      }
      // After the death of the process alone, durable stays what it was; after a power cut it is what is left.
      const survivor = {
        visible: Buffer.from(content),
        synced: Buffer.from(keep === 'visible' ? synced : content),
      };
      after.visible.set(path, survivor);
      if (keep !== 'visible' || held) after.durable.set(path, survivor);
    }
    return after;
  }

  /** Changes bytes behind everybody's back. */
  alter(path: string, change: (bytes: Buffer) => Buffer): void {
    const inode = this.visible.get(path);
    if (!inode) throw new Error(`no ${path}`);
    inode.visible = change(Buffer.from(inode.visible));
    inode.synced = inode.visible;
  }

  content(path: string): Buffer {
    return this.visible.get(path)!.visible;
  }
}

class FaultyFile implements StorageFile {
  readonly #storage: FaultyStorage;
  readonly #inode: Inode;
  readonly #path: string;
  /** After a failed sync, pages written before are clean but not on disk: a further sync doesn't save them. */
  #lost: Buffer | undefined;

  constructor(storage: FaultyStorage, inode: Inode, path: string) {
    this.#storage = storage;
    this.#inode = inode;
    this.#path = path;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    await this.#storage.happen('read', this.#path);
    const part = this.#inode.visible.subarray(position, position + target.length);
    target.set(part);
    this.#storage.bytesRead += part.length;
    return part.length;
  }

  async write(source: Uint8Array, position: number): Promise<number> {
    const taken = Buffer.from(source);
    const short = await this.#storage.happen('write', this.#path);
    const part = short ? taken.subarray(0, taken.length >> 1) : taken;
    const length = Math.max(this.#inode.visible.length, position + part.length);
    const grown = Buffer.alloc(length);
    this.#inode.visible.copy(grown);
    part.copy(grown, position);
    this.#inode.visible = grown;
    this.#storage.written.push(part);
    return part.length;
  }

  async sync(): Promise<void> {
    try {
      await this.#storage.happen('sync', this.#path);
    } catch (error) {
      this.#lost = this.#inode.synced;
      throw error;
    }
    this.#inode.synced = this.#lost ?? Buffer.from(this.#inode.visible);
  }

  async size(): Promise<number> {
    return this.#inode.visible.length;
  }

  async close(): Promise<void> {}
}
