/** JSON as the sovereign-sdk sender prints it: `scanValue`, against a reader that prints again what it has read. */
import {
  MAX_JSON_DEPTH,
  pythonRepr,
  scanString,
  scanValue,
  unescapeString,
} from '../../host/intake/json-scan.js';
import { ensure, made, mutated, same, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

/** A value as the sender would print it; objects with keys in the order of their bytes. */
export function printed(dice: Dice, depth = 0): string {
  const kind = dice.below(depth < 4 ? 9 : 6);
  if (kind === 0) return dice.pick(['true', 'false', 'null']);
  if (kind === 1) return `${dice.oneIn(2) ? '-' : ''}${1 + dice.uint()}${'0'.repeat(dice.below(30))}`;
  if (kind === 2)
    return pythonRepr(new Float64Array(new Uint32Array([dice.bits(), dice.below(0x7fe00000)]).buffer)[0]);
  if (kind === 3) return pythonRepr((dice.below(20_000) - 10_000) / 10 ** dice.below(9));
  if (kind < 6) return quoted(dice.text(10));
  if (kind === 6)
    return `[${Array.from({ length: dice.below(4) }, () => printed(dice, depth + 1)).join(',')}]`;
  return printedObject(dice, depth);
}

export function printedObject(dice: Dice, depth = 0): string {
  const keys = new Set(Array.from({ length: dice.below(4) }, () => dice.text(3)));
  const order = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${order.map(key => `${quoted(key)}:${printed(dice, depth + 1)}`).join(',')}}`;
}

/** JSON as others print it: escapes, spaces, orders and numbers of their own, here and there. */
function carelessly(text: string, dice: Dice): string {
  const changes: [RegExp, () => string][] = [
    [/[a-z]/, () => '\\u0061'],
    [/\\n|\\t/, () => '\\u000a'],
    [/\\u00[0-1][0-9a-f]/, () => '\\u001F'],
    [/[,:{[]/, () => dice.pick([', ', ': ', '{ ', '[ '])],
    [/\d\.\d+/, () => dice.pick(['0.10', '1.50', '100000.00', '1.0e+16', '0.00001', '1e16', '123.0e+05'])],
    [/\d+/, () => dice.pick(['00', '01', '-0', '+1', '1.', '.5', '1e5', '1E-07', '12345678901234567890'])],
    [/"[^"\\]*":[^,{}[\]]+/, () => '"a":1,"a":1'],
    [
      /"[^"\\]*":[^,{}[\]]+/,
      () => dice.pick(['"b":1,"a":1', '"\\n":1," ":2', '" ":1,"\\n":2', '"\uffff":1,"\u{10000}":2']),
    ],
    [/true|false|null/, () => dice.pick(['True', 'NaN', 'nul', 'Infinity'])],
  ];
  const [pattern, by] = dice.pick(changes);
  const found = [...text.matchAll(new RegExp(pattern, 'g'))];
  if (found.length === 0) return text;
  const { index, 0: old } = dice.pick(found);
  return text.slice(0, index) + by() + text.slice(index + old.length);
}

/** Python's form of a text (`ensure_ascii=False`), which is JavaScript's as well. */
export const quoted = (text: string): string => JSON.stringify(text);

/** Where the value that `text` begins with ends, in UTF-16 units, by reading it and printing it again; -1: none. */
class SecondOpinion {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  end(): number {
    const begin = this.#at;
    const value = this.#value(0);
    return value !== undefined && this.#text.slice(begin, this.#at) === value ? this.#at : -1;
  }

  /** The value, printed anew; undefined when there is none. */
  #value(depth: number): string | undefined {
    const word = this.#take(/true|false|null/y);
    if (word !== undefined) return word;
    if (this.#text[this.#at] === '"') return this.#string();
    if (this.#text[this.#at] === '[') return this.#list(depth, ']', () => this.#value(depth + 1));
    if (this.#text[this.#at] === '{') return this.#object(depth);
    // Whatever a number might be made of belongs to it, as long as that may be.
    const number = this.#take(/[0-9.e+-]+/y);
    if (number === undefined || number.length > 64) return undefined;
    if (/^-?[0-9]+$/.test(number)) return number === '-0' ? undefined : String(BigInt(number));
    if (number.length > 25 || !/^-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?$/.test(number)) return undefined;
    return Number.isFinite(Number(number)) ? python(Number(number)) : undefined;
  }

  #string(): string | undefined {
    const raw = this.#take(/"(?:[^"\\]|\\.)*"/sy);
    if (raw === undefined) return undefined;
    try {
      return quoted(JSON.parse(raw) as string);
    } catch {
      return undefined;
    }
  }

  #object(depth: number): string | undefined {
    let last: Buffer | undefined;
    return this.#list(depth, '}', () => {
      const key = this.#text[this.#at] === '"' ? this.#string() : undefined;
      if (key === undefined || this.#take(/:/y) === undefined) return undefined;
      const bytes = Buffer.from(JSON.parse(key) as string);
      if (last !== undefined && Buffer.compare(last, bytes) >= 0) return undefined;
      last = bytes;
      const value = this.#value(depth + 1);
      return value === undefined ? undefined : `${key}:${value}`;
    });
  }

  #list(depth: number, close: string, item: () => string | undefined): string | undefined {
    if (depth >= MAX_JSON_DEPTH) return undefined;
    const open = this.#text[this.#at++];
    const items: string[] = [];
    while (this.#text[this.#at] !== close || items.length > 0) {
      const one = item();
      if (one === undefined) return undefined;
      items.push(one);
      if (this.#text[this.#at] === close) break;
      if (this.#take(/,/y) === undefined) return undefined;
    }
    this.#at++;
    return `${open}${items.join(',')}${close}`;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}

/** Python's repr by way of JavaScript's own notation, which has the same digits. */
function python(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  const [mantissa, exponent] = (/e/.test(text) ? text : value.toExponential()).split('e');
  const power = Number(exponent);
  if (power >= 16 || power < -4)
    return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  const plain = /e/.test(text)
    ? value.toFixed(Math.max(1, mantissa.replace(/\D/g, '').length - 1 - power))
    : text;
  return plain.includes('.') ? plain : `${plain}.0`;
}

const WORDS = words(
  '"',
  '\\',
  '\\u0000',
  '\\u001f',
  '\\n',
  '\\/',
  ',',
  ':',
  '{',
  '}',
  '[',
  ']',
  '{}',
  '[]',
  '"a":',
  '{"a":',
  '-',
  '0',
  '.',
  '.0',
  'e+16',
  'e-07',
  '1e400',
  'true',
  'null',
  ' ',
  '\u0000',
  [0xff],
  [0xed, 0xa0, 0x80],
);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const values = mutated('any text: the scanner ends where a reader ends that prints the same again', {
  pool: dice =>
    Array.from({ length: 300 }, () =>
      Buffer.from(dice.oneIn(2) ? carelessly(printed(dice), dice) : printed(dice)),
    ),
  mixed: true,
  words: WORDS,
  maxBytes: 2048,
  check(bytes) {
    let text: string;
    try {
      text = utf8.decode(bytes);
    } catch {
      // The caller sees to valid UTF-8; all the same nothing may break here.
      const end = scanValue(bytes, 0, bytes.length);
      ensure(end >= -1 && end <= bytes.length, `ends at ${end}`);
      return false;
    }
    const end = scanValue(bytes, 0, bytes.length);
    const expected = new SecondOpinion(text).end();
    const at = expected < 0 ? -1 : Buffer.byteLength(text.slice(0, expected));
    ensure(end === at, `ends at ${end}, not ${at}`);
    return end === bytes.length;
  },
});

const strings = mutated('any string: what it stands for prints as it came', {
  pool: dice => Array.from({ length: 100 }, () => Buffer.from(quoted(dice.text(20)))),
  words: WORDS,
  maxBytes: 512,
  check(bytes) {
    const end = scanString(bytes, 0, bytes.length);
    if (end < 0) return false;
    ensure(end <= bytes.length, `ends at ${end}`);
    const out = new Uint8Array(end);
    const size = unescapeString(bytes, 1, end - 1, out, 0);
    ensure(size <= end - 2, 'it grew');
    let text: string;
    try {
      text = utf8.decode(out.subarray(0, size));
    } catch {
      return false;
    }
    ensure(same(Buffer.from(quoted(text)), bytes.subarray(0, end)), 'prints otherwise');
    return true;
  },
});

const floats = made('floats are printed as they are read', dice => {
  const value = new Float64Array(new Uint32Array([dice.bits(), dice.bits()]).buffer)[0];
  if (!Number.isFinite(value)) return;
  const text = pythonRepr(value);
  ensure(Object.is(Number(text), value), `${text} is another number`);
  ensure(python(value) === text, `${python(value)}, not ${text}`);
});

export const json: Target = { name: 'json', properties: [values, strings, floats] };
