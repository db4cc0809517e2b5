import type { Flash, RestartMemory } from '../ports.js';
import { isBlank, readBack } from './sector.js';

/**
 * A restart record in flash, for boards without memory that outlives a reset. One erase sector: records follow
 * each other, each in whole program units, the last one counts, and a full sector is erased before the next.
 * A cut while that goes on costs the record, which then reads as if there had been none.
 */
export class FlashRestartMemory implements RestartMemory {
  readonly #flash: Flash;
  readonly #sector: number;

  constructor(flash: Flash, sector: number) {
    if (sector >= flash.sectors) throw new RangeError('restart record: no such flash sector');
    this.#flash = flash;
    this.#sector = sector;
  }

  read(target: Uint8Array): boolean {
    const slotBytes = this.#slotBytes(target.length);
    const next = this.#next(slotBytes);
    if (next === 0) return false;
    const slot = new Uint8Array(slotBytes);
    this.#flash.read(this.#sector, next - slotBytes, slot);
    target.set(slot.subarray(0, target.length));
    return true;
  }

  write(source: Uint8Array): boolean {
    const slotBytes = this.#slotBytes(source.length);
    const slot = new Uint8Array(slotBytes).fill(0xff);
    slot.set(source);
    const at = this.#next(slotBytes);
    if (at + slotBytes <= this.#flash.sectorBytes && this.#program(at, slot)) return true;
    return this.#flash.erase(this.#sector) && this.#program(0, slot);
  }

  #program(at: number, slot: Uint8Array): boolean {
    if (!this.#flash.program(this.#sector, at, slot)) return false;
    return readBack(this.#flash, this.#sector, at, slot, new Uint8Array(slot.length));
  }

  #slotBytes(bytes: number): number {
    const { programBytes } = this.#flash;
    return Math.ceil(bytes / programBytes) * programBytes;
  }

  /** Where the blank rest of the sector begins; behind the last record that fits when there is none. */
  #next(slotBytes: number): number {
    const slot = new Uint8Array(slotBytes);
    let at = Math.floor(this.#flash.sectorBytes / slotBytes) * slotBytes;
    for (; at > 0; at -= slotBytes) {
      this.#flash.read(this.#sector, at - slotBytes, slot);
      if (!isBlank(slot, 0, slotBytes)) break;
    }
    return at;
  }
}
