import { utf8 } from './bytes.js';
import type { CborWriter } from './cbor-writer.js';
import type { Mac } from './digest.js';
import {
  ID_BYTES,
  MAX_FIRMWARE_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_RESTART_BYTES,
  NONCE_BYTES,
  REQUEST_NONCE_BYTES,
  SHORT_TAG_BYTES,
  VERSION,
} from './limits.js';
import { Mac0Writer } from './mac0.js';
import type { Hello, Receipted, SessionNonces } from './session.js';
import { DownKind, UpKind } from './session.js';

/**
 * Writes session messages into one buffer that the next message reuses: `buffer[start, start + length)`.
 * Every method returns the message's length; 0 when a number is no integer from 0 to 2^53 - 1, or when the
 * settings of `config` do not fit.
 */
export class MessageWriter {
  readonly buffer: Uint8Array;
  start = 0;
  readonly #message: Mac0Writer;
  readonly #out: CborWriter;

  constructor(maxBytes: number = MAX_MESSAGE_BYTES) {
    this.#message = new Mac0Writer(maxBytes);
    this.#out = this.#message.payload;
    this.buffer = this.#message.buffer;
  }

  /** Frame type 1. */
  challenge(gatewayNonce: Uint8Array): number {
    return this.#plain(gatewayNonce, NONCE_BYTES);
  }

  /** Frame type 2. */
  knock(id: Uint8Array): number {
    return this.#plain(id, ID_BYTES);
  }

  /** Frame type 3: opens a session. `mac` is under up(hello.epoch). */
  hello(mac: Mac, id: Uint8Array, nonces: SessionNonces, hello: Hello): number {
    const out = this.#begin(
      id,
      9 + (hello.oldest === undefined ? 0 : 1) + (hello.configVersion === undefined ? 0 : 1),
      UpKind.hello,
      nonces,
    );
    out.uint(3);
    out.uint(hello.epoch);
    out.uint(4);
    out.uint(hello.next);
    if (hello.oldest !== undefined) {
      out.uint(5);
      out.array(2);
      out.uint(hello.oldest.epoch);
      out.uint(hello.oldest.seq);
    }
    out.uint(6);
    out.uint(hello.backlog);
    out.uint(7);
    out.uint(hello.losses);
    out.uint(8);
    out.utf8(utf8(hello.firmware, MAX_FIRMWARE_BYTES));
    out.uint(9);
    out.utf8(utf8(hello.restart, MAX_RESTART_BYTES));
    if (hello.configVersion !== undefined) {
      out.uint(10);
      out.uint(hello.configVersion);
    }
    return this.#finish(mac);
  }

  /** Frame type 3: asks for the time. `mac` is under up(epoch), `requestNonce` has 8 bytes. */
  timeRequest(
    mac: Mac,
    id: Uint8Array,
    nonces: SessionNonces,
    epoch: number,
    requestNonce: Uint8Array,
  ): number {
    const out = this.#begin(id, 5, UpKind.timeRequest, nonces);
    out.uint(3);
    out.uint(epoch);
    out.uint(4);
    out.bytes(exactly(requestNonce, REQUEST_NONCE_BYTES));
    return this.#finish(mac);
  }

  /** Frame type 5: everything up to `position` is durable; without one, the gateway holds nothing of the device. */
  receipt(mac: Mac, id: Uint8Array, nonces: SessionNonces, counter: number, position?: Receipted): number {
    this.#beginDown(id, position === undefined ? 4 : 7, DownKind.receipt, nonces, counter);
    if (position !== undefined) this.#position(position);
    return this.#finish(mac);
  }

  /** Frame type 5: answers the time request with this nonce. */
  time(
    mac: Mac,
    id: Uint8Array,
    nonces: SessionNonces,
    counter: number,
    requestNonce: Uint8Array,
    unixMs: number,
  ): number {
    const out = this.#beginDown(id, 6, DownKind.time, nonces, counter);
    out.uint(4);
    out.bytes(exactly(requestNonce, REQUEST_NONCE_BYTES));
    out.uint(5);
    out.uint(unixMs);
    return this.#finish(mac);
  }

  /** Frame type 5: this reading will never be taken. */
  refuse(
    mac: Mac,
    id: Uint8Array,
    nonces: SessionNonces,
    counter: number,
    refused: Receipted,
    reason: number,
  ): number {
    const out = this.#beginDown(id, 8, DownKind.refuse, nonces, counter);
    this.#position(refused);
    out.uint(7);
    out.uint(reason);
    return this.#finish(mac);
  }

  /** Frame type 5: seal nothing more before this epoch. */
  advance(mac: Mac, id: Uint8Array, nonces: SessionNonces, counter: number, epoch: number): number {
    const out = this.#beginDown(id, 5, DownKind.advance, nonces, counter);
    out.uint(4);
    out.uint(epoch);
    return this.#finish(mac);
  }

  /** Frame type 5: settings of the device's sources, as `encodeSourceSettings` makes them. */
  config(
    mac: Mac,
    id: Uint8Array,
    nonces: SessionNonces,
    counter: number,
    version: number,
    settings: Uint8Array,
  ): number {
    const out = this.#beginDown(id, 6, DownKind.config, nonces, counter);
    out.uint(4);
    out.uint(version);
    out.uint(5);
    out.bytes(settings);
    return this.#finish(mac);
  }

  #plain(bytes: Uint8Array, size: number): number {
    const out = this.#out;
    this.start = 0;
    out.reset();
    out.array(2);
    out.uint(VERSION);
    out.bytes(exactly(bytes, size));
    return out.ok ? out.position : 0;
  }

  #begin(id: Uint8Array, pairs: number, kind: number, nonces: SessionNonces): CborWriter {
    this.#message.identify(id);
    this.#message.begin();
    const out = this.#out;
    out.map(pairs);
    out.uint(0);
    out.uint(kind);
    out.uint(1);
    out.bytes(exactly(nonces.gateway, NONCE_BYTES));
    out.uint(2);
    out.bytes(exactly(nonces.device, NONCE_BYTES));
    return out;
  }

  #beginDown(
    id: Uint8Array,
    pairs: number,
    kind: number,
    nonces: SessionNonces,
    counter: number,
  ): CborWriter {
    const out = this.#begin(id, pairs, kind, nonces);
    out.uint(3);
    out.uint(counter);
    return out;
  }

  #position(position: Receipted): void {
    const out = this.#out;
    out.uint(4);
    out.uint(position.epoch);
    out.uint(5);
    out.uint(position.seq);
    out.uint(6);
    out.bytes(exactly(position.tag8, SHORT_TAG_BYTES));
  }

  #finish(mac: Mac): number {
    const length = this.#message.finish(mac);
    this.start = this.#message.start;
    return length;
  }
}

function exactly(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw new RangeError(`expected ${size} bytes, got ${bytes.length}`);
  return bytes;
}
