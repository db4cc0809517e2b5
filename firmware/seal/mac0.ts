/**
 * COSE_Mac0 (RFC 9052, section 6.2) with HMAC 256/256, the id of the device in the protected header, nothing
 * unprotected, empty external_aad: what readings and session messages travel in.
 *
 *   COSE_Mac0      84             4d a2 01 05 04 48 <id: 8>  a0  <payload as bstr>  58 20 <tag: 32>
 *   MAC_structure  84 64 M A C 0  4d a2 01 05 04 48 <id: 8>  40  <payload as bstr>
 *
 * The tag is HMAC-SHA256 of the MAC_structure, and the two share nearly all their bytes. So the writer lays
 * out the MAC_structure, has the tag put after it, and then turns the "0" of "MAC0" into 84 and the 40 into
 * a0: what begins there is the COSE_Mac0, and nothing has been copied or allocated.
 */
import { equalBytes } from './bytes.js';
import { CborReader } from './cbor-reader.js';
import { CborWriter } from './cbor-writer.js';
import type { Mac } from './digest.js';
import type { SealFault } from './fault.js';
import { ID_BYTES, MAX_ENVELOPE_BYTES, TAG_BYTES } from './limits.js';

/** `84 64 "MAC0" | 4d a2 01 05 04 48 id | 40` */
const PREFIX_BYTES = 21;
const ID_AT = 12;
const AAD_AT = 20;
/** Where a COSE_Mac0 begins in the prefix. */
const MAC0_AT = 5;
/** The longest head of a payload of less than 64 KiB stands before the payload. */
const PAYLOAD_AT = PREFIX_BYTES + 3;
/** `84 4d … a0`: from the beginning of a COSE_Mac0 to its payload's head. */
const HEADER_BYTES = PREFIX_BYTES - MAC0_AT;
const TAG_HEAD_BYTES = 2;

function writePrefix(out: Uint8Array): void {
  out[0] = 0x84; // array of 4
  out[1] = 0x64; // text of 4
  out[2] = 0x4d;
  out[3] = 0x41;
  out[4] = 0x43;
  out[5] = 0x30;
  out[6] = 0x4d; // bytes, 13
  out[7] = 0xa2; // map of 2
  out[8] = 0x01; // alg:
  out[9] = 0x05; // HMAC 256/256
  out[10] = 0x04; // kid:
  out[11] = 0x48; // bytes, 8
  out[AAD_AT] = 0x40; // bytes, 0
}

/** Makes COSE_Mac0 messages in place, in one buffer that the next message reuses. */
export class Mac0Writer {
  readonly buffer: Uint8Array;
  /** Takes the payload between `begin` and `finish`. */
  readonly payload: CborWriter;
  /** Where the message begins in `buffer`, after `finish`. */
  start = 0;
  /** Where its tag is. */
  tagAt = 0;
  readonly #maxBytes: number;
  readonly #limit: number;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  /** Where the prefix still stands in `buffer`, but for the two bytes that `finish` has turned; -1: nowhere. */
  #prefixAt = -1;

  /** @param maxBytes the longest message: 64 to 4,074 */
  constructor(maxBytes: number) {
    if (!(maxBytes >= 64 && maxBytes <= MAX_ENVELOPE_BYTES)) {
      throw new RangeError(`maxBytes must be 64 to ${MAX_ENVELOPE_BYTES}, not ${maxBytes}`);
    }
    this.#maxBytes = maxBytes;
    this.#limit = PAYLOAD_AT + maxBytes - HEADER_BYTES - 1 - TAG_HEAD_BYTES - TAG_BYTES;
    this.buffer = new Uint8Array(maxBytes + PAYLOAD_AT - HEADER_BYTES);
    this.payload = new CborWriter(this.buffer);
    writePrefix(this.#prefix);
  }

  /** The device that messages are of, or for, from now on: 8 bytes at `id[at …]`. */
  identify(id: Uint8Array, at = 0): void {
    if (at + ID_BYTES > id.length) throw new RangeError(`a device id has ${ID_BYTES} bytes`);
    for (let i = 0; i < ID_BYTES; i++) this.#prefix[ID_AT + i] = id[at + i];
    this.#prefixAt = -1;
  }

  begin(): void {
    this.payload.reset(PAYLOAD_AT, this.#limit);
  }

  /** Seals what was written; returns the message's length, 0 when `payload.fault` says why there is none. */
  finish(mac: Mac): number {
    const payload = this.payload;
    if (!payload.ok) return 0;
    const buffer = this.buffer;
    const end = payload.position;
    const size = end - PAYLOAD_AT;
    const headBytes = size < 24 ? 1 : size < 256 ? 2 : 3;
    const length = HEADER_BYTES + headBytes + size + TAG_HEAD_BYTES + TAG_BYTES;
    if (length > this.#maxBytes) {
      payload.refuse('overflow');
      return 0;
    }
    if (headBytes === 1) buffer[PAYLOAD_AT - 1] = 0x40 | size;
    else if (headBytes === 2) {
      buffer[PAYLOAD_AT - 2] = 0x58;
      buffer[PAYLOAD_AT - 1] = size;
    } else {
      buffer[PAYLOAD_AT - 3] = 0x59;
      buffer[PAYLOAD_AT - 2] = size >> 8;
      buffer[PAYLOAD_AT - 1] = size & 0xff;
    }
    const at = PAYLOAD_AT - PREFIX_BYTES - headBytes;
    const tagAt = end + TAG_HEAD_BYTES;
    if (at === this.#prefixAt) {
      buffer[at + MAC0_AT] = 0x30;
      buffer[at + AAD_AT] = 0x40;
    } else {
      buffer.set(this.#prefix, at);
      this.#prefixAt = at;
    }
    mac.compute(buffer, at, end, buffer, tagAt);
    buffer[end] = 0x58;
    buffer[end + 1] = TAG_BYTES;
    buffer[at + MAC0_AT] = 0x84;
    buffer[at + AAD_AT] = 0xa0;
    this.tagAt = tagAt;
    this.start = at + MAC0_AT;
    return length;
  }
}

/** Reads COSE_Mac0 messages strictly: these bytes and no others. Reusable; allocates nothing. */
export class Mac0Reader {
  /** What was parsed last; the other fields are positions in it. */
  bytes: Uint8Array = new Uint8Array(0);
  idAt = 0;
  payloadAt = 0;
  payloadEnd = 0;
  tagAt = 0;
  readonly #maxBytes: number;
  readonly #reader = new CborReader();
  readonly #structure: Uint8Array;
  readonly #tag = new Uint8Array(TAG_BYTES);

  /** @param maxBytes longer messages are refused as `too-large` */
  constructor(maxBytes: number = MAX_ENVELOPE_BYTES) {
    this.#maxBytes = maxBytes;
    this.#structure = new Uint8Array(maxBytes + MAC0_AT);
    writePrefix(this.#structure);
  }

  /** Takes `bytes[from, to)` apart. The payload's content is not looked at. */
  parse(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    if (to - from > this.#maxBytes) return 'too-large';
    if (to <= from || bytes[from] !== 0x84) return 'not-mac0';
    if (to - from < HEADER_BYTES) return 'truncated';
    if (bytes[from + 1] !== 0x4d || bytes[from + 2] !== 0xa2 || bytes[from + 3] !== 0x01)
      return 'protected-header';
    if (bytes[from + 4] !== 0x05) return 'algorithm';
    if (bytes[from + 5] !== 0x04 || bytes[from + 6] !== 0x48) return 'key-id';
    if (bytes[from + 15] !== 0xa0) return 'unprotected-header';
    const reader = this.#reader;
    reader.reset(bytes, from + HEADER_BYTES, to);
    reader.data();
    this.payloadAt = reader.start;
    this.payloadEnd = reader.stop;
    this.tagAt = reader.fixed(TAG_BYTES);
    if (reader.fault === 'length') return 'tag-length';
    reader.finish();
    this.bytes = bytes;
    this.idAt = from + ID_AT - MAC0_AT;
    return reader.fault;
  }

  /** Whether the tag is right, after a `parse` without a fault; in constant time, over the bytes that it saw. */
  verify(mac: Mac): boolean {
    const bytes = this.bytes;
    const structure = this.#structure;
    let n = MAC0_AT + 1;
    for (let i = this.idAt + MAC0_AT - ID_AT + 1; i < this.payloadEnd; i++) structure[n++] = bytes[i];
    structure[AAD_AT] = 0x40;
    mac.compute(structure, 0, n, this.#tag, 0);
    return equalBytes(this.#tag, 0, bytes, this.tagAt, TAG_BYTES);
  }
}
