/** Payloads one after another: a CBOR sequence (RFC 8742), as batches and files have them. */

const MAX_NESTING = 16;

/** Where the CBOR item that begins at `at` ends (RFC 8949, section 3), of any kind but indefinite length. */
function itemEnd(bytes: Uint8Array, at: number, depth: number = MAX_NESTING): number | 'cbor' | 'truncated' {
  if (at >= bytes.length) return 'truncated';
  const major = bytes[at] >> 5;
  const short = bytes[at] & 31;
  if (short > 27 || depth === 0) return 'cbor';
  const width = short < 24 ? 0 : 1 << (short - 24);
  let end = at + 1 + width;
  if (end > bytes.length) return 'truncated';
  let value = short;
  if (width > 0) value = 0;
  for (let i = 1; i <= width; i++) value = value * 256 + bytes[at + i];
  if (major === 2 || major === 3) return end + value <= bytes.length ? end + value : 'truncated';
  const inner = major === 4 ? value : major === 5 ? 2 * value : major === 6 ? 1 : 0;
  for (let i = 0; i < inner; i++) {
    const next = itemEnd(bytes, end, depth - 1);
    if (typeof next === 'string') return next;
    end = next;
  }
  return end;
}

/**
 * The payloads of a sequence, and in place of the first that is none why it is none: where the next begins can't be known
 * then.
 */
export function* payloadsOf(bytes: Uint8Array): Generator<Uint8Array | 'cbor' | 'truncated'> {
  for (let at = 0; at < bytes.length; ) {
    const end = itemEnd(bytes, at);
    if (typeof end === 'string') {
      yield end;
      return;
    }
    yield bytes.subarray(at, end);
    at = end;
  }
}
