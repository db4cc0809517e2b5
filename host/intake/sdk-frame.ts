/**
 * Frames of sovereign-sdk sensors, protocol version 1: one JSON object a line, in exactly this form
 *
 *   {"alg":"hmac-sha256","d":{…},"n":"<node>","q":<sequence>,"s":"<64 hex>","t":"<time>","v":1}
 *
 * and `s` is the HMAC-SHA256, under the node's key, of
 *
 *   1|<len n>:<n>|<len t>:<t>|<q>|11:hmac-sha256|<d>        lengths in bytes of UTF-8, decimal
 *
 * where n and t are the texts without their escapes and <d> is the slice of the received bytes. It is
 * never printed again from a parsed value: JavaScript prints 23 where the sender printed 23.0. So anything
 * whose bytes are not exactly this form is refused.
 */
import { equalBytes, fromUtf8, type Mac, validUtf8 } from '../../firmware/seal/index.js';
import { scanString, scanValue, unescapeString } from './json-scan.js';

/** One line without its LF. With what the journal puts around it, it stays within an envelope's limit. */
export const MAX_SDK_LINE_BYTES = 3_840;
/** UTF-8 of a node's name. */
export const MAX_NODE_BYTES = 128;
/** UTF-8 of the timestamp text. */
export const MAX_TIME_BYTES = 128;

const HEAD = ascii('{"alg":"hmac-sha256","d":');
const NODE = ascii(',"n":');
const SEQUENCE = ascii(',"q":');
const TAG = ascii(',"s":"');
const TIME = ascii('","t":');
const END = ascii(',"v":1}');
const TAG_BYTES = 32;
const MAX_SEQUENCE_DIGITS = 16;

export type SdkFault =
  | ''
  | 'too-long'
  | 'utf8'
  | 'head'
  | 'payload'
  | 'node'
  | 'sequence'
  | 'tag'
  | 'time'
  | 'end';

/** Reads one frame after the other without keeping them. The fields are those of the last one that parsed. */
export class SdkFrameReader {
  node = '';
  /** 1 to 2⁵³−1. */
  sequence = 0;
  /** The received MAC. */
  readonly tag = new Uint8Array(TAG_BYTES);
  readonly #text = new Uint8Array(MAX_SDK_LINE_BYTES + 64);
  readonly #message = new Uint8Array(MAX_SDK_LINE_BYTES + 64);
  readonly #expected = new Uint8Array(TAG_BYTES);
  #messageBytes = 0;

  /** Reads `bytes[from, to)`, a line without its LF. */
  parse(bytes: Uint8Array, from: number, to: number): SdkFault {
    if (to - from > MAX_SDK_LINE_BYTES) return 'too-long';
    if (!validUtf8(bytes, from, to)) return 'utf8';
    if (!matches(bytes, from, to, HEAD)) return 'head';
    const payloadAt = from + HEAD.length;
    if (bytes[payloadAt] !== 0x7b) return 'payload';
    const payloadEnd = scanValue(bytes, payloadAt, to);
    if (payloadEnd < 0) return 'payload';

    if (!matches(bytes, payloadEnd, to, NODE)) return 'node';
    const nodeAt = payloadEnd + NODE.length;
    const nodeEnd = scanString(bytes, nodeAt, to);
    if (nodeEnd < 0) return 'node';
    const nodeBytes = unescapeString(bytes, nodeAt + 1, nodeEnd - 1, this.#text, 0);
    if (nodeBytes > MAX_NODE_BYTES) return 'node';

    if (!matches(bytes, nodeEnd, to, SEQUENCE)) return 'sequence';
    const sequenceAt = nodeEnd + SEQUENCE.length;
    const sequenceEnd = this.#sequence(bytes, sequenceAt, to);
    if (sequenceEnd < 0) return 'sequence';

    if (!matches(bytes, sequenceEnd, to, TAG)) return 'tag';
    const tagEnd = this.#tag(bytes, sequenceEnd + TAG.length, to);
    if (tagEnd < 0) return 'tag';

    if (!matches(bytes, tagEnd, to, TIME)) return 'time';
    const timeAt = tagEnd + TIME.length;
    const timeEnd = scanString(bytes, timeAt, to);
    if (timeEnd < 0) return 'time';
    const timeTextEnd = unescapeString(bytes, timeAt + 1, timeEnd - 1, this.#text, nodeBytes);
    if (timeTextEnd - nodeBytes > MAX_TIME_BYTES) return 'time';

    if (timeEnd + END.length !== to || !matches(bytes, timeEnd, to, END)) return 'end';
    this.node = fromUtf8(this.#text, 0, nodeBytes)!;
    this.#authenticated(nodeBytes, timeTextEnd, bytes.subarray(payloadAt, payloadEnd));
    return '';
  }

  /** Compares the received MAC in constant time. */
  verify(mac: Mac): boolean {
    mac.compute(this.#message, 0, this.#messageBytes, this.#expected, 0);
    return equalBytes(this.#expected, 0, this.tag, 0, TAG_BYTES);
  }

  /** What the sender authenticated, for tests and tools. */
  message(): Uint8Array {
    return this.#message.slice(0, this.#messageBytes);
  }

  #sequence(bytes: Uint8Array, at: number, to: number): number {
    let i = at;
    let value = 0;
    for (; i < to && bytes[i] >= 0x30 && bytes[i] <= 0x39; i++) {
      if (i - at >= MAX_SEQUENCE_DIGITS) return -1;
      value = value * 10 + (bytes[i] - 0x30); // in this order: near 2⁵³ the sum with 0x30 would be rounded
    }
    // Also refuses the empty text, 0 and a leading zero.
    if (value < 1 || value > Number.MAX_SAFE_INTEGER || bytes[at] === 0x30) return -1;
    this.sequence = value;
    return i;
  }

  #tag(bytes: Uint8Array, at: number, to: number): number {
    if (at + 2 * TAG_BYTES > to) return -1;
    for (let i = 0; i < TAG_BYTES; i++) {
      const high = lowerHex(bytes[at + 2 * i]);
      const low = lowerHex(bytes[at + 2 * i + 1]);
      if (high < 0 || low < 0) return -1;
      this.tag[i] = high * 16 + low;
    }
    return at + 2 * TAG_BYTES;
  }

  #authenticated(nodeBytes: number, timeTextEnd: number, payload: Uint8Array): void {
    let n = this.#put(`1|${nodeBytes}:`, 0);
    this.#message.set(this.#text.subarray(0, nodeBytes), n);
    n = this.#put(`|${timeTextEnd - nodeBytes}:`, n + nodeBytes);
    this.#message.set(this.#text.subarray(nodeBytes, timeTextEnd), n);
    n = this.#put(`|${this.sequence}|11:hmac-sha256|`, n + timeTextEnd - nodeBytes);
    this.#message.set(payload, n);
    this.#messageBytes = n + payload.length;
  }

  #put(text: string, at: number): number {
    for (let i = 0; i < text.length; i++) this.#message[at++] = text.charCodeAt(i);
    return at;
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, character => character.charCodeAt(0));
}

function matches(bytes: Uint8Array, at: number, to: number, expected: Uint8Array): boolean {
  if (at + expected.length > to) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

function lowerHex(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  return byte >= 0x61 && byte <= 0x66 ? byte - 0x61 + 10 : -1;
}
