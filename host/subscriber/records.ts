/**
 * What a reading says, as JSON: records with the names that SenML has (RFC 8428, section 4), for people, programs
 * and the `reading` topic. Only of readings that have been verified, or of bytes that are not trusted anyway.
 */
import { type CborReader, readRecords, type SenmlRecord } from '../../firmware/seal/index.js';
import type { JsonRecord } from './json-record.js';

export type { JsonRecord };

/**
 * The records of an envelope whose `bytes[from, to)` `EnvelopeReader.parse` has found in order.
 * @param reader is used again by who reads many
 */
export function envelopeRecords(
  bytes: Uint8Array,
  from: number,
  to: number,
  reader?: CborReader,
): JsonRecord[] {
  return readRecords(bytes, from, to, reader).map(jsonRecord);
}

/** Most records are JSON as they are: copying them would cost as much as reading them. */
function jsonRecord(record: SenmlRecord): JsonRecord {
  const { vd } = record;
  const text: Omit<SenmlRecord, 'vd'> = record;
  return vd === undefined ? text : { ...text, vd: Buffer.from(vd).toString('base64url') };
}

/** What the `d` and `t` of a sovereign-sdk frame say. */
export interface SdkContent {
  records: JsonRecord[];
  /** -1 when `t` is no RFC 3339 time. */
  unixMs: number;
}

const MAX_SDK_RECORDS = 64;
const MAX_NAME_CHARS = 64;
/** SenML's names for what people write (RFC 8428, section 12.1); `C` alone would be coulomb. */
const UNITS: Readonly<Record<string, string>> = {
  C: 'Cel',
  '°C': 'Cel',
  celsius: 'Cel',
  '%': '%',
  '%rh': '%RH',
  Ω: 'Ohm',
  ohm: 'Ohm',
  ppm: 'ppm',
  mA: 'mA',
};
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/**
 * Reads a frame that `SdkFrameReader.parse` has found in order. `{"sensor": s, "value": x, "unit": u}`, the form of
 * the sender's own examples, is one record named `s`; every other number, boolean or text of `d` is a record
 * under its key, inner objects with `.` between the keys, arrays with the index. Null has no record.
 */
export function sdkContent(frame: Uint8Array): SdkContent {
  const { d, t } = JSON.parse(Buffer.from(frame).toString('utf8')) as {
    d: Record<string, unknown>;
    t: string;
  };
  const records: JsonRecord[] = [];
  const { sensor, value, unit, ...rest } = d;
  const record = typeof sensor === 'string' && senmlName(sensor) !== '' && scalar(senmlName(sensor), value);
  if (record) {
    if (typeof unit === 'string' && unit !== '') record.u = UNITS[unit] ?? unit.slice(0, MAX_NAME_CHARS);
    records.push(record);
    flatten(rest, '', records);
    if (unit !== undefined && typeof unit !== 'string') flatten({ unit }, '', records);
  } else flatten(d, '', records);
  return { records, unixMs: RFC_3339.test(t) && !Number.isNaN(Date.parse(t)) ? Date.parse(t) : -1 };
}

function flatten(value: unknown, name: string, records: JsonRecord[]): void {
  if (records.length >= MAX_SDK_RECORDS) return;
  if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value))
      flatten(inner, name === '' ? key : `${name}.${key}`, records);
    return;
  }
  const record = scalar(senmlName(name), value);
  if (record) records.push(record);
}

function scalar(n: string, value: unknown): JsonRecord | undefined {
  if (typeof value === 'number' && Number.isFinite(value)) return { n, v: value };
  if (typeof value === 'boolean') return { n, vb: value };
  if (typeof value === 'string') return { n, vs: value };
  return undefined;
}

/** A name that SenML allows (RFC 8428, section 4.5.1): what it does not allow becomes `_`. */
function senmlName(text: string): string {
  const name = text.slice(0, MAX_NAME_CHARS).replace(/[^A-Za-z0-9\-:./_]/g, '_');
  return name === '' || /^[A-Za-z0-9]/.test(name) ? name : `x${name}`;
}
