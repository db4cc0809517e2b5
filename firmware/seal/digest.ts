/**
 * The digest driver that the seal is given: `node:crypto` on a host, `@noble/hashes` on a virtual board,
 * the chip's own code on a real one. Nothing else of cryptography is needed.
 */
export interface Digest {
  /** SHA-256 (FIPS 180-4) of `data[from, to)`; 32 bytes go to `out[at …]`. */
  sha256(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
  /** HMAC-SHA256 (RFC 2104) under a key of any length; the key is copied. */
  hmac(key: Uint8Array): Mac;
}

/** HMAC-SHA256 under one key. Reusable; `out` may be `data`, also where they overlap. */
export interface Mac {
  /** The 32 bytes of the tag over `data[from, to)` go to `out[at …]`. */
  compute(data: Uint8Array, from: number, to: number, out: Uint8Array, at: number): void;
}
