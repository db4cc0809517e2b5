import { CborReader } from './cbor-reader.js';
import type { Mac } from './digest.js';
import type { SealFault } from './fault.js';
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
import { Mac0Reader } from './mac0.js';
import { DownKind, RefuseReason, UpKind } from './session.js';

/**
 * Takes session messages apart, strictly. Reusable; allocates nothing. The fields speak of the last parse that
 * returned no fault, each only where its message has it, and are for reading only; those that end in `At` and
 * `End` are positions in `bytes`. What `parseUp` and `parseDown` give is untrusted until `verify` has said yes.
 */
export class MessageReader {
  bytes: Uint8Array = new Uint8Array(0);
  /** The device: 8 bytes. Of knock, up and down. */
  idAt = 0;
  /** `UpKind` or `DownKind`. */
  kind = 0;
  /** 16 bytes. Of challenge, up and down. */
  gwNonceAt = 0;
  /** 16 bytes. Of up and down. */
  devNonceAt = 0;
  /** Of up: the epoch whose key seals the message. Of receipt and refuse: the named reading's. Of advance. */
  epoch = 0;

  /** Of hello: the sequence of the next reading. */
  next = 0;
  /** Of hello: the oldest reading held; -1 when none is. */
  oldestEpoch = -1;
  oldestSeq = -1;
  backlog = 0;
  losses = 0;
  /** UTF-8, at most 64 bytes. */
  firmwareAt = 0;
  firmwareEnd = 0;
  /** UTF-8, at most 128 bytes. */
  restartAt = 0;
  restartEnd = 0;
  /** Of hello: -1 when the device takes no settings. Of config: the settings' version. */
  configVersion = -1;

  /** Of time request and time: 8 bytes. */
  requestNonceAt = 0;

  /** Of down: rises with every message of a session. */
  counter = 0;
  /** Of receipt: whether it names a reading; if not, the gateway holds nothing of the device. */
  hasPosition = false;
  /** Of receipt and refuse. */
  seq = 0;
  /** Of receipt and refuse: 8 bytes. */
  tag8At = 0;
  /** Of time. */
  unixMs = 0;
  /** Of refuse: `RefuseReason`. */
  reason = 0;
  /** Of config: bytes for `readSourceSettings`. */
  settingsAt = 0;
  settingsEnd = 0;

  readonly #message: Mac0Reader;
  readonly #reader = new CborReader();

  constructor(maxBytes: number = MAX_MESSAGE_BYTES) {
    this.#message = new Mac0Reader(maxBytes);
  }

  /** Frame type 1. */
  parseChallenge(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    this.gwNonceAt = this.#plain(bytes, from, to, NONCE_BYTES);
    return this.#reader.fault;
  }

  /** Frame type 2. */
  parseKnock(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    this.idAt = this.#plain(bytes, from, to, ID_BYTES);
    return this.#reader.fault;
  }

  /** Frame type 3. `verify` it under up(epoch). */
  parseUp(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    const fault = this.#message.parse(bytes, from, to);
    if (fault !== '') return fault;
    const left = this.#nonces();
    const reader = this.#reader;
    reader.key(3);
    this.epoch = reader.uint();
    if (this.kind === UpKind.hello) this.#hello(left - 4);
    else if (this.kind === UpKind.timeRequest) {
      reader.key(4);
      this.requestNonceAt = reader.fixed(REQUEST_NONCE_BYTES);
      this.#pairs(left - 5);
    } else reader.refuse('kind');
    reader.finish();
    return reader.fault;
  }

  /** Frame type 5. `verify` it under down. */
  parseDown(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    const fault = this.#message.parse(bytes, from, to);
    if (fault !== '') return fault;
    const left = this.#nonces();
    const reader = this.#reader;
    reader.key(3);
    this.counter = reader.uint();
    if (this.kind === DownKind.receipt) {
      this.hasPosition = left !== 4;
      if (this.hasPosition) this.#position();
      this.#pairs(left - (this.hasPosition ? 7 : 4));
    } else if (this.kind === DownKind.time) {
      reader.key(4);
      this.requestNonceAt = reader.fixed(REQUEST_NONCE_BYTES);
      reader.key(5);
      this.unixMs = reader.uint();
      this.#pairs(left - 6);
    } else if (this.kind === DownKind.refuse) {
      this.#position();
      reader.key(7);
      this.reason = reader.uint();
      if (this.reason !== RefuseReason.fork) reader.refuse('kind');
      this.#pairs(left - 8);
    } else if (this.kind === DownKind.advance) {
      reader.key(4);
      this.epoch = reader.uint();
      this.#pairs(left - 5);
    } else if (this.kind === DownKind.config) {
      reader.key(4);
      this.configVersion = reader.uint();
      reader.key(5);
      reader.data();
      this.settingsAt = reader.start;
      this.settingsEnd = reader.stop;
      this.#pairs(left - 6);
    } else reader.refuse('kind');
    reader.finish();
    return reader.fault;
  }

  /** Whether the tag of the message that `parseUp` or `parseDown` took apart last is right; in constant time. */
  verify(mac: Mac): boolean {
    return this.#message.verify(mac);
  }

  /** `[1, bstr]`; returns where the content of the byte string begins. */
  #plain(bytes: Uint8Array, from: number, to: number, size: number): number {
    this.bytes = bytes;
    const reader = this.#reader;
    reader.reset(bytes, from, to);
    if (reader.array() !== 2) reader.refuse('length');
    if (reader.uint() !== VERSION) reader.refuse('version');
    const at = reader.fixed(size);
    reader.finish();
    return at;
  }

  /** Keys 0 to 2; returns how many pairs the map has in all. */
  #nonces(): number {
    const message = this.#message;
    const reader = this.#reader;
    this.bytes = message.bytes;
    this.idAt = message.idAt;
    reader.reset(message.bytes, message.payloadAt, message.payloadEnd);
    const pairs = reader.map();
    reader.key(0);
    this.kind = reader.uint();
    reader.key(1);
    this.gwNonceAt = reader.fixed(NONCE_BYTES);
    reader.key(2);
    this.devNonceAt = reader.fixed(NONCE_BYTES);
    return pairs;
  }

  /** Keys 4 to 10, of which there are `pairs`: 5, one more with the oldest reading, one with the settings' version. */
  #hello(pairs: number): void {
    const reader = this.#reader;
    reader.key(4);
    this.next = reader.uint();
    this.oldestEpoch = -1;
    this.oldestSeq = -1;
    let left = pairs - 5;
    let key = reader.uint();
    if (key === 5 && left > 0) {
      left--;
      if (reader.array() !== 2) reader.refuse('length');
      this.oldestEpoch = reader.uint();
      this.oldestSeq = reader.uint();
      key = reader.uint();
    }
    if (key !== 6) reader.refuse('unexpected-key');
    this.backlog = reader.uint();
    reader.key(7);
    this.losses = reader.uint();
    reader.key(8);
    if (reader.text() && reader.stop - reader.start > MAX_FIRMWARE_BYTES) reader.refuse('length');
    this.firmwareAt = reader.start;
    this.firmwareEnd = reader.stop;
    reader.key(9);
    if (reader.text() && reader.stop - reader.start > MAX_RESTART_BYTES) reader.refuse('length');
    this.restartAt = reader.start;
    this.restartEnd = reader.stop;
    this.configVersion = -1;
    if (left === 1) {
      left--;
      reader.key(10);
      this.configVersion = reader.uint();
    }
    this.#pairs(left);
  }

  #position(): void {
    const reader = this.#reader;
    reader.key(4);
    this.epoch = reader.uint();
    reader.key(5);
    this.seq = reader.uint();
    reader.key(6);
    this.tag8At = reader.fixed(SHORT_TAG_BYTES);
  }

  #pairs(unread: number): void {
    if (unread !== 0) this.#reader.refuse('unexpected-key');
  }
}
