import { sha256 } from '@noble/hashes/sha2.js';
import { toHex } from '../../firmware/seal/index.js';

/** The id of a sovereign-sdk node, in topics and in the journal: the first 16 hex digits of SHA-256(node). */
export function sdkDeviceId(node: string): string {
  return toHex(sha256(new TextEncoder().encode(node)), 0, 8);
}
