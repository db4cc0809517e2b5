/**
 * JSON exactly as the sovereign-sdk sender prints it (Python's `json.dumps` with sorted keys, `(',', ':')`
 * and `ensure_ascii=False`), and nothing else: one value has one text.
 *
 *   object   {} or {"key":value,…}; keys strictly rising by Unicode code point, so none twice
 *   array    [] or [value,…]
 *   string   raw UTF-8; escaped are only " \ and U+0000–U+001F: \" \\ \b \f \n \r \t, the rest \u00xx in lower case
 *   integer  -?digits, no leading zero, no -0; of any size
 *   float    what Python's repr gives: the shortest digits, a point or an exponent of two digits (23.0, 1e-07)
 *   others   true false null; NaN and infinities are refused
 *
 * It scans bytes in place and keeps nothing; the input is valid UTF-8 (the caller sees to it), where the
 * order of bytes is the order of code points.
 */

/** Objects and arrays within each other. */
export const MAX_JSON_DEPTH = 16;
/** Digits of an integer, sign included. */
const MAX_INTEGER_BYTES = 64;
/** Python prints no float longer than this: 17 digits, point, sign, exponent. */
const MAX_FLOAT_BYTES = 25;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Where the value that begins at `at` ends, exclusive; -1 when `bytes[at, to)` does not begin with one of exactly this form. */
export function scanValue(bytes: Uint8Array, at: number, to: number, depth = 0): number {
  if (at >= to) return -1;
  switch (bytes[at]) {
    case 0x7b: // {
      return depth < MAX_JSON_DEPTH ? scanObject(bytes, at, to, depth) : -1;
    case 0x5b: // [
      return depth < MAX_JSON_DEPTH ? scanArray(bytes, at, to, depth) : -1;
    case QUOTE:
      return scanString(bytes, at, to);
    case 0x74:
      return scanWord(bytes, at, to, 'true');
    case 0x66:
      return scanWord(bytes, at, to, 'false');
    case 0x6e:
      return scanWord(bytes, at, to, 'null');
    default:
      return scanNumber(bytes, at, to);
  }
}

function scanObject(bytes: Uint8Array, at: number, to: number, depth: number): number {
  let i = at + 1;
  if (i < to && bytes[i] === 0x7d) return i + 1;
  let previousFrom = -1;
  let previousTo = -1;
  for (;;) {
    const keyEnd = scanString(bytes, i, to);
    if (keyEnd < 0) return -1;
    if (previousFrom >= 0 && compareStrings(bytes, previousFrom, previousTo, i + 1, keyEnd - 1) >= 0)
      return -1;
    previousFrom = i + 1;
    previousTo = keyEnd - 1;
    if (keyEnd >= to || bytes[keyEnd] !== COLON) return -1;
    i = scanValue(bytes, keyEnd + 1, to, depth + 1);
    if (i < 0 || i >= to) return -1;
    if (bytes[i] === 0x7d) return i + 1;
    if (bytes[i] !== COMMA) return -1;
    i++;
  }
}

function scanArray(bytes: Uint8Array, at: number, to: number, depth: number): number {
  let i = at + 1;
  if (i < to && bytes[i] === 0x5d) return i + 1;
  for (;;) {
    i = scanValue(bytes, i, to, depth + 1);
    if (i < 0 || i >= to) return -1;
    if (bytes[i] === 0x5d) return i + 1;
    if (bytes[i] !== COMMA) return -1;
    i++;
  }
}

function scanWord(bytes: Uint8Array, at: number, to: number, word: string): number {
  if (at + word.length > to) return -1;
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return -1;
  return at + word.length;
}

/** Where the string that begins with the quote at `at` ends, past its closing quote; -1 when there is none. */
export function scanString(bytes: Uint8Array, at: number, to: number): number {
  if (at >= to || bytes[at] !== QUOTE) return -1;
  for (let i = at + 1; i < to; ) {
    const byte = bytes[i];
    if (byte === QUOTE) return i + 1;
    if (byte < 0x20) return -1;
    if (byte !== BACKSLASH) {
      i++;
      continue;
    }
    const size = escapeBytes(bytes, i, to);
    if (size === 0) return -1;
    i += size;
  }
  return -1;
}

/** The length of the escape that begins with the backslash at `i`; 0 when it is not one that the sender writes. */
function escapeBytes(bytes: Uint8Array, i: number, to: number): number {
  if (i + 1 >= to) return 0;
  if (SHORT_ESCAPES.has(bytes[i + 1])) return 2;
  if (bytes[i + 1] !== 0x75 || i + 6 > to) return 0;
  if (bytes[i + 2] !== 0x30 || bytes[i + 3] !== 0x30) return 0;
  const high = bytes[i + 4] - 0x30;
  if (high !== 0 && high !== 1) return 0;
  const low = hexDigit(bytes[i + 5]);
  if (low < 0) return 0;
  for (const value of SHORT_ESCAPES.values()) if (value === high * 16 + low) return 0; // it has a shorter form
  return 6;
}

/** The character after the backslash → what it stands for. */
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map([
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x61 + 10 : -1;
}

/** Copies the text of a scanned string, `bytes[from, to)` without its quotes, to `out[at …]`; returns where it ends there. */
export function unescapeString(
  bytes: Uint8Array,
  from: number,
  to: number,
  out: Uint8Array,
  at: number,
): number {
  for (let i = from; i < to; ) {
    out[at++] = characterAt(bytes, i);
    i += characterBytes(bytes, i);
  }
  return at;
}

/** The byte of the text that stands at `i`: an escape stands for one ASCII byte. */
function characterAt(bytes: Uint8Array, i: number): number {
  if (bytes[i] !== BACKSLASH) return bytes[i];
  if (bytes[i + 1] !== 0x75) return SHORT_ESCAPES.get(bytes[i + 1])!;
  return (bytes[i + 4] - 0x30) * 16 + hexDigit(bytes[i + 5]);
}

function characterBytes(bytes: Uint8Array, i: number): number {
  if (bytes[i] !== BACKSLASH) return 1;
  return bytes[i + 1] === 0x75 ? 6 : 2;
}

/** The order of two scanned strings' texts: negative, 0 or positive. */
function compareStrings(bytes: Uint8Array, a: number, aTo: number, b: number, bTo: number): number {
  while (a < aTo && b < bTo) {
    const difference = characterAt(bytes, a) - characterAt(bytes, b);
    if (difference !== 0) return difference;
    a += characterBytes(bytes, a);
    b += characterBytes(bytes, b);
  }
  return (a < aTo ? 1 : 0) - (b < bTo ? 1 : 0);
}

function scanNumber(bytes: Uint8Array, at: number, to: number): number {
  let end = at;
  let float = false;
  for (; end < to; end++) {
    const byte = bytes[end];
    if (byte >= 0x30 && byte <= 0x39) continue;
    if (byte === 0x2e || byte === 0x65 || byte === 0x2b) float = true;
    else if (byte !== 0x2d) break;
    if (end - at > MAX_INTEGER_BYTES) return -1;
  }
  if (end - at > (float ? MAX_FLOAT_BYTES : MAX_INTEGER_BYTES)) return -1;
  const text = String.fromCharCode(...bytes.subarray(at, end));
  if (float) return pythonFloat(text) ? end : -1;
  return /^(0|-?[1-9][0-9]*)$/.test(text) ? end : -1;
}

/** Whether a text is what Python prints for the float that it means. */
function pythonFloat(text: string): boolean {
  if (!/^-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?$/.test(text)) return false;
  const value = Number(text);
  return Number.isFinite(value) && pythonRepr(value) === text;
}

/** Python's `repr` of a finite float. Both languages give the shortest digits that come back as the same value. */
export function pythonRepr(value: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa, power] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}
