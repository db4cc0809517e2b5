/**
 * The frame of every target: properties as data, run for a few thousand cases by the tests and for a million by
 * `run.ts`. A case is a valid input and a list of numbers, each one step of `mutate`; so fast-check shortens a
 * failing case to the steps that matter, and its seed brings it back.
 */
import fc from 'fast-check';
import { Dice, type Mutation, mutate } from './mutate.js';

export interface Tally {
  cases: number;
  /** Cases that the reader took. */
  accepted: number;
}

export interface Property {
  readonly name: string;
  /** @throws Error with the input, and the seed that brings it back */
  run(numRuns: number, seed: number): Promise<Tally>;
}

export interface Target {
  readonly name: string;
  readonly properties: readonly Property[];
  /** Of the cases of a test run, when one of them takes long: divides their number. */
  readonly slowness?: number;
}

export interface Mutated {
  /** Inputs that the reader takes. Made anew for every slice of a run. */
  pool(dice: Dice): readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  readonly maxBytes?: number;
  /** Whether the pool holds invalid inputs as well. */
  readonly mixed?: boolean;
  /** @returns whether the reader took the input; throws when the property does not hold */
  check(bytes: Uint8Array, dice: Dice): boolean | Promise<boolean>;
  /** `check` gives a promise. */
  readonly waits?: boolean;
}

const SLICE = 20_000;
const MAX_STEPS = 6;
const anyNumber = fc.noBias(fc.nat(0x7fffffff));
const steps = fc.array(anyNumber, { maxLength: MAX_STEPS });

/** Valid inputs, mutated ones, and now and then bytes that are nothing but random. */
export function mutated(name: string, options: Mutated): Property {
  const { check, maxBytes = 4096 } = options;
  const slice = (numRuns: number, seed: number, tally: Tally) => {
    // Copies: a slice of a Buffer would be a view of what all cases share.
    const pool = options.pool(new Dice(seed)).map(bytes => Uint8Array.from(bytes));
    const mutation: Mutation = { words: options.words, others: pool, maxBytes };
    const inputOf = (base: number, list: readonly number[]): Uint8Array => {
      const dice = new Dice(base);
      if (list.length === MAX_STEPS && base % 2 === 0)
        return dice.bytes(dice.below(dice.oneIn(8) ? maxBytes : 48));
      let bytes: Uint8Array = pool[base % pool.length];
      for (const step of list) bytes = mutate(bytes, step, mutation);
      return bytes;
    };
    const judge = (bytes: Uint8Array, list: readonly number[], accepted: boolean) => {
      tally.cases++;
      if (accepted) tally.accepted++;
      else if (list.length === 0 && !options.mixed)
        throw new Error(`a valid input was refused: ${shown(bytes)}`);
    };
    const failed = (bytes: Uint8Array, error: unknown) =>
      new Error(`${name}: ${error instanceof Error ? error.stack : error}\nwith ${shown(bytes)}`);
    if (options.waits) {
      return fc.assert(
        fc.asyncProperty(anyNumber, steps, async (base, list) => {
          const bytes = inputOf(base, list);
          try {
            judge(bytes, list, await check(bytes, new Dice(base ^ 0x5bd1e995)));
          } catch (error) {
            throw failed(bytes, error);
          }
        }),
        { numRuns, seed },
      );
    }
    return fc.assert(
      fc.property(anyNumber, steps, (base, list) => {
        const bytes = inputOf(base, list);
        try {
          judge(bytes, list, check(bytes, new Dice(base ^ 0x5bd1e995)) as boolean);
        } catch (error) {
          throw failed(bytes, error);
        }
      }),
      { numRuns, seed },
    );
  };
  return { name, run: sliced(slice) };
}

/** Random inputs of the writer's own making: each must come back as it went in. */
export function made(name: string, check: (dice: Dice) => void | Promise<void>): Property {
  const slice = (numRuns: number, seed: number, tally: Tally) =>
    fc.assert(
      fc.asyncProperty(anyNumber, async number => {
        await check(new Dice(number));
        tally.cases++;
        tally.accepted++;
      }),
      { numRuns, seed },
    );
  return { name, run: sliced(slice) };
}

function sliced(
  slice: (numRuns: number, seed: number, tally: Tally) => void | Promise<void>,
): Property['run'] {
  return async (numRuns, seed) => {
    const tally = { cases: 0, accepted: 0 };
    for (let done = 0; done < numRuns; done += SLICE) {
      const sliceSeed = (seed + Math.imul(done / SLICE, 0x9e3779b1)) | 0;
      await slice(Math.min(SLICE, numRuns - done), sliceSeed, tally);
    }
    return tally;
  };
}

/** Bytes for a report: hex, and the text when they are one. */
function shown(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 16_384));
  const text = buffer.every(byte => byte === 10 || (byte >= 0x20 && byte < 0x7f))
    ? buffer.toString('latin1')
    : '';
  return `${bytes.length} bytes ${buffer.toString('hex')}${text && `\n${text}`}`;
}

export function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Cuts bytes into some hundred pieces at the most, of random sizes, small ones often. */
export function* chunks(bytes: Uint8Array, dice: Dice): Iterable<Uint8Array> {
  const largest = Math.max(1 << dice.below(13), bytes.length >> 6);
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + dice.below(largest);
    // A slice: the receiver may not keep what the source will use again.
    const piece = Uint8Array.from(bytes.subarray(at, at + size));
    yield piece;
    piece.fill(0xee);
    at += size;
  }
}
