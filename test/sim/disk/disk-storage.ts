/** The Storage port of one process over a simulated disk: every call is an effect of its life, and may fail. */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Storage, StorageFile } from '../../../host/ports.js';
import type { FaultKind } from '../kernel/fault-kinds.js';
import type { Life } from '../kernel/life.js';
import { systemError } from '../kernel/violation.js';
import type { Directory } from './directory.js';
import type { Disk } from './disk.js';
import { type Inode, PAGE_BYTES } from './inode.js';

const READ_BYTES_PER_MS = 100_000;

export class DiskStorage implements Storage {
  readonly disk: Disk;
  readonly life: Life;
  /** Codes of the errors that this process was given, apart from ENOENT and EEXIST, and how often. */
  readonly errors = new Map<string, number>();
  /** Calls that took long past all patience. */
  hangs = 0;
  readonly #open = new Set<DiskFile>();

  constructor(disk: Disk, life: Life) {
    this.disk = disk;
    this.life = life;
    life.onEnd(() => {
      for (const file of this.#open) file.release();
    });
  }

  list(directory: string): Promise<string[]> {
    return this.#directoryEffect('list', directory, () => {
      const node = this.disk.find(directory);
      if (node === undefined) return [];
      if (node.kind !== 'directory') throw systemError('ENOTDIR');
      return [...node.entries.keys()].sort();
    });
  }

  async ensureDirectory(directory: string): Promise<void> {
    const names = directory.split('/').slice(1);
    for (let i = 1; i <= names.length; i++) await this.#make(`/${names.slice(0, i).join('/')}`);
    for (let i = names.length - 1; i >= 0; i--) await this.syncDirectory(`/${names.slice(0, i).join('/')}`);
  }

  syncDirectory(path: string): Promise<void> {
    const directory = this.disk.find(path);
    const changes = directory?.kind === 'directory' ? directory.pendingChanges : 0;
    const latencyMs = this.latencyMs(changes === 0 ? 0.05 : this.disk.syncMs, path);
    const act = () => {
      const found = this.directory(path);
      if (this.disk.refuses && changes > 0) throw this.error('EIO');
      found.synced(changes);
      this.disk.directorySettled(found);
    };
    const failed = (details: SeededRandom) => this.directory(path).syncFailed(details);
    return this.#directoryEffect('syncdir', path, act, { latencyMs, failed });
  }

  open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    return this.effect(`${mode} ${path}`, 0.05, () => {
      if (this.hit('disk-emfile', path)) throw this.error('EMFILE');
      const [directory, name] = this.#parent(path);
      let node = directory.entries.get(name);
      if (mode === 'create') {
        if (node !== undefined) throw systemError('EEXIST');
        this.#mayChange(path);
        node = this.disk.create(directory, name, this.life);
      }
      if (node === undefined) throw systemError('ENOENT');
      if (node.kind === 'directory') throw systemError('EISDIR');
      const file = new DiskFile(this, node, mode !== 'read');
      if (this.life.over) file.release();
      else this.#open.add(file);
      return file;
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#directoryEffect('rename', from, () => {
      const [directory, name] = this.#parent(from);
      const [target, newName] = this.#parent(to);
      if (directory !== target) throw systemError('EXDEV');
      if (!directory.entries.has(name)) throw systemError('ENOENT');
      this.#refuseChange();
      this.disk.rename(directory, name, newName);
    });
  }

  remove(path: string): Promise<void> {
    return this.#directoryEffect('remove', path, () => {
      const [directory, name] = this.#parent(path);
      const node = directory.entries.get(name);
      if (node === undefined) throw systemError('ENOENT');
      if (node.kind === 'directory') throw systemError('EISDIR');
      this.#refuseChange();
      this.disk.remove(directory, name);
    });
  }

  space(_path: string): Promise<{ availableBytes: number; totalBytes: number }> {
    return this.effect('space', 0.02, () => ({
      availableBytes: this.disk.availableBytes,
      totalBytes: this.disk.capacityBytes,
    }));
  }

  // For DiskFile:

  effect<T>(name: string, latencyMs: number, act: () => T): Promise<T> {
    return this.life.effect(name, latencyMs, act, { survives: true });
  }

  hit(kind: FaultKind, what: string): SeededRandom | undefined {
    return this.disk.world.faults.hit(kind, what);
  }

  /** An error to be thrown. */
  error(code: string): Error {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    return systemError(code);
  }

  /** About the usual, or slow, or long past all patience. */
  latencyMs(usualMs: number, what: string): number {
    const slow = this.hit('disk-slow', what);
    if (slow !== undefined) return 50 * 100 ** slow.unit();
    const hang = this.hit('disk-hang', what);
    if (hang === undefined) return usualMs * (0.5 + this.disk.chance.unit());
    this.hangs++;
    return 5000 * 24 ** hang.unit();
  }

  released(file: DiskFile): void {
    this.#open.delete(file);
  }

  directory(path: string): Directory {
    const node = this.disk.find(path);
    if (node === undefined) throw systemError('ENOENT');
    if (node.kind !== 'directory') throw systemError('ENOTDIR');
    return node;
  }

  #make(path: string): Promise<void> {
    return this.#directoryEffect('mkdir', path, () => {
      const [above, name] = this.#parent(path);
      const node = above.entries.get(name);
      if (node?.kind === 'directory') return;
      if (node !== undefined) throw systemError('EEXIST');
      this.#mayChange(path);
      this.disk.makeDirectory(above, name);
    });
  }

  #directoryEffect<T>(
    name: string,
    path: string,
    act: () => T,
    { latencyMs = 0.1, failed }: { latencyMs?: number; failed?: (details: SeededRandom) => void } = {},
  ): Promise<T> {
    return this.effect(`${name} ${path}`, latencyMs, () => {
      const details = this.hit('disk-eio-directory', `${name} ${path}`);
      if (details !== undefined) {
        failed?.(details);
        throw this.error('EIO');
      }
      return act();
    });
  }

  /** A new entry may need a block of its own. */
  #mayChange(path: string): void {
    this.#refuseChange();
    const full = this.disk.availableBytes < PAGE_BYTES && this.disk.chance.unit() < 0.5;
    if (full || this.hit('disk-enospc', path)) throw this.error('ENOSPC');
  }

  #refuseChange(): void {
    if (this.disk.refuses) throw this.error('EIO');
  }

  #parent(path: string): [Directory, string] {
    const slash = path.lastIndexOf('/');
    return [this.directory(path.slice(0, slash)), path.slice(slash + 1)];
  }
}

class DiskFile implements StorageFile {
  readonly #storage: DiskStorage;
  readonly #inode: Inode;
  readonly #writable: boolean;
  #closed = false;

  constructor(storage: DiskStorage, inode: Inode, writable: boolean) {
    this.#storage = storage;
    this.#inode = inode;
    this.#writable = writable;
    inode.openHandles++;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const storage = this.#storage;
    const { path } = this.#inode;
    const bytes = Math.min(target.length, Math.max(0, this.#inode.size - position));
    const latencyMs = storage.latencyMs(0.05 + bytes / READ_BYTES_PER_MS, path);
    return storage.effect(`read ${path}`, latencyMs, () => {
      this.#check();
      if (storage.hit('disk-eio-read', path)) throw storage.error('EIO');
      // What the medium has destroyed for good is no passing error.
      return this.#inode.read(target, position);
    });
  }

  write(source: Uint8Array, position: number): Promise<number> {
    const storage = this.#storage;
    const { path } = this.#inode;
    return storage.effect(`write ${path}`, storage.latencyMs(0.05, path), () => {
      this.#check();
      if (!this.#writable) throw systemError('EBADF');
      if (storage.disk.refuses || storage.hit('disk-eio-write', path)) throw storage.error('EIO');
      if (storage.hit('disk-enospc', path)) throw storage.error('ENOSPC');
      const room = storage.disk.room(this.#inode, position, source.length);
      if (room === 0 && source.length > 0) throw storage.error('ENOSPC');
      if (room < source.length) storage.error('ENOSPC');
      const bytes = Math.min(room, this.#taken(source.length, path));
      if (bytes > 0) storage.disk.write(this.#inode, source.subarray(0, bytes), position, storage.life);
      return bytes;
    });
  }

  sync(): Promise<void> {
    const storage = this.#storage;
    const inode = this.#inode;
    const { path, dirtyPages, size } = inode;
    const latencyMs = inode.isClean ? 0.02 : storage.disk.syncMs;
    return storage.effect(`sync ${path}`, storage.latencyMs(latencyMs, path), () => {
      this.#check();
      const full = storage.hit('disk-enospc', path);
      const failure = full ?? storage.hit('disk-eio-sync', path);
      if (failure !== undefined || (storage.disk.refuses && !inode.isClean)) {
        inode.syncFailed(dirtyPages, size, failure ?? storage.disk.chance);
        throw storage.error(full === undefined ? 'EIO' : 'ENOSPC');
      }
      inode.synced(dirtyPages, size);
      storage.disk.settled(inode);
    });
  }

  size(): Promise<number> {
    return this.#storage.effect(`size ${this.#inode.path}`, 0.01, () => {
      this.#check();
      return this.#inode.size;
    });
  }

  close(): Promise<void> {
    return this.#storage.effect('close', 0.01, () => {
      this.#check();
      this.release();
    });
  }

  release(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#storage.released(this);
    this.#storage.disk.released(this.#inode);
  }

  #check(): void {
    if (this.#closed) throw systemError('EBADF');
  }

  /** All of it, or less: a fault, or a process that was killed in the middle. */
  #taken(bytes: number, path: string): number {
    const { disk, life } = this.#storage;
    const short = this.#storage.hit('disk-short-write', path);
    if (short !== undefined) {
      this.#storage.error('short');
      return short.below(bytes);
    }
    return life.over && disk.chance.unit() < 0.5 ? disk.chance.below(bytes + 1) : bytes;
  }
}
