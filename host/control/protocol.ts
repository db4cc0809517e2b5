/**
 * What is said over `control.sock`. Each message, either way:
 *
 *   length   4 bytes, big-endian: of what follows, 2 to the limit of its direction
 *   text     that many bytes: one JSON object, UTF-8
 *
 * A client sends requests (`calls.ts` has them all), `{"call":"status"}`, and gets one answer each, in their order:
 * `{"ok":true,"value":…}` or `{"ok":false,"code":"…","message":"…"}`. After the answer to a stream's request come
 * `{"item":…}`, and `{"lost":n}` where a reader is too slow; the connection takes no further request. Who may open the socket
 * may ask anything: access is by file permission alone. A length out of bounds ends the connection; what is no request gets
 * an answer that says so.
 */
import {
  type BadRequest,
  type ControlAnswer,
  type ControlRequest,
  readCall,
  type StreamMessage,
} from './calls.js';

export const MAX_REQUEST_BYTES = 4096;
/** A status with as many devices and links as it may hold takes about 3 MB. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;
const MIN_TEXT_BYTES = 2;
const MIN_GROWTH_BYTES = 256;
const NO_BYTES = new Uint8Array(0);

/** One message as bytes. */
export function encodeMessage(value: ControlRequest | ControlAnswer | StreamMessage): Uint8Array {
  const plain = 'call' in value ? { call: value.call, ...value.args } : value;
  const text = new TextEncoder().encode(JSON.stringify(plain));
  const bytes = new Uint8Array(LENGTH_BYTES + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, LENGTH_BYTES);
  return bytes;
}

/** Cuts a stream of bytes into messages; never holds more than one of them. */
export class MessageDecoder {
  readonly #maxBytes: number;
  readonly #message: (text: Uint8Array) => void;
  readonly #head = new Uint8Array(LENGTH_BYTES);
  #headBytes = 0;
  /** Grows with what comes, never with what is claimed, and in steps: the pieces that come may be single bytes. */
  #text = NO_BYTES;
  #textBytes = 0;
  #length = 0;
  #broken = false;

  constructor(maxBytes: number, message: (text: Uint8Array) => void) {
    this.#maxBytes = maxBytes;
    this.#message = message;
  }

  /** Whether part of a message has come and the rest hasn't. */
  get within(): boolean {
    return this.#headBytes > 0;
  }

  /** False once a length was out of bounds: nothing after it can be understood. */
  push(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.length && !this.#broken) {
      if (this.#headBytes < LENGTH_BYTES) {
        this.#head[this.#headBytes] = bytes[at];
        this.#headBytes += 1;
        at += 1;
        if (this.#headBytes < LENGTH_BYTES) continue;
        this.#length = new DataView(this.#head.buffer).getUint32(0);
        this.#broken = this.#length < MIN_TEXT_BYTES || this.#length > this.#maxBytes;
        continue;
      }
      const part = bytes.subarray(at, at + this.#length - this.#textBytes);
      this.#reserve(this.#textBytes + part.length);
      this.#text.set(part, this.#textBytes);
      this.#textBytes += part.length;
      at += part.length;
      if (this.#textBytes === this.#length) this.#finish();
    }
    return !this.#broken;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#text.length) return;
    const grown = new Uint8Array(Math.min(this.#length, Math.max(2 * bytes, MIN_GROWTH_BYTES)));
    grown.set(this.#text.subarray(0, this.#textBytes));
    this.#text = grown;
  }

  #finish(): void {
    const text = this.#text;
    this.#text = NO_BYTES;
    this.#textBytes = 0;
    this.#headBytes = 0;
    this.#message(text);
  }
}

/** What a client asks for, or what is wrong with it. */
export function readRequest(text: Uint8Array): ControlRequest | BadRequest {
  return readCall(parseObject(text));
}

/** The answer of a server, or undefined when it is none. */
export function readAnswer(text: Uint8Array): ControlAnswer | undefined {
  const value = parseObject(text);
  if (value?.ok === true && 'value' in value) return { ok: true, value: value.value };
  if (value?.ok !== false) return undefined;
  const { code, message, remedy } = value;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return { ok: false, code, message, ...(typeof remedy === 'string' && { remedy }) };
}

/** What comes in a stream, or undefined when it is nothing of it. */
export function readStreamMessage(text: Uint8Array): StreamMessage | undefined {
  const value = parseObject(text);
  if (value === undefined) return undefined;
  if ('item' in value) return { item: value.item };
  return Number.isSafeInteger(value.lost) ? { lost: value.lost as number } : undefined;
}

function parseObject(text: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
