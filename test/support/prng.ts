/** Uniform numbers in [0, 1) from a seed; the same sequence everywhere. */
export type Prng = () => number;

/** mulberry32, by Tommy Ettinger (public domain): 32 bits of state, good enough to choose faults. */
export function prng(seed: number): Prng {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A fresh seed, or the one of the environment variable `SEED`, to run a failure again. */
export function freshSeed(): number {
  const given = Number(process.env.SEED);
  return Number.isInteger(given) && process.env.SEED ? given : Math.floor(Math.random() * 2 ** 32);
}
