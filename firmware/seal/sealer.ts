import { validUtf8 } from './bytes.js';
import { CborWriter } from './cbor-writer.js';
import type { Digest, Mac } from './digest.js';
import type { WriteFault } from './fault.js';
import { KeyChain } from './keys.js';
import {
  DEFAULT_ENVELOPE_BYTES,
  ID_BYTES,
  MAX_RECORDS,
  MAX_SAFE,
  SHORT_TAG_BYTES,
  VERSION,
} from './limits.js';
import { Mac0Writer } from './mac0.js';
import type { Label } from './reading.js';
import { SenmlLabel } from './reading.js';

/** Takes the records of the reading that `Sealer.begin` began. What it can't take makes `Sealer.seal` return 0. */
export interface RecordWriter {
  /** Any finite number but -0; integers up to ±(2^53 - 1). */
  number(label: Label, value: number): void;
  bool(label: Label, value: boolean): void;
  /** The text whose UTF-8 is `utf8[from, to)`. */
  text(label: Label, utf8: Uint8Array, from?: number, to?: number): void;
  /** The bytes of `data[from, to)`. */
  data(label: Label, data: Uint8Array, from?: number, to?: number): void;
}

/** `05 48 <previous tag: 8> 06 80`: keys 5 and 6 of a reading, up to the head of the array of records. */
const LINK_BYTES = 12;
const PREVIOUS_AT = 2;

/** `a6 00 01 01 <epoch> 02`: a reading up to its sequence. */
function openingOf(epoch: number): Uint8Array {
  const out = new CborWriter(new Uint8Array(16));
  out.map(6);
  out.pair(0, VERSION);
  out.pair(1, epoch);
  out.uint(2);
  return out.buffer.slice(0, out.position);
}

/**
 * Seals the readings of one device, one after another, in one buffer. The device's side of `EnvelopeReader`.
 * Allocates nothing between `begin` and `seal`.
 */
export class Sealer implements RecordWriter {
  /** The envelope is `buffer[start, start + length)` from `seal` until the next `begin`. */
  readonly buffer: Uint8Array;
  readonly #message: Mac0Writer;
  readonly #payload: CborWriter;
  readonly #chain: KeyChain;
  readonly #digest: Digest;
  readonly #view: DataView;
  readonly #link = new Uint8Array(LINK_BYTES);
  readonly #linkView = new DataView(this.#link.buffer);
  #opening = openingOf(0);
  #mac: Mac | undefined;
  #epoch = 0;
  #sequence = 0;
  #kind = 0;
  #records = 0;
  #countAt = 0;
  #begun = false;

  /**
   * @param id 8 bytes
   * @param maxBytes the longest envelope that fits, 64 to 4,074
   */
  constructor(digest: Digest, id: Uint8Array, maxBytes: number = DEFAULT_ENVELOPE_BYTES) {
    if (id.length !== ID_BYTES) throw new RangeError(`a device id has ${ID_BYTES} bytes, not ${id.length}`);
    this.#digest = digest;
    this.#chain = new KeyChain(digest);
    this.#message = new Mac0Writer(maxBytes);
    this.#message.identify(id);
    this.#payload = this.#message.payload;
    this.buffer = this.#message.buffer;
    this.#view = new DataView(this.buffer.buffer);
    this.#link[0] = 5;
    this.#link[1] = 0x40 | SHORT_TAG_BYTES;
    this.#link[LINK_BYTES - 2] = 6;
    this.#link[LINK_BYTES - 1] = 0x80; // counted when it is known
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** The sequence that the next reading will have. */
  get nextSeq(): number {
    return this.#sequence;
  }

  get start(): number {
    return this.#message.start;
  }

  /** Why the last `seal` returned 0. */
  get fault(): WriteFault | '' {
    return this.#payload.fault;
  }

  /** Begins an epoch with its chain key: sequence 0, nothing before it. The key is not kept. */
  startEpoch(epoch: number, chain: Uint8Array): void {
    if (!(epoch >= 0 && epoch <= MAX_SAFE) || Math.floor(epoch) !== epoch) {
      throw new RangeError(`an epoch is an integer from 0 to 2^53 - 1, not ${epoch}`);
    }
    const key = this.#chain.seal(chain);
    this.#mac = this.#digest.hmac(key);
    key.fill(0);
    this.#epoch = epoch;
    this.#sequence = 0;
    this.#opening = openingOf(epoch);
    this.#link.fill(0, PREVIOUS_AT, PREVIOUS_AT + SHORT_TAG_BYTES);
    this.#message.begin();
    this.#begun = false;
  }

  /**
   * Begins a reading; drops what an earlier `begin` began.
   *
   * @param uptimeMs milliseconds since boot, an integer
   * @param unixMs Unix time in ms, an integer; below 0 while the clock is not synchronised
   * @param kind one of `Kind`, 0 for a plain measurement
   */
  begin(uptimeMs: number, unixMs = -1, kind = 0): RecordWriter {
    this.#message.begin();
    this.#begun = true;
    this.#records = 0;
    this.#kind = kind;
    const out = this.#payload;
    const opening = this.#opening;
    opening[0] = (unixMs >= 0 ? 0xa7 : 0xa6) + (kind > 0 ? 1 : 0);
    out.whole(opening);
    out.uint(this.#sequence);
    out.pair(3, uptimeMs);
    if (unixMs >= 0) out.pair(4, unixMs);
    out.whole(this.#link);
    this.#countAt = out.position - 1;
    return this;
  }

  number(label: Label, value: number): void {
    this.#records++;
    const out = this.#payload;
    out.whole(label.bytes);
    out.number(value);
  }

  bool(label: Label, value: boolean): void {
    this.#record(label, SenmlLabel.bool);
    this.#payload.bool(value);
  }

  text(label: Label, utf8: Uint8Array, from = 0, to: number = utf8.length): void {
    this.#record(label, SenmlLabel.text);
    // A gate refuses bad text, for ever: better no reading than one that blocks those after it.
    if (!validUtf8(utf8, from, to)) this.#payload.refuse('invalid-utf8');
    this.#payload.utf8(utf8, from, to);
  }

  data(label: Label, data: Uint8Array, from = 0, to: number = data.length): void {
    this.#record(label, SenmlLabel.data);
    this.#payload.bytes(data, from, to);
  }

  /**
   * Seals the reading and moves on to the next sequence; returns the envelope's length. Returns 0 when there is
   * none, and `fault` says why: then the sequence stays, and the next `begin` takes it.
   */
  seal(): number {
    const out = this.#payload;
    const mac = this.#mac;
    const records = this.#records;
    if (mac === undefined) out.refuse('no-epoch');
    else if (!this.#begun) out.refuse('not-begun');
    else if (records === 0) out.refuse('no-record');
    else if (records > MAX_RECORDS) out.refuse('too-many-records');
    this.#begun = false;
    if (this.#kind > 0) out.pair(7, this.#kind);
    if (mac === undefined || !out.ok) return 0;
    this.buffer[this.#countAt] = 0x80 | records;
    const message = this.#message;
    const length = message.finish(mac);
    if (length === 0) return 0;
    const view = this.#view;
    const tagAt = message.tagAt;
    const link = this.#linkView;
    // As two integers: copying bytes natively would take a view of its own each time.
    link.setInt32(PREVIOUS_AT, view.getInt32(tagAt));
    link.setInt32(PREVIOUS_AT + 4, view.getInt32(tagAt + 4));
    this.#sequence++;
    return length;
  }

  /** A record whose value is no number: its label with another key at the end. */
  #record(label: Label, valueLabel: number): void {
    this.#records++;
    const out = this.#payload;
    out.whole(label.bytes);
    if (out.ok) this.buffer[out.position - 1] = valueLabel;
  }
}
