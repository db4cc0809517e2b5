/**
 * Values changed as values: what comes out is well-formed again, and wrong, if at all, in what it says. Changed bytes
 * alone seldom get that far.
 */
import { type CborValue, decodeValue, encodeValue } from '../../firmware/seal/index.js';
import type { Dice } from './mutate.js';

/** A whole number next to another one, or at a border. */
function numberNear(value: number, dice: Dice): number {
  switch (dice.below(5)) {
    case 0:
      return value + 1;
    case 1:
      return value - 1;
    case 2:
      return -1 - Math.abs(value);
    case 3:
      return dice.below(8) + 0.5;
    default:
      return dice.oneIn(2) ? dice.below(8) : dice.uint();
  }
}

function textNear(text: string, dice: Dice): string {
  switch (dice.below(4)) {
    case 0:
      return '';
    case 1:
      return text.slice(0, dice.below(text.length + 1));
    case 2:
      return text.repeat(2 + dice.below(12));
    default:
      return text + dice.text(3);
  }
}

/** One place of the value changed; what can't be encoded may come out as well. */
export function alteredCbor(value: CborValue, dice: Dice): CborValue {
  const collection = Array.isArray(value) || value instanceof Map;
  if (collection && value instanceof Map && value.size > 0 && !dice.oneIn(4)) {
    const at = dice.below(value.size);
    return new Map(
      [...value].map(([key, item], i): [CborValue, CborValue] =>
        i !== at
          ? [key, item]
          : dice.oneIn(6)
            ? [alteredCbor(key, dice), item]
            : [key, alteredCbor(item, dice)],
      ),
    );
  }
  if (Array.isArray(value) && value.length > 0 && !dice.oneIn(4)) {
    const at = dice.below(value.length);
    return value.map((item, i) => (i === at ? alteredCbor(item, dice) : item));
  }
  if (dice.oneIn(12))
    return dice.pick<CborValue>([0, 1, -1, 1.5, '', 'a', true, null, new Uint8Array(0), [], new Map()]);
  if (typeof value === 'number') return safe(numberNear(value, dice));
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string') return textNear(value, dice);
  if (value instanceof Uint8Array) {
    const size = dice.pick([0, 1, value.length - 1, value.length + 1, value.length, value.length]);
    const bytes = new Uint8Array(Math.max(0, size));
    bytes.set(value.subarray(0, bytes.length));
    if (bytes.length > 0) bytes[dice.below(bytes.length)] ^= 1 << dice.below(8);
    return bytes;
  }
  if (value instanceof Map) {
    const pairs = [...value];
    if (dice.oneIn(2)) pairs.splice(dice.below(pairs.length + 1), 1);
    else pairs.push([dice.below(13), dice.pick<CborValue>([0, 1, 'a', new Uint8Array(8), [1, 2]])]);
    return new Map(pairs);
  }
  if (Array.isArray(value)) return listNear(value, dice) as CborValue[];
  return 0;
}

/** What has no encoding becomes what has one. */
const safe = (value: number) =>
  Number.isInteger(value) && !Number.isSafeInteger(value) ? 2 ** 53 - 1 : value + 0;

/** The encoding of a value, altered once or twice, half of the time; the bytes as they are where that can't be. */
export function alteredBytes(bytes: Uint8Array, dice: Dice): Uint8Array {
  const decoded = dice.oneIn(2) ? decodeValue(bytes) : undefined;
  if (decoded === undefined || 'fault' in decoded) return bytes;
  let { value } = decoded;
  for (let n = 1 + dice.below(2); n > 0; n--) value = alteredCbor(value, dice);
  try {
    return encodeValue(value);
  } catch {
    return bytes;
  }
}

function listNear<T>(list: readonly T[], dice: Dice): T[] {
  const copy = [...list];
  const at = dice.below(copy.length + 1);
  if (dice.oneIn(2)) copy.splice(at, 1);
  else if (copy.length > 0) {
    for (let n = dice.oneIn(4) ? 40 : 1; n > 0; n--) copy.splice(at, 0, copy[dice.below(copy.length)]);
  }
  return copy;
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** One place of a value of JSON changed. */
export function alteredJson(value: Json, dice: Dice, words: readonly string[]): Json {
  if (Array.isArray(value)) {
    if (value.length === 0 || dice.oneIn(4)) return dice.oneIn(8) ? {} : listNear(value, dice);
    const at = dice.below(value.length);
    return value.map((item, i) => (i === at ? alteredJson(item, dice, words) : item));
  }
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value);
    const at = dice.below(pairs.length);
    const what = dice.below(8);
    if (pairs.length === 0 || what === 0)
      pairs.push([dice.pick(words), dice.pick<Json>([0, 'a', [], {}, null, true])]);
    else if (what === 1) pairs.splice(at, 1);
    else if (what === 2) pairs[at] = [dice.pick(words), pairs[at][1]];
    else pairs[at] = [pairs[at][0], alteredJson(pairs[at][1], dice, words)];
    return Object.fromEntries(pairs);
  }
  if (dice.oneIn(10)) return dice.pick<Json>([null, true, 0, -1, 0.5, 1e300, '', 'a', [], {}]);
  if (typeof value === 'number') return numberNear(value, dice);
  if (typeof value === 'string') return dice.oneIn(4) ? dice.pick(words) : textNear(value, dice);
  return typeof value === 'boolean' ? !value : 0;
}

/** The text of JSON altered once or twice; undefined when it is no JSON. */
export function alteredText(text: string, dice: Dice, words: readonly string[]): string | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  for (let n = 1 + dice.below(2); n > 0; n--) value = alteredJson(value, dice, words);
  return JSON.stringify(value);
}
