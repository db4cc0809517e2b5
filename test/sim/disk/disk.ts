/**
 * The disk of one machine. It outlives the processes on it: a SIGKILL leaves it as it is, a power cut leaves any legal
 * part of what was not synced. What goes wrong with it comes from the world's faults.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Life } from '../kernel/life.js';
import type { World } from '../kernel/world.js';
import { Directory, type Node } from './directory.js';
import { DiskStorage } from './disk-storage.js';
import { Inode, PAGE_BYTES, type Range } from './inode.js';

export interface DiskOptions {
  readonly name?: string;
  readonly capacityBytes?: number;
}

/** Hears what happens in one directory. */
export interface DiskWatcher {
  created?(file: Inode): void;
  /** Bytes [from, to) are about to be seen by everybody. */
  written?(file: Inode, from: number, to: number, life: Life, source: Uint8Array): void;
  /** A sync of the file or of its directory has succeeded. */
  settled?(file: Inode): void;
  /** The entry `name` doesn't lead to the file any more, for now only as the page cache has it. */
  removed?(file: Inode, name: string): void;
  destroyed?(file: Inode, range: Range): void;
  /** The machine has lost power. */
  powerCut?(): void;
}

const DEFAULT_CAPACITY_BYTES = 64 * 1024 * 1024;
const MINUTE_MS = 60_000;
/** A medium that fails here and there, not one that dies: nothing is promised on such a one. */
const MAX_ROTTEN = 6;
const MAX_BAD_PAGES = 2;

export class Disk {
  readonly world: World;
  readonly name: string;
  readonly capacityBytes: number;
  readonly root = new Directory('');
  /** Chance for what is no fault: latencies, and what a cut keeps. */
  readonly chance: SeededRandom;
  /** Mean duration of an fdatasync. */
  readonly syncMs: number;
  powerCuts = 0;
  #rotten = 0;
  #badPages = 0;
  readonly #watchers = new Map<string, DiskWatcher[]>();
  #inodes = 0;
  #usedPages = 0;
  #filledBytes = 0;
  #refusesUntilMs = -1;

  constructor(world: World, options: DiskOptions = {}) {
    const { name = 'disk', capacityBytes = DEFAULT_CAPACITY_BYTES } = options;
    this.world = world;
    this.name = name;
    this.capacityBytes = capacityBytes;
    this.chance = world.derive(`${name} chance`);
    this.syncMs = 0.3 * 60 ** this.chance.unit();
    const { faults } = world;
    faults.arrivals('disk-rot', details => this.#rot(details));
    faults.arrivals('disk-bad-page', details => this.#losePage(details));
    faults.arrivals('disk-evict', () => {
      for (const file of this.files()) file.evict();
    });
    faults.arrivals('disk-outage', details => {
      this.#refusesUntilMs = world.nowMs + 2000 * 300 ** details.unit();
    });
    faults.arrivals('disk-full', details => this.#fillForAWhile(details));
  }

  /** As one process sees it. */
  storage(life: Life): DiskStorage {
    return new DiskStorage(this, life);
  }

  watch(directory: string, watcher: DiskWatcher): void {
    const watchers = this.#watchers.get(directory);
    if (watchers === undefined) this.#watchers.set(directory, [watcher]);
    else watchers.push(watcher);
  }

  /** What other programs hold of it. */
  fill(bytes: number): void {
    this.#filledBytes = bytes;
  }

  /** No fault of its own lasts any longer. */
  heal(): void {
    this.#filledBytes = 0;
    this.#refusesUntilMs = -1;
  }

  /** Whether it has destroyed anything at rest. */
  get damaged(): boolean {
    return this.#rotten + this.#badPages > 0;
  }

  get availableBytes(): number {
    return Math.max(0, this.capacityBytes - this.#filledBytes - this.#usedPages * PAGE_BYTES);
  }

  /** Everything that would change it fails. */
  get refuses(): boolean {
    return this.world.nowMs < this.#refusesUntilMs;
  }

  /** Every process on the machine must have ended. */
  powerCut(): void {
    this.powerCuts++;
    this.#usedPages = 0;
    this.#cut(this.root);
    for (const watchers of this.#watchers.values()) for (const watcher of watchers) watcher.powerCut?.();
  }

  /** All files that have a name, in the order of their paths' directories. */
  *files(directory: Directory = this.root): Iterable<Inode> {
    for (const node of directory.entries.values()) {
      if (node.kind === 'file') yield node;
      else yield* this.files(node);
    }
  }

  /** What a path leads to. */
  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (node?.kind !== 'directory') return undefined;
      node = node.entries.get(name);
    }
    return node;
  }

  /** Whether the entries on the way to a directory survive a power cut. */
  isDurable(directory: Directory): boolean {
    if (directory === this.root) return true;
    if (directory.durableLinks === 0) return false;
    const above = this.find(directory.path.slice(0, directory.path.lastIndexOf('/')));
    return above?.kind === 'directory' && this.isDurable(above);
  }

  /** Puts a file there that has long been durable, with bytes that the medium has destroyed at some time. */
  install(path: string, bytes: Uint8Array, life: Life, destroyed: readonly Range[] = []): void {
    const slash = path.lastIndexOf('/');
    const names = path.slice(1, slash).split('/');
    let directory = this.root;
    for (const name of names) {
      if (!directory.entries.has(name)) this.makeDirectory(directory, name);
      directory.synced();
      directory = directory.entries.get(name) as Directory;
    }
    const file = this.create(directory, path.slice(slash + 1), life);
    file.destroyed.push(...destroyed);
    this.write(file, bytes, 0, life);
    file.synced(file.dirtyPages, file.size);
    directory.synced();
    this.settled(file);
  }

  // For DiskStorage:

  create(directory: Directory, name: string, life: Life): Inode {
    const file = new Inode(this.#inodes++, life);
    directory.link(name, file);
    file.directory = directory;
    file.name = name;
    this.#tell(file, watcher => watcher.created?.(file));
    return file;
  }

  makeDirectory(above: Directory, name: string): void {
    above.link(name, new Directory(`${above.path}/${name}`));
  }

  /** Bytes that fit: all of `bytes`, or as many as there is room for. */
  room(file: Inode, position: number, bytes: number): number {
    const free = Math.floor(this.availableBytes / PAGE_BYTES);
    return Math.max(0, Math.min(bytes, (file.pages + free) * PAGE_BYTES - position));
  }

  write(file: Inode, source: Uint8Array, position: number, life: Life): void {
    this.#tell(file, watcher => watcher.written?.(file, position, position + source.length, life, source));
    const before = file.pages;
    file.write(source, position, this.chance);
    this.#usedPages += file.pages - before;
  }

  settled(file: Inode): void {
    this.#tell(file, watcher => watcher.settled?.(file));
  }

  directorySettled(directory: Directory): void {
    if (!this.#watchers.has(directory.path)) return;
    for (const node of directory.entries.values()) if (node.kind === 'file') this.settled(node);
  }

  rename(directory: Directory, from: string, to: string): void {
    const file = directory.entries.get(from)!;
    const replaced = directory.entries.get(to);
    if (replaced?.kind === 'file') this.#removed(replaced, to);
    directory.rename(from, to);
    if (file.kind === 'file') file.name = to;
  }

  remove(directory: Directory, name: string): void {
    const file = directory.entries.get(name) as Inode;
    directory.unlink(name);
    this.#removed(file, name);
  }

  released(file: Inode): void {
    file.openHandles--;
    this.#reclaim(file);
  }

  #removed(file: Inode, name: string): void {
    this.#tell(file, watcher => watcher.removed?.(file, name));
    file.directory = undefined;
    this.#reclaim(file);
  }

  /** The room of a file without a name is free once nobody has it open. */
  #reclaim(file: Inode): void {
    if (file.directory === undefined && file.openHandles === 0) this.#usedPages -= file.pages;
  }

  #cut(directory: Directory): void {
    const before = [...directory.entries.values()];
    directory.powerCut(this.chance);
    for (const node of before) if (node.kind === 'file') node.directory = undefined;
    for (const [name, node] of directory.entries) {
      if (node.kind === 'directory') {
        this.#cut(node);
        continue;
      }
      node.directory = directory;
      node.name = name;
      node.openHandles = 0;
      node.powerCut(this.chance);
      this.#usedPages += node.pages;
    }
  }

  #tell(file: Inode, tell: (watcher: DiskWatcher) => void): void {
    const watchers = file.directory && this.#watchers.get(file.directory.path);
    if (watchers !== undefined) for (const watcher of watchers) tell(watcher);
  }

  #rot(details: SeededRandom): void {
    const place = this.#rotten < MAX_ROTTEN ? this.#somewhere(details) : undefined;
    if (place === undefined) return;
    this.#rotten++;
    const [file, at] = place;
    const atOnce = details.unit() < 0.5;
    const manner = details.below(3);
    let range: Range;
    if (manner === 0) {
      const bit = 1 << details.below(8);
      const flip = (bytes: Buffer) => {
        bytes[0] ^= bit;
      };
      range = file.rot(at, flip, 1, atOnce);
    } else if (manner === 1) {
      range = file.rot(at, bytes => details.fill(bytes), 1 + details.below(64), atOnce);
    } else {
      range = file.rot(at - (at % 512), bytes => bytes.fill(0), 512, atOnce);
    }
    this.world.trace.note(this.name, 'rotten', `${file.path} [${range.from}, ${range.to})`);
    this.#tell(file, watcher => watcher.destroyed?.(file, range));
  }

  #losePage(details: SeededRandom): void {
    const place = this.#badPages < MAX_BAD_PAGES ? this.#somewhere(details) : undefined;
    if (place === undefined) return;
    this.#badPages++;
    const [file, at] = place;
    const range = file.lose(at);
    this.world.trace.note(this.name, 'unreadable', `${file.path} [${range.from}, ${range.to})`);
    this.#tell(file, watcher => watcher.destroyed?.(file, range));
  }

  /** A durable byte, any as likely as any other. */
  #somewhere(details: SeededRandom): [Inode, number] | undefined {
    const files = [...this.files()];
    const total = files.reduce((sum, { durableSize }) => sum + durableSize, 0);
    let at = details.below(total);
    for (const file of files) {
      if (at < file.durableSize) return [file, at];
      at -= file.durableSize;
    }
    return undefined;
  }

  #fillForAWhile(details: SeededRandom): void {
    const left = details.unit() < 0.5 ? 0 : details.below(64 * 1024);
    this.#filledBytes = Math.max(0, this.#filledBytes + this.availableBytes - left);
    this.world.trace.note(this.name, 'full', `${this.availableBytes} bytes left`);
    const forMs =
      details.unit() < 0.7 ? 1000 + details.unit() * 2 * MINUTE_MS : details.unit() * 60 * MINUTE_MS;
    this.world.after(forMs, () => {
      this.#filledBytes = 0;
      this.world.trace.note(this.name, 'freed');
    });
  }
}
