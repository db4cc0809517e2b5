/**
 * The backlog in flash: a ring of erase sectors, written in turn.
 *
 *   offset in the sector   bytes  what
 *        0                     4  53 56 42 31 ("SVB1")
 *        4                     8  device id: what another identity left is not read
 *       12                     8  number of the sector, big-endian: one more at each; it lies at number mod sectors
 *       20                     4  CRC-32 of the 20 bytes before, big-endian
 *       24                        entries
 *   last unit                     FF: in use. Anything else: all entries are receipted or given up
 *
 * An entry, big-endian:
 *
 *        0                     2  53 45 ("SE")
 *        2                     2  length of the envelope; 0: the entry was removed before it was written
 *        4                     4  epoch
 *        8                     4  sequence
 *       12                     4  CRC-32 of the envelope
 *       16                     4  CRC-32 of the 16 bytes before
 *       20                        the envelope
 *
 * Why so:
 *
 * - Entries are written in batches. A batch begins at a unit (256 bytes, or what the flash programs at once), its
 *   entries follow each other, and the rest of its last unit stays FF. So every unit is programmed once between
 *   two erasures, and a cut can hurt nothing but the batch at work. After a reboot one unit is left out behind the
 *   last one that is not FF: the cut may have hit a unit that still reads so.
 * - A sector is erased right before its first unit is written, and its header lies in that unit: it is not valid
 *   before its first entries are there. The sector that comes after the newest is never in use; a cut while it
 *   is erased may leave anything in it, and nobody looks.
 * - Two checksums: heads alone are read at the start, so that a board is up soon, and the envelope's is looked at
 *   when it is sent. A torn entry is passed over, and where it tells its name it is counted as lost.
 * - The mark makes sure that after a reboot only the entries of one sector can go out a second time.
 */
import type { Flash } from '../ports.js';
import { Crc32, ID_BYTES } from '../seal/index.js';
import { isBlank, readUint, writeUint } from './sector.js';

export const SECTOR_HEAD_BYTES = 24;
export const ENTRY_HEAD_BYTES = 20;
/** So many bytes of the mark are looked at: a cut leaves it FF, or not. */
const MARK_BYTES = 16;
/** Batches begin at multiples of this where the flash allows. */
const UNIT_BYTES = 256;

/** Reads and makes the heads of sectors and entries; one of each kind at a time. Allocates nothing. */
export class RingFormat {
  /** What is programmed at once. */
  readonly unitBytes: number;
  /** Where entries end in a sector. */
  readonly dataEnd: number;
  /** Of the entry found last: where its head begins, what it says. */
  at = 0;
  length = 0;
  epoch = 0;
  seq = 0;
  crc = 0;
  readonly #flash: Flash;
  readonly #first: number;
  readonly #id: Uint8Array;
  readonly #maxBytes: number;
  readonly #crc32 = new Crc32();
  readonly #sectorHead = new Uint8Array(SECTOR_HEAD_BYTES);
  readonly #entryHead = new Uint8Array(ENTRY_HEAD_BYTES);
  readonly #mark = new Uint8Array(MARK_BYTES);

  constructor(flash: Flash, first: number, id: Uint8Array, maxBytes: number, unitBytes = UNIT_BYTES) {
    this.#flash = flash;
    this.#first = first;
    this.#id = id.slice(0, ID_BYTES);
    this.#maxBytes = maxBytes;
    this.unitBytes = Math.ceil(unitBytes / flash.programBytes) * flash.programBytes;
    this.dataEnd = flash.sectorBytes - Math.ceil(MARK_BYTES / this.unitBytes) * this.unitBytes;
    if (SECTOR_HEAD_BYTES + ENTRY_HEAD_BYTES + maxBytes > this.dataEnd || maxBytes > flash.sectorBytes)
      throw new RangeError('flash backlog: an envelope does not fit a sector');
  }

  /** The number in a sector's head, -1 when it has none. */
  sectorNumber(slot: number): number {
    const head = this.#sectorHead;
    this.#flash.read(this.#first + slot, 0, head);
    if (readUint(head, 0, 4) !== 0x53564231) return -1;
    if (readUint(head, 20, 4) !== this.#crc32.compute(head, 0, 20) >>> 0) return -1;
    for (let i = 0; i < ID_BYTES; i++) if (head[4 + i] !== this.#id[i]) return -1;
    return readUint(head, 12, 8);
  }

  writeSectorHead(target: Uint8Array, number: number): void {
    writeUint(target, 0, 4, 0x53564231);
    for (let i = 0; i < ID_BYTES; i++) target[4 + i] = this.#id[i];
    writeUint(target, 12, 8, number);
    writeUint(target, 20, 4, this.#crc32.compute(target, 0, 20) >>> 0);
  }

  /** Whether nothing of a sector is needed any more. */
  done(slot: number): boolean {
    this.#flash.read(this.#first + slot, this.dataEnd, this.#mark);
    return !isBlank(this.#mark, 0, MARK_BYTES);
  }

  /** Finds the first entry at or behind `at`. @returns false when the sector has none there */
  find(slot: number, at: number): boolean {
    const head = this.#entryHead;
    const { dataEnd, unitBytes } = this;
    while (at + ENTRY_HEAD_BYTES <= dataEnd) {
      this.#flash.read(this.#first + slot, at, head);
      if (head[0] === 0xff) {
        at = (Math.floor(at / unitBytes) + 1) * unitBytes;
        continue;
      }
      if (head[0] === 0x53 && head[1] === 0x45 && this.#read(at)) return true;
      at++;
    }
    return false;
  }

  /** Makes an entry's head; `buffer[from, to)` is the envelope. */
  writeEntryHead(
    target: Uint8Array,
    epoch: number,
    seq: number,
    buffer: Uint8Array,
    from: number,
    to: number,
  ): void {
    target[0] = 0x53;
    target[1] = 0x45;
    writeUint(target, 2, 2, to - from);
    writeUint(target, 4, 4, epoch);
    writeUint(target, 8, 4, seq);
    writeUint(target, 12, 4, this.checksum(buffer, from, to));
    writeUint(target, 16, 4, this.#crc32.compute(target, 0, 16) >>> 0);
  }

  checksum(bytes: Uint8Array, from: number, to: number): number {
    return this.#crc32.compute(bytes, from, to) >>> 0;
  }

  #read(at: number): boolean {
    const head = this.#entryHead;
    if (readUint(head, 16, 4) !== this.#crc32.compute(head, 0, 16) >>> 0) return false;
    const length = readUint(head, 2, 2);
    if (length > this.#maxBytes || at + ENTRY_HEAD_BYTES + length > this.dataEnd) return false;
    this.at = at;
    this.length = length;
    this.epoch = readUint(head, 4, 4);
    this.seq = readUint(head, 8, 4);
    this.crc = readUint(head, 12, 4);
    return true;
  }
}
