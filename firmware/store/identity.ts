/**
 * Identity: who a device is, in an erase sector of its own that is written once, at provisioning.
 *
 *   offset                bytes  what
 *        0                    4  53 56 49 31 ("SVI1")
 *        4                    8  device id
 *       12                   32  down key
 *       44                    4  CRC-32 of the 44 bytes before, big-endian
 *   next program unit         4  4d 41 52 4b ("MARK"): provisioned
 *
 * The mark is programmed last, after the identity and the first key slot have been read back. Any mark that
 * does not read FF throughout counts: a device that was ever provisioned never takes keys again by itself,
 * even when power was cut in the middle of the mark or a bit of it has rotted.
 */
import type { Flash } from '../ports.js';
import { Crc32, ID_BYTES, KEY_BYTES } from '../seal/index.js';
import { isBlank, readBack, readUint, writeUint } from './sector.js';

const RECORD_BYTES = 48;
const ID_AT = 4;
const DOWN_AT = 12;
const CRC_AT = 44;

export type IdentityState = 'blank' | 'valid' | 'damaged';

export class Identity {
  readonly id = new Uint8Array(ID_BYTES);
  readonly down = new Uint8Array(KEY_BYTES);
  readonly #flash: Flash;
  readonly #sector: number;
  readonly #recordBytes: number;
  readonly #crc = new Crc32();

  constructor(flash: Flash, sector: number) {
    this.#flash = flash;
    this.#sector = sector;
    this.#recordBytes = Math.ceil(RECORD_BYTES / flash.programBytes) * flash.programBytes;
  }

  /** `blank`: never provisioned. `valid`: id and down are read. `damaged`: provisioned, and unreadable. */
  load(): IdentityState {
    const mark = new Uint8Array(this.#flash.programBytes);
    this.#flash.read(this.#sector, this.#recordBytes, mark);
    if (isBlank(mark, 0, mark.length)) return 'blank';
    const record = new Uint8Array(this.#recordBytes);
    this.#flash.read(this.#sector, 0, record);
    if (readUint(record, 0, 4) !== 0x53564931) return 'damaged';
    if (readUint(record, CRC_AT, 4) !== this.#crc.compute(record, 0, CRC_AT) >>> 0) return 'damaged';
    this.id.set(record.subarray(ID_AT, ID_AT + ID_BYTES));
    this.down.set(record.subarray(DOWN_AT, DOWN_AT + KEY_BYTES));
    return 'valid';
  }

  /** Whether the whole sector reads as erased. */
  get untouched(): boolean {
    const part = new Uint8Array(this.#flash.programBytes);
    for (let at = 0; at < this.#flash.sectorBytes; at += part.length) {
      this.#flash.read(this.#sector, at, part);
      if (!isBlank(part, 0, part.length)) return false;
    }
    return true;
  }

  /** Forgets the identity. A deliberate act: the device is then open for provisioning. */
  erase(): boolean {
    return this.#flash.erase(this.#sector);
  }

  /** Writes id and down key, without the mark. @returns '' or what failed */
  write(id: Uint8Array, down: Uint8Array): string {
    const record = new Uint8Array(this.#recordBytes).fill(0xff);
    writeUint(record, 0, 4, 0x53564931);
    record.set(id, ID_AT);
    record.set(down, DOWN_AT);
    writeUint(record, CRC_AT, 4, this.#crc.compute(record, 0, CRC_AT) >>> 0);
    return this.#program(0, record);
  }

  /** Sets the provisioned mark: the last step. @returns '' or what failed */
  mark(): string {
    const mark = new Uint8Array(this.#flash.programBytes).fill(0xff);
    writeUint(mark, 0, 4, 0x4d41524b);
    return this.#program(this.#recordBytes, mark);
  }

  #program(offset: number, bytes: Uint8Array): string {
    if (!this.#flash.program(this.#sector, offset, bytes)) return 'flash program failed';
    const same = readBack(this.#flash, this.#sector, offset, bytes, new Uint8Array(bytes.length));
    return same ? '' : 'identity unreadable after writing';
  }
}
