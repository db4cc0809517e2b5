/** SHA-256 and HMAC-SHA256 in C. Shapes, limits and overlaps as in firmware/seal/digest.ts. */
declare module 'native/digest' {
  /** HMAC-SHA256 under a key of any length, of which only two hash states are kept. */
  export class Hmac {
    constructor(key: Uint8Array);
    /** @throws RangeError outside of `data` or `out` */
    compute(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
  }
  /** @throws RangeError outside of `data` or `out` */
  export function sha256(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
}
