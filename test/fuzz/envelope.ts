/** Envelopes: `EnvelopeReader` and `readRecords`, against what plain CBOR makes of the same bytes. */
import {
  type CborValue,
  EnvelopeReader,
  encodeValue,
  MAX_ENVELOPE_BYTES,
  readRecords,
  type SenmlRecord,
  validName,
} from '../../firmware/seal/index.js';
import { alteredBytes } from './alter.js';
import { ensure, made, mutated, same, type Target } from './core.js';
import { CBOR_WORDS, isBytes, isUint, payloadOf, plain, wrapped } from './mac0.js';
import { FREE_MAC, sealed } from './values.js';

type PlainMap = ReadonlyMap<CborValue, CborValue>;

/** The CDDL of a reading, word for word. */
function isReading(value: CborValue): value is PlainMap {
  if (!(value instanceof Map)) return false;
  const map = value as PlainMap;
  for (const key of map.keys()) if (!isUint(key) || key > 7) return false;
  const kind = map.get(7);
  const previous = map.get(5);
  const records = map.get(6);
  return (
    map.get(0) === 1 &&
    [1, 2, 3].every(key => isUint(map.get(key))) &&
    (!map.has(4) || isUint(map.get(4))) &&
    isBytes(previous, 8) &&
    (map.get(2) !== 0 || previous.every(byte => byte === 0)) &&
    Array.isArray(records) &&
    records.length > 0 &&
    records.every(isRecord) &&
    (!map.has(7) || (isUint(kind) && kind >= 1 && kind <= 5))
  );
}

function isRecord(value: CborValue): boolean {
  if (!(value instanceof Map)) return false;
  const map = value as PlainMap;
  const name = map.get(0);
  const unit = map.get(1);
  if (typeof name !== 'string' || (map.has(1) && (typeof unit !== 'string' || unit === ''))) return false;
  const bytes = new TextEncoder().encode(name);
  if (!validName(bytes, 0, bytes.length) || map.size !== (map.has(1) ? 3 : 2)) return false;
  return (
    typeof map.get(2) === 'number' ||
    typeof map.get(3) === 'string' ||
    typeof map.get(4) === 'boolean' ||
    isBytes(map.get(8))
  );
}

function plainRecord(record: SenmlRecord): CborValue {
  const pairs: [CborValue, CborValue | undefined][] = [
    [0, record.n],
    [1, record.u],
    [2, record.v],
    [3, record.vs],
    [4, record.vb],
    [8, record.vd],
  ];
  return new Map(pairs.filter((pair): pair is [CborValue, CborValue] => pair[1] !== undefined));
}

const reader = new EnvelopeReader();

function judge(bytes: Uint8Array, from: number, to: number): boolean {
  const fault = reader.parse(bytes, from, to);
  const envelope = bytes.slice(from, to);
  const second = plain(envelope, MAX_ENVELOPE_BYTES);
  const expected = second !== undefined && isReading(second.payload);
  ensure(
    (fault === '') === expected,
    `the reader says "${fault}", plain CBOR ${expected}: ${Buffer.from(envelope).toString('hex')}`,
  );
  if (fault !== '' || second === undefined) return false;
  const map = second.payload as PlainMap;
  const { epoch, seq, uptimeMs, unixMs, kind, idAt, prevAt, tagAt, recordsAt, recordsEnd } = reader;
  const got = [epoch, seq, uptimeMs, unixMs, kind];
  const want = [map.get(1), map.get(2), map.get(3), map.get(4) ?? -1, map.get(7) ?? 0];
  ensure(got.join() === want.join(), `the reader says ${got}, plain CBOR ${want}`);
  ensure(same(bytes.subarray(idAt, idAt + 8), second.id), 'another id');
  ensure(same(bytes.subarray(tagAt, tagAt + 32), second.tag), 'another tag');
  ensure(same(bytes.subarray(prevAt, prevAt + 8), map.get(5) as Uint8Array), 'another previous tag');
  const records = encodeValue(readRecords(bytes, recordsAt, recordsEnd).map(plainRecord));
  ensure(same(bytes.subarray(recordsAt, recordsEnd), records), 'the records are not what was read');
  ensure(bytes.length === to + 3 ? bytes.at(-1) === 0xa5 : true, 'bytes around it were changed');
  const own = wrapped(second.id, payloadOf(envelope));
  ensure(own !== undefined && reader.verify(FREE_MAC) === same(own, envelope), 'verify is wrong');
  return true;
}

const whole = mutated('any bytes are refused, or are an envelope that encodes to them', {
  pool: dice => Array.from({ length: 40 }, () => sealed(dice, 4).map(one => one.bytes)).flat(),
  words: CBOR_WORDS,
  maxBytes: 5000,
  check(bytes, dice) {
    if (!dice.oneIn(4)) return judge(bytes, 0, bytes.length);
    const around = new Uint8Array(bytes.length + 5).fill(0xa5);
    around.set(bytes, 2);
    return judge(around, 2, 2 + bytes.length);
  },
});

const payloads = mutated('any payload in a sound COSE_Mac0', {
  pool: dice => Array.from({ length: 40 }, () => sealed(dice, 4).map(one => payloadOf(one.bytes))).flat(),
  words: CBOR_WORDS,
  mixed: true,
  check(payload, dice) {
    const bytes = wrapped(new Uint8Array(8).fill(3), alteredBytes(payload, dice));
    return bytes !== undefined && judge(bytes, 0, bytes.length);
  },
});

const inverse = made('what is sealed is read, and verifies', dice => {
  for (const { bytes, ...put } of sealed(dice, 3)) {
    ensure(reader.parse(bytes, 0, bytes.length) === '', 'refused');
    const { epoch, seq, uptimeMs, unixMs, kind } = reader;
    const want = [put.epoch, put.seq, put.uptimeMs, put.unixMs, put.kind];
    ensure([epoch, seq, uptimeMs, unixMs, kind].join() === want.join(), 'another reading');
    ensure(readRecords(bytes, reader.recordsAt, reader.recordsEnd).length === put.records, 'other records');
    ensure(reader.verify(FREE_MAC), 'does not verify');
    const at = dice.below(bytes.length);
    bytes[at] ^= 1 << dice.below(8);
    if (at >= bytes.length - 32) ensure(reader.verify(FREE_MAC) === false, 'a changed tag verifies');
  }
});

export const envelope: Target = { name: 'envelope', properties: [whole, payloads, inverse] };
