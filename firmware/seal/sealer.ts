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
/** `05 48`: key 5, bytes, 8. */
const PREVIOUS_HEAD = 0x0500 | 0x40 | SHORT_TAG_BYTES;
/** `06 80`: key 6, an array; its items are counted when they are known. */
const RECORDS_HEAD = 0x0680;
/** Room for whatever a reading has before its records, so that it needs no check. */
const MIN_ENVELOPE_BYTES = 128;

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
 *
 * What is the same for all readings of an epoch stays in the buffer from one to the next, and what stands before the
 * records is written without a call for each item: on a board both are a good part of what a seal costs.
 */
export class Sealer implements RecordWriter {
  /** The envelope is `buffer[start, start + length)` from `seal` until the next `begin`. */
  readonly buffer: Uint8Array;
  readonly #message: Mac0Writer;
  readonly #payload: CborWriter;
  readonly #chain: KeyChain;
  readonly #digest: Digest;
  readonly #view: DataView;
  /** Where the opening begins, and where it ends. */
  readonly #openingAt: number;
  #sequenceAt = 0;
  /** The first 8 bytes of the previous tag, as two integers: copying bytes natively would take a view of its own. */
  #previousHigh = 0;
  #previousLow = 0;
  #mac: Mac | undefined;
  #epoch = 0;
  #sequence = 0;
  #kind = 0;
  #records = 0;
  #countAt = 0;
  #begun = false;

  /**
   * @param id 8 bytes
   * @param maxBytes the longest envelope that fits, 128 to 4,074
   */
  constructor(digest: Digest, id: Uint8Array, maxBytes: number = DEFAULT_ENVELOPE_BYTES) {
    if (id.length !== ID_BYTES) throw new RangeError(`a device id has ${ID_BYTES} bytes, not ${id.length}`);
    if (!(maxBytes >= MIN_ENVELOPE_BYTES)) {
      throw new RangeError(`maxBytes must be ${MIN_ENVELOPE_BYTES} or more, not ${maxBytes}`);
    }
    this.#digest = digest;
    this.#chain = new KeyChain(digest);
    this.#message = new Mac0Writer(maxBytes);
    this.#message.identify(id);
    this.#payload = this.#message.payload;
    this.buffer = this.#message.buffer;
    this.#view = new DataView(this.buffer.buffer);
    this.#message.begin();
    this.#openingAt = this.#payload.position;
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
    const opening = openingOf(epoch);
    this.buffer.set(opening, this.#openingAt);
    this.#sequenceAt = this.#openingAt + opening.length;
    this.#previousHigh = 0;
    this.#previousLow = 0;
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
    const buffer = this.buffer;
    const view = this.#view;
    let at = this.#sequenceAt;
    buffer[this.#openingAt] = (unixMs >= 0 ? 0xa7 : 0xa6) + (kind > 0 ? 1 : 0);
    // The sizes that a board has most of its time are written here, others by the writer.
    const sequence = this.#sequence;
    if (sequence > 0xff && sequence < 0x10000) {
      buffer[at] = 0x19;
      view.setUint16(at + 1, sequence);
      at += 3;
    } else at = this.#uint(at, sequence);
    buffer[at] = 3;
    if (uptimeMs >>> 0 === uptimeMs && uptimeMs > 0xffff) {
      buffer[at + 1] = 0x1a;
      view.setUint32(at + 2, uptimeMs);
      at += 6;
    } else at = this.#uint(at + 1, uptimeMs);
    if (unixMs >= 0) {
      buffer[at] = 4;
      if (unixMs > 0xffffffff && unixMs <= MAX_SAFE && Math.floor(unixMs) === unixMs) {
        buffer[at + 1] = 0x1b;
        view.setUint32(at + 2, unixMs / 0x100000000);
        view.setUint32(at + 6, unixMs); // takes the lower 32 bits
        at += 10;
      } else at = this.#uint(at + 1, unixMs);
    }
    view.setUint16(at, PREVIOUS_HEAD);
    view.setInt32(at + 2, this.#previousHigh);
    view.setInt32(at + 6, this.#previousLow);
    view.setUint16(at + 10, RECORDS_HEAD);
    at += LINK_BYTES;
    out.position = at;
    this.#countAt = at - 1;
    return this;
  }

  number(label: Label, value: number): void {
    this.#records++;
    const out = this.#payload;
    out.whole(label.bytes);
    out.number(value);
  }

  bool(label: Label, value: boolean): void {
    this.#records++;
    const out = this.#payload;
    out.whole(label.bytes);
    if (out.ok) this.buffer[out.position - 1] = SenmlLabel.bool;
    out.bool(value);
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
    if (records === 0 || records > MAX_RECORDS || !this.#begun || mac === undefined) this.#refuse();
    this.#begun = false;
    if (this.#kind > 0) out.pair(7, this.#kind);
    if (mac === undefined || !out.ok) return 0;
    this.buffer[this.#countAt] = 0x80 | records;
    const message = this.#message;
    const length = message.finish(mac);
    if (length === 0) return 0;
    const view = this.#view;
    const tagAt = message.tagAt;
    this.#previousHigh = view.getInt32(tagAt);
    this.#previousLow = view.getInt32(tagAt + 4);
    this.#sequence++;
    return length;
  }

  #refuse(): void {
    const out = this.#payload;
    if (this.#mac === undefined) out.refuse('no-epoch');
    else if (!this.#begun) out.refuse('not-begun');
    else out.refuse(this.#records === 0 ? 'no-record' : 'too-many-records');
  }

  /** An unsigned integer in the fewest bytes; returns where it ends. What is none is refused. */
  #uint(at: number, value: number): number {
    const out = this.#payload;
    out.position = at;
    out.uint(value);
    return out.position;
  }

  /** A record whose value is no number: its label with another key at the end. */
  #record(label: Label, valueLabel: number): void {
    this.#records++;
    const out = this.#payload;
    out.whole(label.bytes);
    if (out.ok) this.buffer[out.position - 1] = valueLabel;
  }
}
