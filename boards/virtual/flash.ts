import type { Flash } from '../../firmware/ports.js';
import { SeededRandom } from './random.js';

/** Power went away in the middle of a flash operation. Everything in RAM is lost with it. */
export class PowerCut extends Error {
  constructor() {
    super('power cut');
    this.name = 'PowerCut';
  }
}

export interface VirtualFlashOptions {
  readonly sectors: number;
  /** Default 4,096. */
  readonly sectorBytes?: number;
  /** Default 256. */
  readonly programBytes?: number;
  /** What the flash holds at first; default: all FF. Used as it is, not copied. */
  readonly image?: Uint8Array;
  /** Called after each whole erase and program that changed something, with the range of `image` that changed. False: it failed. */
  readonly persist?: (image: Uint8Array, from: number, to: number) => boolean;
}

/**
 * NOR flash in memory: erasing sets FF, programming only clears bits, and power can be cut at any step.
 * Steps are counted: one before each erase and each program, and one for each byte that it works on.
 */
export class VirtualFlash implements Flash {
  readonly sectors: number;
  readonly sectorBytes: number;
  readonly programBytes: number;
  readonly image: Uint8Array;
  /** Steps made so far. */
  steps = 0;
  erases = 0;
  programs = 0;
  readonly #persist: ((image: Uint8Array, from: number, to: number) => boolean) | undefined;
  #cutAt = Number.POSITIVE_INFINITY;
  #failAt = Number.POSITIVE_INFINITY;
  #noise = new SeededRandom(1);

  constructor(options: VirtualFlashOptions) {
    this.sectors = options.sectors;
    this.sectorBytes = options.sectorBytes ?? 4096;
    this.programBytes = options.programBytes ?? 256;
    const bytes = this.sectors * this.sectorBytes;
    this.image = options.image ?? new Uint8Array(bytes).fill(0xff);
    if (this.image.length !== bytes) throw new RangeError(`flash image: ${bytes} bytes expected`);
    this.#persist = options.persist;
  }

  /**
   * Cuts the power once, at the step that comes `steps` steps from now. The byte at work is left with some
   * of its bits changed, a sector at work with bytes not yet reached in any state; `seed` decides.
   */
  cutAfter(steps: number, seed: number): void {
    this.#cutAt = this.steps + steps;
    this.#noise = new SeededRandom(seed);
  }

  /** Makes the operation that reaches the step `steps` from now stop there and report a failure, once. */
  failAfter(steps: number): void {
    this.#failAt = this.steps + steps;
  }

  read(sector: number, offset: number, target: Uint8Array): void {
    const from = this.#at(sector, offset, target.length);
    target.set(this.image.subarray(from, from + target.length));
  }

  erase(sector: number): boolean {
    const from = this.#at(sector, 0, this.sectorBytes);
    this.erases++;
    const to = from + this.sectorBytes;
    if (!this.#step()) return false;
    let changed = false;
    for (let i = from; i < to; i++) {
      if (this.steps >= this.#cutAt) this.#smear(i, to);
      if (!this.#step()) return false;
      changed ||= this.image[i] !== 0xff;
      this.image[i] = 0xff;
    }
    return changed ? (this.#persist?.(this.image, from, to) ?? true) : true;
  }

  program(sector: number, offset: number, source: Uint8Array): boolean {
    const from = this.#at(sector, offset, source.length);
    if (offset % this.programBytes !== 0 || source.length % this.programBytes !== 0) {
      throw new RangeError(`flash: programs go by ${this.programBytes} bytes`);
    }
    this.programs++;
    if (!this.#step()) return false;
    for (let i = 0; i < source.length; i++) {
      if (this.steps >= this.#cutAt) this.image[from + i] &= source[i] | this.#noise.bits();
      if (!this.#step()) return false;
      this.image[from + i] &= source[i];
    }
    return this.#persist?.(this.image, from, from + source.length) ?? true;
  }

  /** What an erase that was cut leaves: chips clear bits before they set them, so anything is possible. */
  #smear(from: number, to: number): void {
    const style = this.#noise.below(3);
    for (let i = from; i < to; i++) {
      if (style === 0) return;
      if (style === 1) this.image[i] |= this.#noise.bits();
      else this.image[i] = this.#noise.bits() >>> 24;
    }
  }

  #step(): boolean {
    if (this.steps >= this.#cutAt) {
      this.#cutAt = Number.POSITIVE_INFINITY;
      throw new PowerCut();
    }
    if (this.steps >= this.#failAt) {
      this.#failAt = Number.POSITIVE_INFINITY;
      return false;
    }
    this.steps++;
    return true;
  }

  #at(sector: number, offset: number, length: number): number {
    if (!(sector >= 0 && sector < this.sectors && offset >= 0 && offset + length <= this.sectorBytes)) {
      throw new RangeError('flash: outside of the sector');
    }
    return sector * this.sectorBytes + offset;
  }
}
