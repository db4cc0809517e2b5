import { VirtualFlash } from '../../../boards/virtual/flash.js';
import type { SeededRandom } from '../../../boards/virtual/random.js';

/** Flash at which something goes wrong soon. */
export class SimFlash extends VirtualFlash {
  /** What is to happen within one of the next programs. */
  #next: { programs: number; readonly hurt: () => void } | undefined;

  override program(sector: number, offset: number, source: Uint8Array): boolean {
    const next = this.#next;
    if (next !== undefined && next.programs-- === 0) {
      this.#next = undefined;
      next.hurt();
    }
    return super.program(sector, offset, source);
  }

  /** At one of the next steps, or within one of the next programs, which are short beside what is erased. */
  hurt(how: 'cut' | 'fail', details: SeededRandom): void {
    const seed = details.bits();
    const hurt = (steps: number) => {
      if (how === 'cut') this.cutAfter(steps, seed);
      else this.failAfter(steps);
    };
    if (details.unit() < 0.6) {
      hurt(Math.floor(4 ** (details.unit() * 7.2)) + details.below(3));
      return;
    }
    const byte = 1 + details.below(details.unit() < 0.5 ? 64 : 256);
    this.#next = { programs: details.below(6), hurt: () => hurt(byte) };
  }

  /** Nothing that was to happen happens any more. */
  heal(): void {
    this.#next = undefined;
    this.cutAfter(Number.POSITIVE_INFINITY, 1);
    this.failAfter(Number.POSITIVE_INFINITY);
  }
}
