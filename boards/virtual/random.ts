/**
 * A seeded generator (xoshiro128**, public domain, Blackman and Vigna), for measurements and for tests that
 * must run again as they ran. Never for keys or nonces.
 */
export class SeededRandom {
  readonly #state = new Uint32Array(4);

  /** @param seed any integer from 0 to 2^53 - 1 */
  constructor(seed: number) {
    // SplitMix32 spreads the seed, so that neighbours do not begin alike.
    let low = seed >>> 0;
    const high = Math.floor(seed / 4294967296) >>> 0;
    for (let i = 0; i < 4; i++) {
      low = (low + 0x9e3779b9 + (i === 0 ? high : 0)) >>> 0;
      let z = low;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#state[i] = z ^ (z >>> 16);
    }
    if (this.#state.every(word => word === 0)) this.#state[0] = 1;
  }

  /** 32 random bits. */
  bits(): number {
    const s = this.#state;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** In [0, 1). */
  unit(): number {
    return this.bits() / 4294967296;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.unit() * below);
  }

  /** About normally distributed, mean 0, deviation 1 (the sum of twelve uniform numbers). */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.unit();
    return sum;
  }

  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.bits() >>> 24;
  }
}
