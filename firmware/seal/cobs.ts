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
 * Encodes `from[at, end)` into `out[outAt …]`, which must have room for `cobsBound` of it and not overlap;
 * returns where the encoding ends.
 */
export function cobsEncode(
  from: Uint8Array,
  at: number,
  end: number,
  out: Uint8Array,
  outAt: number,
): number {
  let codeAt = outAt;
  let n = outAt + 1;
  let code = 1;
  for (let i = at; i < end; i++) {
    const byte = from[i];
    if (byte !== 0) {
      out[n++] = byte;
      code++;
    }
    if (byte === 0 || (code === 0xff && i + 1 < end)) {
      out[codeAt] = code;
      codeAt = n++;
      code = 1;
    }
  }
  out[codeAt] = code;
  return n;
}
