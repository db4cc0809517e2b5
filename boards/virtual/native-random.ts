import type { SeededRandom } from './random.js';

/** What `firmware/native/random` is on a board; here seeded, so that a test runs again as it ran. Never for keys. */
export class VirtualEntropy {
  /** What the caller last said of the radio, which is the source of entropy on an ESP32. */
  radioOn = false;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  readonly fill = (target: Uint8Array, radioOn = false): void => {
    this.radioOn = radioOn;
    this.#random.fill(target);
  };
}
