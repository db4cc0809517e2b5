/**
 * Key slots: where a device keeps the key of its next epoch so that no epoch is ever used twice.
 *
 * Two erase sectors, each one slot. A slot is one record at the beginning of its sector, padded with FF to
 * whole program units:
 *
 *   offset  bytes  what
 *        0      4  53 56 4b 31 ("SVK1")
 *        4      8  epoch, big-endian
 *       12     32  chain key of that epoch
 *       44      4  CRC-32 of the 44 bytes before, big-endian
 *
 * The order of writing is the guarantee. A device that wants to seal under epoch n holds (n, chain n) in one
 * slot. It makes (n+1, chain n+1) durable in the other slot, reads it back, erases the slot of n, reads that
 * back too, and only then seals under n. So the flash of a device that seals under n holds nothing of n, and
 * whoever reads it learns no key of what has been sealed.
 *
 * What a boot finds, and the epoch it may seal under:
 *
 *   slots                              means                                              seals under
 *   one valid (n), the other blank     the last start went to its end, or the first boot  n
 *   both valid (n and a later m)       cut between writing and erasing; m was never used  m: n counts as burnt
 *   one valid (n), the other damaged   cut while writing or while erasing: nobody can     n+1: n is burnt,
 *                                      tell which                                         n+2 is stored
 *   none valid                         lost; a fault, never a reason to provision anew    -
 *
 * A blank slot is one that reads FF throughout its record: that is what an erase that was read back leaves.
 * Epochs thus rise at each boot, by one or by two, and none repeats, wherever the power is cut.
 */
import type { Flash } from '../ports.js';
import { Crc32 } from '../seal/index.js';
import { isBlank, readBack, readUint, writeUint } from './sector.js';

const RECORD_BYTES = 48;
const CHAIN_AT = 12;
const CHAIN_BYTES = 32;
const CRC_AT = 44;

/** Highest epoch that a slot holds. */
export const MAX_EPOCH = 0xffffffff;

const VALID = 2;
const BLANK = 1;
const DAMAGED = 0;

export class KeySlots {
  readonly #flash: Flash;
  readonly #first: number;
  readonly #record: Uint8Array;
  readonly #check: Uint8Array;
  readonly #crc = new Crc32();
  readonly #epochs = [0, 0];
  readonly #states = [DAMAGED, DAMAGED];
  readonly #chain = new Uint8Array(CHAIN_BYTES);
  #held = -1;

  /** The slots lie in the sectors `first` and `first + 1`. */
  constructor(flash: Flash, first: number) {
    this.#flash = flash;
    this.#first = first;
    const units = Math.ceil(RECORD_BYTES / flash.programBytes);
    this.#record = new Uint8Array(units * flash.programBytes);
    this.#check = new Uint8Array(this.#record.length);
  }

  /** The epoch that the valid slot holds, -1 when there is none; after `load`, `store` or `format`. */
  get epoch(): number {
    return this.#held < 0 ? -1 : this.#epochs[this.#held];
  }

  /** The chain key of `epoch`; the array is this object's own. */
  get chain(): Uint8Array {
    return this.#chain;
  }

  /** True when the other slot is damaged, so that the epoch held must not be sealed under. */
  get burnt(): boolean {
    return this.#held >= 0 && this.#states[1 - this.#held] === DAMAGED;
  }

  /** Whether neither slot was ever written, as far as one can read. */
  get untouched(): boolean {
    return this.#isBlank(0) && this.#isBlank(1);
  }

  /** Reads both slots. @returns false when neither is valid */
  load(): boolean {
    this.#held = -1;
    for (let slot = 0; slot < 2; slot++) {
      this.#states[slot] = this.#readSlot(slot);
      if (this.#states[slot] !== VALID) continue;
      if (this.#held < 0 || this.#epochs[slot] > this.#epochs[this.#held]) this.#held = slot;
    }
    if (this.#held < 0) return false;
    this.#readSlot(this.#held);
    this.#chain.set(this.#record.subarray(CHAIN_AT, CHAIN_AT + CHAIN_BYTES));
    this.#record.fill(0);
    return true;
  }

  /**
   * Makes (epoch, chain) durable in place of what is held, and erases what was held.
   * @returns '' or what failed; after a failure the slots must be loaded again before they are used
   */
  store(epoch: number, chain: Uint8Array): string {
    const old = this.#held;
    if (old < 0) return 'no valid slot to replace';
    if (!(epoch > this.#epochs[old]) || epoch > MAX_EPOCH) return 'epoch must rise';
    this.#held = -1;
    const target = 1 - old;
    // Also when it reads FF: an erase that was cut at its very end leaves cells that read so, and don't last.
    if (!this.#erase(target)) return 'flash erase failed';
    if (!this.#write(target, epoch, chain)) return 'flash program failed';
    // The new key is durable from here on; the old one goes before anything is sealed.
    if (!this.#erase(old)) return 'flash erase failed';
    this.#epochs[target] = epoch;
    this.#states[target] = VALID;
    this.#states[old] = BLANK;
    this.#chain.set(chain);
    this.#held = target;
    return '';
  }

  /** For provisioning: both slots erased, then (epoch, chain) in the first. @returns '' or what failed */
  format(epoch: number, chain: Uint8Array): string {
    this.#held = -1;
    if (!this.#erase(0) || !this.#erase(1)) return 'flash erase failed';
    if (!this.#write(0, epoch, chain)) return 'flash program failed';
    return this.load() ? '' : 'slot unreadable after writing';
  }

  #erase(slot: number): boolean {
    return this.#flash.erase(this.#first + slot) && this.#isBlank(slot);
  }

  #isBlank(slot: number): boolean {
    this.#flash.read(this.#first + slot, 0, this.#check);
    return isBlank(this.#check, 0, this.#check.length);
  }

  #write(slot: number, epoch: number, chain: Uint8Array): boolean {
    const record = this.#record;
    record.fill(0xff);
    writeUint(record, 0, 4, 0x53564b31);
    writeUint(record, 4, 8, epoch);
    record.set(chain, CHAIN_AT);
    writeUint(record, CRC_AT, 4, this.#crc.compute(record, 0, CRC_AT) >>> 0);
    const sector = this.#first + slot;
    const done =
      this.#flash.program(sector, 0, record) && readBack(this.#flash, sector, 0, record, this.#check);
    record.fill(0);
    this.#check.fill(0);
    return done;
  }

  #readSlot(slot: number): number {
    const record = this.#record;
    this.#flash.read(this.#first + slot, 0, record);
    if (isBlank(record, 0, record.length)) return BLANK;
    if (readUint(record, 0, 4) !== 0x53564b31) return DAMAGED;
    if (readUint(record, CRC_AT, 4) !== this.#crc.compute(record, 0, CRC_AT) >>> 0) return DAMAGED;
    const epoch = readUint(record, 4, 8);
    if (epoch > MAX_EPOCH) return DAMAGED;
    this.#epochs[slot] = epoch;
    return VALID;
  }
}
