import type { Flash } from '../ports.js';

/** What the records in flash sectors share: numbers, blankness, reading back. */

/** Writes an unsigned integer of at most 53 bits, big-endian, into `bytes` bytes. */
export function writeUint(target: Uint8Array, at: number, bytes: number, value: number): void {
  let rest = value;
  for (let i = bytes - 1; i >= 0; i--) {
    target[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** Reads an unsigned integer, big-endian; what exceeds 53 bits comes out larger than any that was written. */
export function readUint(source: Uint8Array, at: number, bytes: number): number {
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + source[at + i];
  return value;
}

/** Whether every byte reads as erased. */
export function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0xff) return false;
  return true;
}

/** Whether the flash holds what was programmed. @param scratch as long as `expected` */
export function readBack(
  flash: Flash,
  sector: number,
  offset: number,
  expected: Uint8Array,
  scratch: Uint8Array,
): boolean {
  flash.read(sector, offset, scratch);
  for (let i = 0; i < expected.length; i++) if (scratch[i] !== expected[i]) return false;
  return true;
}
