/** The flash of a virtual board at work, in a file that is as long as what was ever written. */
import type { Flash } from '../../../firmware/ports.js';
import type { FlashFile } from '../../node/device-files.js';

const PROGRAM_BYTES = 256;

export class FileFlash implements Flash {
  readonly sectors: number;
  readonly sectorBytes: number;
  readonly programBytes = PROGRAM_BYTES;
  readonly #file: FlashFile;
  readonly #durableSectors: number;

  /**
   * @param durableSectors the first so many outlive a power cut of this machine: keys must not go back in time.
   * The others outlive the process, as flash does; a thousand boards could not wait for the disk with each write.
   */
  constructor(file: FlashFile, bytes: number, sectorBytes: number, durableSectors: number) {
    this.sectors = bytes / sectorBytes;
    this.sectorBytes = sectorBytes;
    this.#file = file;
    this.#durableSectors = durableSectors;
  }

  read(sector: number, offset: number, target: Uint8Array): void {
    const at = this.#at(sector, offset, target.length);
    if (at + target.length <= this.#file.size) this.#file.read(at, target);
    else target.fill(0xff);
  }

  erase(sector: number): boolean {
    return this.#extend(sector) && this.#write(sector, 0, new Uint8Array(this.sectorBytes).fill(0xff));
  }

  program(sector: number, offset: number, source: Uint8Array): boolean {
    if (!this.#extend(sector)) return false;
    const bytes = new Uint8Array(source.length);
    this.read(sector, offset, bytes);
    for (let i = 0; i < bytes.length; i++) bytes[i] &= source[i];
    return this.#write(sector, offset, bytes);
  }

  /** The file grows by whole sectors, without holes: what was never written reads FF. */
  #extend(sector: number): boolean {
    const blank = new Uint8Array(this.sectorBytes).fill(0xff);
    while (this.#file.size < (sector + 1) * this.sectorBytes) {
      const at = Math.floor(this.#file.size / this.sectorBytes) * this.sectorBytes;
      if (!this.#file.write(at, blank, false)) return false;
    }
    return true;
  }

  #write(sector: number, offset: number, bytes: Uint8Array): boolean {
    return this.#file.write(this.#at(sector, offset, bytes.length), bytes, sector < this.#durableSectors);
  }

  #at(sector: number, offset: number, length: number): number {
    if (!(sector >= 0 && sector < this.sectors && offset >= 0 && offset + length <= this.sectorBytes))
      throw new RangeError('flash: outside of the sector');
    return sector * this.sectorBytes + offset;
  }
}
