/**
 * The content of one file, as the page cache shows it and as the disk holds it.
 *
 * | page    | cache and disk                                                                                         |
 * | ------- | ------------------------------------------------------------------------------------------------------ |
 * | clean   | agree, or the disk has rotted and nobody has read it since                                             |
 * | dirty   | written since the last sync: a power cut keeps any part of it                                          |
 * | lost    | a sync failed: the kernel has marked it clean, the cache shows it, and no later sync writes it         |
 * | bad     | the medium gives it back no more                                                                       |
 *
 * The size is metadata of its own: it may reach the disk with or without the pages behind it, which are zeros then.
 */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import type { Life } from '../kernel/life.js';
import { systemError } from '../kernel/violation.js';
import type { Directory } from './directory.js';

export const PAGE_BYTES = 4096;

export interface Range {
  readonly from: number;
  readonly to: number;
}

export class Inode {
  readonly kind = 'file';
  readonly number: number;
  /** Who made it. */
  readonly creator: Life | undefined;
  /** Where it stands for everybody; undefined when it has been removed. */
  directory: Directory | undefined;
  name = '';
  /** Entries on disk that lead to it. */
  durableLinks = 0;
  openHandles = 0;
  size = 0;
  durableSize = 0;
  /** What some process was told is on the disk. */
  confirmedSize = 0;
  /** What rotted, or became unreadable, ever. */
  readonly destroyed: Range[] = [];
  #visible = Buffer.alloc(PAGE_BYTES);
  /** Zeros from `durableSize` on. */
  #durable = Buffer.alloc(PAGE_BYTES);
  readonly #dirty = new Set<number>();
  readonly #lost = new Set<number>();
  readonly #bad = new Set<number>();

  constructor(number: number, creator: Life | undefined) {
    this.number = number;
    this.creator = creator;
  }

  get pages(): number {
    return Math.ceil(Math.max(this.size, this.durableSize) / PAGE_BYTES);
  }

  /** What everybody reads. Valid until the next write. */
  get visible(): Buffer {
    return this.#visible.subarray(0, this.size);
  }

  /** What surely survives a power cut, if an entry does. Valid until the next sync. */
  get durable(): Buffer {
    return this.#durable.subarray(0, this.durableSize);
  }

  get path(): string {
    return this.directory === undefined ? '(removed)' : `${this.directory.path}/${this.name}`;
  }

  /** @throws EIO within a page that the medium doesn't give back */
  read(target: Uint8Array, position: number): number {
    const end = Math.min(position + target.length, this.size);
    if (end <= position) return 0;
    for (const page of this.#bad) {
      if (page * PAGE_BYTES < end && (page + 1) * PAGE_BYTES > position) throw systemError('EIO');
    }
    target.set(this.#visible.subarray(position, end));
    return end - position;
  }

  /** @param chance whether the kernel writes back what stood there, when it wasn't synced either */
  write(source: Uint8Array, position: number, chance: SeededRandom): void {
    const end = position + source.length;
    if (end > this.#visible.length) this.#grow(end);
    const last = Math.floor((end - 1) / PAGE_BYTES);
    for (let page = Math.floor(position / PAGE_BYTES); page <= last; page++) {
      // Written over before it was synced: any version of it may be the one that reaches the disk.
      if (this.#dirty.has(page) && position < this.size && chance.unit() < 0.3) this.#writeBack(page);
      this.#dirty.add(page);
      this.#lost.delete(page);
      this.#bad.delete(page);
    }
    this.#visible.set(source, position);
    this.size = Math.max(this.size, end);
  }

  /** The pages that a sync which begins now has to write. */
  get dirtyPages(): readonly number[] {
    return [...this.#dirty];
  }

  get isClean(): boolean {
    return this.#dirty.size === 0 && this.size === this.durableSize;
  }

  /** Somebody was told that what the cache shows is on the disk. */
  get isSynced(): boolean {
    return this.isClean && this.#lost.size === 0;
  }

  synced(pages: readonly number[], size: number): void {
    this.durableSize = Math.max(this.durableSize, size);
    this.confirmedSize = Math.max(this.confirmedSize, size);
    for (const page of pages) {
      this.#copy(page);
      this.#dirty.delete(page);
    }
  }

  /** Any part of it may have reached the disk; what hasn't is lost, and shows nowhere. */
  syncFailed(pages: readonly number[], size: number, chance: SeededRandom): void {
    const all = chance.unit() < 0.4;
    if (chance.unit() < 0.5) this.durableSize = Math.max(this.durableSize, size);
    for (const page of pages) {
      if (!all && chance.unit() < 0.5) this.#writeBack(page);
      else this.#lost.add(page);
      this.#dirty.delete(page);
    }
  }

  /** The machine loses power: any legal part of what was not synced is kept. */
  powerCut(chance: SeededRandom): void {
    const unsynced = this.#dirty.size + this.#lost.size > 0 || this.size !== this.durableSize;
    if (!unsynced && this.destroyed.length === 0) return;
    if (unsynced) this.#keepSome(chance);
    this.#durable.fill(0, this.durableSize);
    this.#durable.copy(this.#visible);
    this.size = this.durableSize;
    this.#dirty.clear();
    this.#lost.clear();
  }

  /** Clean pages are read from the disk again: what a failed sync has lost shows its older content. */
  evict(): void {
    for (const page of this.#lost) {
      const from = page * PAGE_BYTES;
      const to = Math.min(from + PAGE_BYTES, this.#visible.length);
      this.#durable.copy(this.#visible, from, from, to);
    }
    this.#lost.clear();
  }

  /** Bytes on disk change, seen at once or when the page is read from there again. */
  rot(from: number, change: (bytes: Buffer) => void, length: number, atOnce: boolean): Range {
    const to = Math.min(from + length, this.durableSize);
    change(this.#durable.subarray(from, to));
    const page = Math.floor(from / PAGE_BYTES);
    if (atOnce && !this.#dirty.has(page)) this.#durable.copy(this.#visible, from, from, to);
    return this.#destroy(from, to);
  }

  /** The page that holds this byte can't be read any more. */
  lose(at: number): Range {
    const page = Math.floor(at / PAGE_BYTES);
    if (!this.#dirty.has(page)) this.#bad.add(page);
    return this.#destroy(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, this.durableSize));
  }

  isDestroyed(from: number, to: number): boolean {
    return this.destroyed.some(range => range.from < to && range.to > from);
  }

  #destroy(from: number, to: number): Range {
    const range = { from, to };
    this.destroyed.push(range);
    return range;
  }

  #keepSome(chance: SeededRandom): void {
    const manner = chance.below(6);
    if (manner === 0) return;
    const { size, durableSize } = this;
    const pages = [...this.#dirty, ...this.#lost].sort((a, b) => a - b);
    if (manner === 1) {
      for (const page of pages) this.#copy(page);
      this.durableSize = size;
    } else if (manner === 2) {
      // In order, up to any byte.
      const end = durableSize + chance.below(size - durableSize + 1);
      for (const page of pages) this.#part(page, 0, end - page * PAGE_BYTES);
      this.durableSize = end;
    } else {
      for (const page of pages) this.#keepPage(page, chance);
      if (chance.unit() < 0.6) this.durableSize = size;
      else this.durableSize = durableSize + chance.below(size - durableSize + 1);
    }
  }

  /** Old, new, or torn at any byte: a sector that was being written need not be whole. */
  #keepPage(page: number, chance: SeededRandom): void {
    const what = chance.below(4);
    if (what === 0) return;
    if (what === 1) {
      this.#copy(page);
      return;
    }
    // Old and new mix only where they differ.
    const at = chance.unit() < 0.5 ? chance.below(PAGE_BYTES + 1) : this.#withinChange(page, chance);
    const sector = chance.unit() < 0.5 ? at : at - (at % 512);
    if (what === 2) this.#part(page, 0, sector);
    else this.#part(page, sector, PAGE_BYTES);
  }

  /** A place between the first and the last byte that a page has new. */
  #withinChange(page: number, chance: SeededRandom): number {
    const begin = page * PAGE_BYTES;
    const end = Math.min(begin + PAGE_BYTES, this.size);
    let first = begin;
    while (first < end && this.#visible[first] === this.#durable[first]) first++;
    let last = end;
    while (last > first && this.#visible[last - 1] === this.#durable[last - 1]) last--;
    return first - begin + chance.below(last - first + 1);
  }

  #copy(page: number): void {
    this.#part(page, 0, PAGE_BYTES);
  }

  #part(page: number, from: number, to: number): void {
    const begin = page * PAGE_BYTES;
    const end = Math.min(begin + to, begin + PAGE_BYTES, this.size);
    if (end > begin + from) this.#visible.copy(this.#durable, begin + from, begin + from, end);
  }

  /** Writes a page, as far as the file on disk reaches. */
  #writeBack(page: number): void {
    this.#part(page, 0, Math.max(0, this.durableSize - page * PAGE_BYTES));
  }

  #grow(size: number): void {
    let length = this.#visible.length;
    while (length < size) length *= 2;
    const visible = Buffer.alloc(length);
    this.#visible.copy(visible, 0, 0, this.size);
    this.#visible = visible;
    const durable = Buffer.alloc(length);
    this.#durable.copy(durable, 0, 0, this.durableSize);
    this.#durable = durable;
  }
}
