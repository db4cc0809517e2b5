import type { Flash } from '../ports.js';
import type { RamBacklog } from './ram-backlog.js';
import { ENTRY_HEAD_BYTES, RingFormat, SECTOR_HEAD_BYTES } from './ring-format.js';
import { RingWriter } from './ring-writer.js';

/** Entries removed in the middle, until they are the oldest. */
const MAX_REMOVED = 64;

export interface FlashRingOptions {
  /** The ring lies in the sectors `first` to `first + sectors - 1`: at least 3, of which one is always spare. */
  readonly first: number;
  readonly sectors: number;
  /** Of the device: 8 bytes. */
  readonly id: Uint8Array;
  readonly maxEnvelopeBytes: number;
  /** Default 256, or what the flash programs at once if that is more. */
  readonly unitBytes?: number;
}

/**
 * The part of a backlog that lies in flash; `ring-format.ts` has its bytes. In memory there is one number for
 * each sector; entries are found by walking from the oldest, or from where the last search ended.
 */
export class FlashRing {
  /** Times that the flash failed. */
  failures = 0;
  epoch = 0;
  seq = 0;
  readonly buffer: Uint8Array;
  from = 0;
  to = 0;
  readonly #flash: Flash;
  readonly #first: number;
  readonly #sectors: number;
  readonly #format: RingFormat;
  readonly #writer: RingWriter;
  /** Entries that are left in each sector. */
  readonly #counts: Uint16Array;
  #count = 0;
  /** Number of the newest sector, -1 when there is none yet; and of the one with the oldest entry. */
  #newest = -1;
  #oldest = 0;
  #oldestAt = SECTOR_HEAD_BYTES;
  /** Entries that have left since the start: index + this never changes for an entry. */
  #left = 0;
  readonly #removed = new Float64Array(MAX_REMOVED);
  #removedCount = 0;
  /** Removed before they were written. */
  #tombs = 0;
  /** Where the last search ended: entry, sector, place, entries of that sector from there on. */
  #here = -1;
  #hereNumber = 0;
  #hereAt = 0;
  #hereCount = 0;
  /** The sector of the entry found last. */
  #foundNumber = 0;
  #loaded = -1;
  /** Where the entries end that `#countBefore` counted. */
  #entriesEnd = 0;

  constructor(flash: Flash, options: FlashRingOptions) {
    const { first, sectors, id, maxEnvelopeBytes } = options;
    if (sectors < 3 || first + sectors > flash.sectors)
      throw new RangeError('flash backlog: not enough flash sectors');
    this.#flash = flash;
    this.#first = first;
    this.#sectors = sectors;
    this.#format = new RingFormat(flash, first, id, maxEnvelopeBytes, options.unitBytes);
    this.#writer = new RingWriter(flash, this.#format, first);
    this.#counts = new Uint16Array(sectors);
    this.buffer = new Uint8Array(maxEnvelopeBytes);
    this.#open();
  }

  get count(): number {
    return this.#count;
  }

  get removed(): number {
    return Math.min(this.#count, this.#removedCount + this.#tombs);
  }

  /** Moves entries in from memory, oldest first, as many as there is room for. @returns how many are durable */
  take(ram: RamBacklog): number {
    const writer = this.#writer;
    this.#here = -1;
    let moved = 0;
    let well = true;
    writer.begin();
    for (let i = 0; well && ram.select(i); i++) {
      const bytes = ram.to - ram.from;
      if (!writer.fits(bytes)) {
        well = writer.flush();
        moved += this.#settle(ram, moved);
        if (!well || !this.#turn()) break;
        ram.select(i);
      }
      well = writer.append(ram.epoch, ram.seq, ram.buffer, ram.from, ram.to);
    }
    if (well) well = writer.flush();
    moved += this.#settle(ram, moved);
    if (!well) {
      this.failures++;
      const slot = this.#newest % this.#sectors;
      // What the flash failed to write may still be found there one day, and goes elsewhere now.
      if (this.#counts[slot] === 0) this.#writer.mark(slot);
    }
    return moved;
  }

  select(index: number): boolean {
    const entry = this.#left + index;
    if (index < this.#count && entry === this.#loaded) return true;
    this.#loaded = -1;
    // Each entry that is not found is one less.
    while (index < this.#count && !this.#find(entry));
    if (index >= this.#count) return false;
    const { at, length, crc, epoch, seq } = this.#format;
    this.epoch = epoch;
    this.seq = seq;
    const body = at + ENTRY_HEAD_BYTES;
    const start = Math.min(body, this.#flash.sectorBytes - this.buffer.length);
    this.#flash.read(this.#first + (this.#foundNumber % this.#sectors), start, this.buffer);
    this.from = body - start;
    this.to = this.from + length;
    if (this.#format.checksum(this.buffer, this.from, this.to) !== crc || this.#isRemoved(entry))
      this.to = this.from;
    this.#loaded = entry;
    return true;
  }

  /** Forgets the oldest entry, and those removed that follow it. */
  shift(): void {
    if (this.#count === 0) return;
    this.#drop();
    this.#trim();
  }

  remove(index: number): boolean {
    const entry = this.#left + index;
    if (index >= this.#count || this.#isRemoved(entry)) return true;
    if (index === 0) {
      this.shift();
      return true;
    }
    if (this.#removedCount === MAX_REMOVED) return false;
    this.#removed[this.#removedCount++] = entry;
    this.#loaded = -1;
    return true;
  }

  /** What the writer made durable in the open sector now counts. @returns how many these are */
  #settle(ram: RamBacklog, moved: number): number {
    const writer = this.#writer;
    const count = writer.durable;
    if (count === 0) return 0;
    for (let i = moved; i < moved + count; i++) if (ram.select(i) && ram.to === ram.from) this.#tombs++;
    if (this.#count === 0) {
      this.#oldest = this.#newest;
      this.#oldestAt = SECTOR_HEAD_BYTES;
    }
    this.#counts[this.#newest % this.#sectors] += count;
    this.#count += count;
    writer.begin();
    return count;
  }

  /** Opens the next sector. @returns false when all are in use, or the flash fails */
  #turn(): boolean {
    const number = this.#newest + 1;
    this.#writer.close();
    if (this.#count > 0 && this.#oldest < number - this.#sectors + 2) return false;
    this.#newest = number;
    const slot = number % this.#sectors;
    this.#counts[slot] = 0;
    if (this.#writer.open(slot, number)) return true;
    this.failures++;
    return false;
  }

  /** The oldest entry goes; with the last of a sector, the sector. */
  #drop(): void {
    const number = this.#oldest;
    const slot = number % this.#sectors;
    if (this.#format.find(slot, this.#oldestAt)) {
      this.#oldestAt = this.#format.at + ENTRY_HEAD_BYTES + this.#format.length;
      if (this.#format.length === 0 && this.#tombs > 0) this.#tombs--;
    }
    this.#forget(this.#left);
    this.#left++;
    this.#count--;
    this.#counts[slot]--;
    if (this.#counts[slot] > 0) return;
    if (number === this.#newest) this.#writer.close();
    this.#writer.mark(slot);
    this.#oldestAt = SECTOR_HEAD_BYTES;
    if (this.#count === 0) return;
    do this.#oldest++;
    while (this.#counts[this.#oldest % this.#sectors] === 0);
  }

  #trim(): void {
    while (this.#count > 0) {
      if (!this.#isRemoved(this.#left)) {
        const found = this.#format.find(this.#oldest % this.#sectors, this.#oldestAt);
        if (found && this.#format.length > 0) return;
      }
      this.#drop();
    }
  }

  #isRemoved(entry: number): boolean {
    for (let i = 0; i < this.#removedCount; i++) if (this.#removed[i] === entry) return true;
    return false;
  }

  #forget(entry: number): void {
    for (let i = 0; i < this.#removedCount; i++) {
      if (this.#removed[i] !== entry) continue;
      this.#removed[i] = this.#removed[--this.#removedCount];
      return;
    }
  }

  /** Finds an entry: `format` then has its head. */
  #find(entry: number): boolean {
    if (entry === this.#left) {
      // The oldest is looked at between all others: the place that was reached stays known.
      this.#foundNumber = this.#oldest;
      return this.#format.find(this.#oldest % this.#sectors, this.#oldestAt) || this.#lose();
    }
    if (this.#here < this.#left || this.#here > entry) {
      this.#here = this.#left;
      this.#hereNumber = this.#oldest;
      this.#hereAt = this.#oldestAt;
      this.#hereCount = this.#counts[this.#oldest % this.#sectors];
    }
    while (entry - this.#here >= this.#hereCount) {
      this.#here += this.#hereCount;
      this.#hereNumber++;
      this.#hereAt = SECTOR_HEAD_BYTES;
      this.#hereCount = this.#counts[this.#hereNumber % this.#sectors];
    }
    for (;;) {
      if (!this.#format.find(this.#hereNumber % this.#sectors, this.#hereAt)) return this.#lose();
      this.#foundNumber = this.#hereNumber;
      if (this.#here === entry) return true;
      this.#here++;
      this.#hereCount--;
      this.#hereAt = this.#format.at + ENTRY_HEAD_BYTES + this.#format.length;
    }
  }

  /** The flash read otherwise before: the sector where the search ended has one entry less. */
  #lose(): boolean {
    this.failures++;
    const number = this.#here > this.#left ? this.#hereNumber : this.#oldest;
    this.#here = -1;
    if (number === this.#oldest) this.#drop();
    else {
      this.#counts[number % this.#sectors]--;
      this.#count--;
    }
    return false;
  }

  /** Finds what an earlier boot left. From the newest sector back: an entry written twice counts the second time. */
  #open(): void {
    const sectors = this.#sectors;
    for (let slot = 0; slot < sectors; slot++) {
      const number = this.#format.sectorNumber(slot);
      if (number % sectors === slot && number > this.#newest) this.#newest = number;
    }
    let [epoch, seq] = [Number.POSITIVE_INFINITY, 0];
    // The sector after the newest may be half erased.
    for (let number = this.#newest; number >= 0 && number > this.#newest - sectors + 1; number--) {
      const slot = number % sectors;
      if (this.#format.sectorNumber(slot) !== number || this.#format.done(slot)) continue;
      this.#counts[slot] = this.#countBefore(slot, epoch, seq);
      if (number === this.#newest) this.#writer.resume(slot, this.#entriesEnd);
      if (this.#counts[slot] === 0) continue;
      this.#count += this.#counts[slot];
      this.#oldest = number;
      this.#format.find(slot, SECTOR_HEAD_BYTES);
      epoch = this.#format.epoch;
      seq = this.#format.seq;
    }
    this.#trim();
  }

  /** The entries at the beginning of a sector that come before (epoch, seq), removed ones among them. */
  #countBefore(slot: number, epoch: number, seq: number): number {
    const format = this.#format;
    let count = 0;
    let at = SECTOR_HEAD_BYTES;
    for (; format.find(slot, at); count++) {
      if (format.epoch > epoch || (format.epoch === epoch && format.seq >= seq)) break;
      if (format.length === 0) this.#tombs++;
      at = format.at + ENTRY_HEAD_BYTES + format.length;
    }
    this.#entriesEnd = at;
    return count;
  }
}

/**
 * Erases a ring, whoever's it was.
 * @param between called after each sector: a whole ring takes longer than a watchdog waits
 * @returns false when the flash fails
 */
export function eraseBacklog(flash: Flash, first: number, sectors: number, between?: () => void): boolean {
  let erased = true;
  for (let sector = first; sector < first + sectors; sector++) {
    erased = flash.erase(sector) && erased;
    between?.();
  }
  return erased;
}
