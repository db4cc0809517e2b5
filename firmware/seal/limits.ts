/** Sizes and bounds of the format, version 1. `test/seal/limits.test.ts` asserts them against each other. */

/** The version that a reading states under key 0, and a challenge and a knock as their first element. */
export const VERSION = 1;

/** A device's identity. */
export const ID_BYTES = 8;
/** Root, chain, seal, up and down keys. */
export const KEY_BYTES = 32;
/** An HMAC-SHA256 tag, untruncated (COSE algorithm 5, "HMAC 256/256"). */
export const TAG_BYTES = 32;
/** How much of a tag links a reading to the one before it, and names a reading in receipts. */
export const SHORT_TAG_BYTES = 8;
/** A session nonce, of the gateway or of the device. */
export const NONCE_BYTES = 16;
/** The nonce of one time request. */
export const REQUEST_NONCE_BYTES = 8;

/** One COBS-encoded frame without its delimiter. */
export const MAX_FRAME_BYTES = 4096;
/** What type, body and checksum may come to, so that even the worst case of COBS (one byte in 254) fits a frame. */
export const MAX_DECODED_BYTES = 4079;
/** Type (1 byte) and CRC-32 (4 bytes) around a body. */
export const FRAME_OVERHEAD_BYTES = 5;
/** The largest body of a frame, and so the largest envelope. */
export const MAX_BODY_BYTES = MAX_DECODED_BYTES - FRAME_OVERHEAD_BYTES;
export const MAX_ENVELOPE_BYTES = MAX_BODY_BYTES;

/** What a Sealer reserves unless told otherwise. */
export const DEFAULT_ENVELOPE_BYTES = 512;
/** Records that a Sealer puts into one reading: as many as an array head of one byte can count. */
export const MAX_RECORDS = 23;

/** Arrays and maps within each other. */
export const MAX_DEPTH = 16;
/** Integers beyond this are refused: JavaScript could not tell neighbours apart (RFC 7493, section 2.2). */
export const MAX_SAFE = 9007199254740991;

/** A hello's texts; longer ones are cut where a character ends. */
export const MAX_FIRMWARE_BYTES = 64;
export const MAX_RESTART_BYTES = 128;
/** The largest session message, a hello with everything in it, fits this. */
export const MAX_MESSAGE_BYTES = 384;
