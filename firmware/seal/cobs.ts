/**
 * Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without zeros, so that a zero can end a
 * frame. Each block is a code byte c, 1 to 255, and c - 1 bytes that are not zero; a zero follows a block
 * unless c is 255 or the frame ends there. At most one byte in 254 is added, and one for the first code.
 */

/** How long `size` bytes can become. */
export function cobsBound(size: number): number {
  return size + Math.max(1, Math.ceil(size / 254));
}

/**
 * Encodes `bytes[at + 1, end)` where it stands; its first code goes to `bytes[at]`. Returns where the encoding
 * ends, at most `at + cobsBound(end - at - 1)`; there a zero is put, for which there must be room as well.
 *
 * What is not zero stays in its place, so there is something to do for the zeros alone, and the engine's own
 * search finds them. Only after 254 bytes without one a code must be pushed in between.
 */
export function cobsEncode(bytes: Uint8Array, at: number, end: number): number {
  let last = end;
  let codeAt = at;
  bytes[last] = 0;
  for (;;) {
    const zeroAt = bytes.indexOf(0, codeAt + 1);
    if (zeroAt - codeAt < 0xff) {
      bytes[codeAt] = zeroAt - codeAt;
      if (zeroAt === last) return last;
      codeAt = zeroAt;
    } else {
      bytes[codeAt] = 0xff;
      codeAt += 0xff;
      if (codeAt === last) return last;
      bytes.copyWithin(codeAt + 1, codeAt, ++last);
    }
  }
}
