import type { Flash } from '../ports.js';
import { ENTRY_HEAD_BYTES, type RingFormat, SECTOR_HEAD_BYTES } from './ring-format.js';
import { isBlank, readBack } from './sector.js';

/** Writes entries into the sectors of a ring, unit by unit, and reads each unit back. */
export class RingWriter {
  /** Entries that are whole in flash since `begin`. */
  durable = 0;
  /** Where the next batch begins in the open sector; -1: none is open. */
  at = -1;
  readonly #flash: Flash;
  readonly #format: RingFormat;
  readonly #first: number;
  readonly #unit: Uint8Array;
  readonly #check: Uint8Array;
  readonly #head = new Uint8Array(ENTRY_HEAD_BYTES);
  #slot = 0;
  #fill = 0;
  /** Entries that end in the unit at work. */
  #pending = 0;

  constructor(flash: Flash, format: RingFormat, first: number) {
    this.#flash = flash;
    this.#format = format;
    this.#first = first;
    this.#unit = new Uint8Array(format.unitBytes).fill(0xff);
    this.#check = new Uint8Array(format.unitBytes);
  }

  /**
   * After a reboot: goes on behind what the sector holds, if there is room.
   * @param end where its last entry ends: a torn one claims more than was written
   */
  resume(slot: number, end: number): void {
    const { unitBytes, dataEnd } = this.#format;
    let used = dataEnd;
    while (used > 0 && this.#blank(slot, used - unitBytes)) used -= unitBytes;
    const at = Math.max(used + unitBytes, Math.ceil(end / unitBytes) * unitBytes);
    this.#slot = slot;
    this.at = at + unitBytes <= dataEnd ? at : -1;
  }

  /** Erases a sector and makes it the open one. @returns false when the flash fails */
  open(slot: number, number: number): boolean {
    this.at = -1;
    const { unitBytes } = this.#format;
    if (!this.#flash.erase(this.#first + slot)) return false;
    for (let at = 0; at < this.#flash.sectorBytes; at += unitBytes) {
      if (!this.#blank(slot, at)) return false;
    }
    this.#slot = slot;
    this.at = 0;
    this.#format.writeSectorHead(this.#unit, number);
    this.#fill = SECTOR_HEAD_BYTES;
    return true;
  }

  begin(): void {
    this.durable = 0;
    this.#pending = 0;
  }

  /** Whether the open sector has room for an envelope of so many bytes. */
  fits(bytes: number): boolean {
    return this.at >= 0 && this.at + this.#fill + ENTRY_HEAD_BYTES + bytes <= this.#format.dataEnd;
  }

  /** @returns false when the flash fails: the sector is closed, and holds the `durable` entries */
  append(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): boolean {
    this.#format.writeEntryHead(this.#head, epoch, seq, buffer, from, to);
    if (!this.#put(this.#head, 0, ENTRY_HEAD_BYTES) || !this.#put(buffer, from, to)) return false;
    this.#pending++;
    // What ends with its unit was programmed before it could be counted.
    if (this.#fill === 0) {
      this.durable += this.#pending;
      this.#pending = 0;
    }
    return true;
  }

  /** Ends the batch. @returns false when the flash fails */
  flush(): boolean {
    return this.at < 0 || this.#fill === 0 || this.#program();
  }

  /** Nothing more goes into the open sector. */
  close(): void {
    this.at = -1;
    this.#fill = 0;
    this.#pending = 0;
    this.#unit.fill(0xff);
  }

  /** Nothing of a sector is needed any more. */
  mark(slot: number): void {
    const { unitBytes, dataEnd } = this.#format;
    this.#check.fill(0);
    for (let at = dataEnd; at < this.#flash.sectorBytes; at += unitBytes) {
      // A sector that takes no mark is erased: either way nothing of it is sent again.
      if (!this.#flash.program(this.#first + slot, at, this.#check)) this.#flash.erase(this.#first + slot);
    }
  }

  #put(bytes: Uint8Array, from: number, to: number): boolean {
    const unit = this.#unit;
    for (let i = from; i < to; i++) {
      unit[this.#fill++] = bytes[i];
      if (this.#fill === unit.length && !this.#program()) return false;
    }
    return true;
  }

  #program(): boolean {
    const sector = this.#first + this.#slot;
    const unit = this.#unit;
    if (
      !this.#flash.program(sector, this.at, unit) ||
      !readBack(this.#flash, sector, this.at, unit, this.#check)
    ) {
      this.close();
      return false;
    }
    this.durable += this.#pending;
    this.#pending = 0;
    this.at += unit.length;
    this.#fill = 0;
    unit.fill(0xff);
    return true;
  }

  #blank(slot: number, at: number): boolean {
    this.#flash.read(this.#first + slot, at, this.#check);
    return isBlank(this.#check, 0, this.#check.length);
  }
}
