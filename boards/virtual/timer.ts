import type { VirtualChip } from './chip.js';

interface Repeat {
  readonly callback: () => void;
  readonly everyMs: number;
  atMs: number;
}

/** The SDK's `timer`, as far as the firmware uses it, over the virtual chip's time. */
export class VirtualTimer {
  readonly #chip: VirtualChip;
  #repeats: Repeat[] = [];

  constructor(chip: VirtualChip) {
    this.#chip = chip;
  }

  readonly repeat = (callback: () => void, everyMs: number): void => {
    this.#repeats.push({ callback, everyMs, atMs: this.#chip.nowMs + everyMs });
  };

  /** The chip starts anew. */
  clear(): void {
    this.#repeats = [];
  }

  /** Lets time pass and calls what is due. @throws whatever a callback lets out, and ChipEnded */
  run(ms: number): void {
    const endMs = this.#chip.nowMs + ms;
    for (;;) {
      let next: Repeat | undefined;
      for (const repeat of this.#repeats) if (next === undefined || repeat.atMs < next.atMs) next = repeat;
      const atMs = next === undefined ? endMs : Math.min(next.atMs, endMs);
      if (atMs > this.#chip.nowMs) this.#chip.advance(atMs - this.#chip.nowMs);
      if (next === undefined || next.atMs > endMs) return;
      next.callback();
      // Callbacks that were missed while one took long are not made up for.
      next.atMs = Math.max(next.atMs + next.everyMs, this.#chip.nowMs + 1);
    }
  }
}
