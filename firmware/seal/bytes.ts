/** Bytes as hex and as UTF-8 text, without help from the platform: XS has no TextEncoder. */

const DIGITS = '0123456789abcdef';

/** Lower-case hex of `bytes[from, to)`. */
export function toHex(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = '';
  for (let i = from; i < to; i++) text += DIGITS[bytes[i] >> 4] + DIGITS[bytes[i] & 15];
  return text;
}

/** Bytes of an even number of hex digits, upper or lower case; undefined when the text is anything else. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = digit(text.charCodeAt(2 * i));
    const low = digit(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
}

function digit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

/** Compares `length` bytes in a time that does not depend on where they differ: for tags. */
export function equalBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  // An index past the end would read `undefined`, and two of those would count as equal.
  if (aAt < 0 || bAt < 0 || aAt + length > a.length || bAt + length > b.length) return false;
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= a[aAt + i] ^ b[bAt + i];
  return difference === 0;
}

/**
 * UTF-8 of a text, cut to at most `maxBytes` where a character ends. Lone surrogates become U+FFFD, as with
 * TextEncoder.
 */
export function utf8(text: string, maxBytes = 3 * text.length): Uint8Array {
  const bytes = new Uint8Array(3 * text.length);
  let n = 0;
  for (let i = 0; i < text.length; ) {
    let code = text.codePointAt(i)!;
    i += code > 0xffff ? 2 : 1;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (n + size > maxBytes) break;
    if (size === 1) {
      bytes[n++] = code;
      continue;
    }
    bytes[n++] = (0xf00 >> size) | (code >> (6 * (size - 1)));
    for (let k = size - 2; k >= 0; k--) bytes[n++] = 0x80 | ((code >> (6 * k)) & 0x3f);
  }
  return bytes.slice(0, n);
}

/** Whether `bytes[from, to)` is valid UTF-8 (RFC 3629): nothing overlong, no surrogates, nothing past U+10FFFF. */
export function validUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; ) {
    const lead = bytes[i++];
    if (lead < 0x80) continue;
    let more = 1;
    let low = 0x80; // the range of the second byte is what keeps overlong forms and surrogates out
    let high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    } else return false;
    if (i + more > to) return false;
    if (bytes[i] < low || bytes[i] > high) return false;
    for (let k = 1; k < more; k++) if ((bytes[i + k] & 0xc0) !== 0x80) return false;
    i += more;
  }
  return true;
}

/** The text of `bytes[from, to)`; undefined when that is not valid UTF-8. */
export function fromUtf8(bytes: Uint8Array, from = 0, to = bytes.length): string | undefined {
  if (!validUtf8(bytes, from, to)) return undefined;
  let text = '';
  for (let i = from; i < to; ) {
    const lead = bytes[i++];
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      continue;
    }
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    let code = lead & (0x3f >> more);
    for (let k = 0; k < more; k++) code = (code << 6) | (bytes[i++] & 0x3f);
    text += String.fromCodePoint(code);
  }
  return text;
}
