/** What somebody makes up who has no key. */
import type { SeededRandom } from '../../../boards/virtual/random.js';
import { fromHex, label, Sealer } from '../../../firmware/seal/index.js';
import { nodeDigest } from '../../../host/node/digest.js';

/** How far ahead an epoch may lie. */
const EPOCHS_AHEAD = 4096;
const TEMPERATURE = label('temperature', 'Cel');

/** Envelopes with a right header, and a key that is none. */
export class Forger {
  readonly #devices: readonly string[];
  readonly #sealers = new Map<string, Sealer>();

  /** @param devices whose names he knows, 16 hex digits */
  constructor(devices: readonly string[]) {
    this.#devices = devices;
  }

  envelope(chance: SeededRandom): { device: string; bytes: Uint8Array } {
    const devices = this.#devices;
    const known = chance.unit() < 0.9;
    const device = known ? devices[chance.below(devices.length)] : 'f0f0f0f0f0f0f0f0';
    let sealer = this.#sealers.get(device);
    if (sealer === undefined) {
      sealer = new Sealer(nodeDigest, fromHex(device)!);
      this.#sealers.set(device, sealer);
    }
    const chain = new Uint8Array(32);
    chance.fill(chain);
    sealer.startEpoch(chance.unit() < 0.7 ? chance.below(40) : chance.below(EPOCHS_AHEAD + 100), chain);
    sealer.begin(chance.below(100_000), -1, 0).number(TEMPERATURE, chance.below(50));
    const length = sealer.seal();
    const { buffer, start } = sealer;
    return { device, bytes: buffer.slice(start, start + length) };
  }
}

export function noise(chance: SeededRandom, maxBytes: number): Uint8Array {
  const bytes = new Uint8Array(1 + chance.below(maxBytes));
  chance.fill(bytes);
  return bytes;
}

/** Its beginning. */
export function cut(chance: SeededRandom, bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, Math.max(1, chance.below(bytes.length)));
}

export function flipped(chance: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  if (copy.length > 0) copy[chance.below(copy.length)] ^= 1 << chance.below(8);
  return copy;
}

/** The last bytes of an envelope are its tag; those of a wrapped frame come before its time. */
export function tagFlipped(chance: SeededRandom, bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 1 - chance.below(Math.min(32, copy.length))] ^= 1 << chance.below(8);
  return copy;
}
