/**
 * The reading side of a seal. An envelope is a COSE_Mac0 (`mac0.ts`) whose payload is a reading:
 *
 *   a6..a8               map of 6 to 8 pairs, keys in this order
 *     00 01              version
 *     01 uint            epoch
 *     02 uint            sequence within the epoch
 *     03 uint            milliseconds since boot
 *   ? 04 uint            Unix time in ms
 *     05 48 <8 bytes>    the first 8 bytes of the tag before this one in the epoch; zeros at sequence 0
 *     06 8x <records>    SenML records, at least one
 *   ? 07 01..05          kind
 */
import { fromUtf8 } from './bytes.js';
import { CborReader } from './cbor-reader.js';
import type { Mac } from './digest.js';
import type { SealFault } from './fault.js';
import { MAX_ENVELOPE_BYTES, SHORT_TAG_BYTES, VERSION } from './limits.js';
import { Mac0Reader } from './mac0.js';
import type { SenmlRecord } from './reading.js';
import { Kind, SenmlLabel, validName } from './reading.js';

/**
 * Takes envelopes apart and verifies them. Reusable; allocates nothing. The fields speak of the last `parse`
 * that returned no fault and are for reading only; those that end in `At` and `End` are positions in the bytes
 * that were parsed.
 */
export class EnvelopeReader {
  /** The device: 8 bytes. */
  idAt = 0;
  epoch = 0;
  seq = 0;
  uptimeMs = 0;
  /** -1: the clock was not synchronised. */
  unixMs = -1;
  /** 0: a plain measurement. */
  kind = 0;
  /** The link to the reading before: 8 bytes. */
  prevAt = 0;
  /** The array of records, for `readRecords`. */
  recordsAt = 0;
  recordsEnd = 0;
  /** 32 bytes; the first 8 of them are the tag8 of receipts. */
  tagAt = 0;
  readonly #message: Mac0Reader;
  readonly #reader = new CborReader();

  /** @param maxBytes longer envelopes are refused as `too-large` */
  constructor(maxBytes: number = MAX_ENVELOPE_BYTES) {
    this.#message = new Mac0Reader(maxBytes);
  }

  /** Checks every byte of the envelope `bytes[from, to)` but its tag; returns why it is refused. */
  parse(bytes: Uint8Array, from: number, to: number): SealFault | '' {
    const message = this.#message;
    const fault = message.parse(bytes, from, to);
    if (fault !== '') return fault;
    this.idAt = message.idAt;
    this.tagAt = message.tagAt;
    const reader = this.#reader;
    reader.reset(bytes, message.payloadAt, message.payloadEnd);
    let left = reader.map() - 6;
    reader.key(0);
    // First of all: what another version holds beyond this is not ours to judge.
    if (reader.uint() !== VERSION) reader.refuse('version');
    reader.key(1);
    this.epoch = reader.uint();
    reader.key(2);
    this.seq = reader.uint();
    reader.key(3);
    this.uptimeMs = reader.uint();
    this.unixMs = -1;
    let key = reader.uint();
    if (key === 4) {
      left--;
      this.unixMs = reader.uint();
      key = reader.uint();
    }
    if (key !== 5) reader.refuse('unexpected-key');
    this.prevAt = reader.fixed(SHORT_TAG_BYTES);
    if (reader.ok && this.seq === 0) {
      for (let i = 0; i < SHORT_TAG_BYTES; i++)
        if (bytes[this.prevAt + i] !== 0) reader.refuse('previous-tag');
    }
    reader.key(6);
    this.recordsAt = reader.position;
    const count = reader.array();
    if (count === 0) reader.refuse('no-record');
    for (let i = 0; i < count && reader.ok; i++) checkRecord(reader);
    this.recordsEnd = reader.position;
    this.kind = 0;
    if (left === 1) {
      reader.key(7);
      this.kind = reader.uint();
      if (this.kind < Kind.start || this.kind > Kind.loss) reader.refuse('kind');
    } else if (left !== 0) reader.refuse('unexpected-key');
    reader.finish();
    return reader.fault;
  }

  /** Whether the tag of the envelope that was parsed last is right; in constant time, altering nothing. */
  verify(mac: Mac): boolean {
    return this.#message.verify(mac);
  }
}

/** `{0: name, ? 1: unit, (2: number // 3: text // 4: bool // 8: bytes)}`, which is also the order of the keys. */
function checkRecord(reader: CborReader): void {
  const pairs = reader.map();
  reader.key(SenmlLabel.name);
  if (reader.text() && !validName(reader.bytes, reader.start, reader.stop)) reader.refuse('record');
  let key = reader.uint();
  const hasUnit = key === SenmlLabel.unit;
  if (hasUnit) {
    if (reader.text() && reader.start === reader.stop) reader.refuse('record');
    key = reader.uint();
  }
  if (key === SenmlLabel.value) reader.number();
  else if (key === SenmlLabel.text) reader.text();
  else if (key === SenmlLabel.bool) reader.bool();
  else if (key === SenmlLabel.data) reader.data();
  else reader.refuse('record');
  if (pairs !== (hasUnit ? 3 : 2)) reader.refuse('record');
}

/**
 * The records of an envelope that `EnvelopeReader.parse` has found in order: `bytes[recordsAt, recordsEnd)`.
 * Builds objects: for hosts.
 *
 * @param reader is used again by who reads many
 */
export function readRecords(
  bytes: Uint8Array,
  from: number,
  to: number,
  reader: CborReader = new CborReader(),
): SenmlRecord[] {
  reader.reset(bytes, from, to);
  const records: SenmlRecord[] = [];
  const count = reader.array();
  for (let i = 0; i < count && reader.ok; i++) {
    const record: SenmlRecord = { n: '' };
    const pairs = reader.map();
    for (let k = 0; k < pairs && reader.ok; k++) {
      const key = reader.uint();
      if (key === SenmlLabel.name) record.n = readText(reader);
      else if (key === SenmlLabel.unit) record.u = readText(reader);
      else if (key === SenmlLabel.value) record.v = reader.number();
      else if (key === SenmlLabel.text) record.vs = readText(reader);
      else if (key === SenmlLabel.bool) record.vb = reader.bool();
      else if (reader.data()) record.vd = bytes.slice(reader.start, reader.stop);
    }
    records.push(record);
  }
  return records;
}

function readText(reader: CborReader): string {
  return reader.text() ? (fromUtf8(reader.bytes, reader.start, reader.stop) ?? '') : '';
}
