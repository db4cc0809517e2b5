import type { Cable } from '../board.js';
import type { Wire } from '../ports.js';

/** Several cables as one wire: what goes out goes to where something came from last. */
export class CableWire implements Wire {
  readonly #cables: readonly Cable[];
  #current = 0;
  #changes = 0;

  constructor(cables: readonly Cable[]) {
    this.#cables = cables;
  }

  /** Something came over this cable. */
  heard(cable: number): void {
    if (cable === this.#current) return;
    this.#current = cable;
    this.#changes++;
  }

  /** As `Cable.opened`, of the cable in use. */
  opened(): number {
    const opened = this.#opened();
    return opened > 0 ? opened + this.#changes * 1_048_576 : 0;
  }

  send(buffer: Uint8Array, from: number, to: number): boolean {
    return this.#cables.length > 0 && this.#cables[this.#current].send(buffer, from, to);
  }

  #opened(): number {
    if (this.#cables.length === 0) return 0;
    const opened = this.#cables[this.#current].opened();
    if (opened > 0) return opened;
    // Nobody is there any more: whoever is at another cable may have it.
    for (let cable = 0; cable < this.#cables.length; cable++) {
      const other = this.#cables[cable].opened();
      if (other === 0) continue;
      this.heard(cable);
      return other;
    }
    return 0;
  }
}
