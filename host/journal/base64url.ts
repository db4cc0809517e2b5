/**
 * base64url without padding (RFC 4648, section 5), straight between the bytes of a line and those of a payload: by way of a text
 * it takes twice as long, and the platform's decoder passes over what is none.
 */
const DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 'latin1');
const NO_DIGIT = 64;
/** What each byte stands for. */
const VALUES = new Uint8Array(256).fill(NO_DIGIT);
for (let i = 0; i < 64; i++) VALUES[DIGITS[i]] = i;
/** Two digits for every 12 bits. */
const PAIRS = new Uint16Array(4096);
for (let i = 0; i < 4096; i++) PAIRS[i] = DIGITS[i >> 6] | (DIGITS[i & 63] << 8);

/** Writes the digits of `bytes` to `into[from …]`; returns where they end. */
export function writeBase64Url(into: Uint8Array, from: number, bytes: Uint8Array): number {
  let at = from;
  let i = 0;
  for (const whole = bytes.length - 2; i < whole; i += 3) {
    const high = PAIRS[(bytes[i] << 4) | (bytes[i + 1] >> 4)];
    const low = PAIRS[((bytes[i + 1] & 15) << 8) | bytes[i + 2]];
    into[at] = high;
    into[at + 1] = high >> 8;
    into[at + 2] = low;
    into[at + 3] = low >> 8;
    at += 4;
  }
  const left = bytes.length - i;
  if (left > 0) {
    const last = left > 1 ? bytes[i + 1] : 0;
    into[at++] = DIGITS[bytes[i] >> 2];
    into[at++] = DIGITS[((bytes[i] & 3) << 4) | (last >> 4)];
    if (left > 1) into[at++] = DIGITS[(last & 15) << 2];
  }
  return at;
}

/** The bytes that the digits `from[at, to)` stand for; undefined when they are more than that, or none that a writer writes. */
export function decodeBase64Url(
  from: Uint8Array,
  begin: number,
  to: number,
  maxBytes: number,
): Buffer | undefined {
  const left = (to - begin) & 3;
  const length = ((to - begin - left) >> 2) * 3 + (left === 0 ? 0 : left - 1);
  if (left === 1 || length > maxBytes) return undefined;
  const out = Buffer.allocUnsafe(length);
  let at = begin;
  let i = 0;
  /** All digits together: bytes that are none have a bit above theirs. */
  let seen = 0;
  for (const whole = length - 2; i < whole; i += 3) {
    const a = VALUES[from[at]];
    const b = VALUES[from[at + 1]];
    const c = VALUES[from[at + 2]];
    const d = VALUES[from[at + 3]];
    seen |= a | b | c | d;
    out[i] = (a << 2) | (b >> 4);
    out[i + 1] = (b << 4) | (c >> 2);
    out[i + 2] = (c << 6) | d;
    at += 4;
  }
  if (left > 0) {
    const a = VALUES[from[at]];
    const b = VALUES[from[at + 1]];
    const c = left === 3 ? VALUES[from[at + 2]] : 0;
    seen |= a | b | c;
    out[i] = (a << 2) | (b >> 4);
    if (left === 3) out[i + 1] = (b << 4) | (c >> 2);
    // The bits behind the last byte are zeros: one payload has one encoding.
    if (left === 3 ? (c & 3) !== 0 : (b & 15) !== 0) return undefined;
  }
  return seen < NO_DIGIT ? out : undefined;
}
