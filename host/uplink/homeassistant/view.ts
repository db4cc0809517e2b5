/**
 * What a device says now, put together from its readings, for whoever shows the present and not the past. Published on
 * `sovereign/1/<site>/<device>/state`, retained, as JSON:
 *
 *   {"time":"2026-11-21T09:00:00.000Z","epoch":7,"seq":42,"values":{"air/temperature":21.5,"press":true,"air/humidity":null}}
 *
 * `time`, `epoch` and `seq` are those of the newest reading. `values` has the last value of each record; null: there is none
 * now, since its source tells of a fault. The `reading` topic carries every reading when its turn has come, also those of
 * yesterday after an outage; this one is never behind.
 */
import { EnvelopeReader } from '../../../firmware/seal/index.js';
import type { ReadingEntry } from '../../journal/entry.js';
import { isEnvelope, readSdkPayload } from '../../journal/payload.js';
import { envelopeRecords, type JsonRecord, sdkContent } from '../../subscriber/records.js';
import { componentOf, platformOf } from './discovery.js';
import { formOf, type RecordForm, sameForm } from './entities.js';

/** Of a device; what comes beyond is not shown. A device of ours has a dozen. */
export const MAX_RECORDS = 64;
/** Of a name, a unit or a firmware; a name or a unit that is longer is nothing that people would read, and not shown. */
export const MAX_TEXT_CHARS = 256;
/** ECMAScript has no later date. */
const MAX_DATE_MS = 8_640_000_000_000_000;
const FAULT = '/fault';
/** What such a source says about its fault stays. */
const OF_THE_FAULT = /\/(fault|failures|outage)$/;

export interface Content {
  readonly records: JsonRecord[];
  /** -1: the device did not know it. */
  readonly unixMs: number;
}

/** Reads what was verified before it was journalled; undefined for a form that this version does not know. */
export class ContentReader {
  readonly #envelope = new EnvelopeReader();

  read({ bytes }: ReadingEntry): Content | undefined {
    if (!isEnvelope(bytes)) {
      const wrapped = readSdkPayload(bytes);
      return wrapped && sdkContent(wrapped.frame);
    }
    const envelope = this.#envelope;
    if (envelope.parse(bytes, 0, bytes.length) !== '') return undefined;
    const { unixMs, recordsAt, recordsEnd } = envelope;
    return { unixMs, records: envelopeRecords(bytes, recordsAt, recordsEnd) };
  }
}

export class View {
  readonly id: string;
  firmware: string | undefined;
  /** Every record that the device was heard to have, in the order of their coming. */
  readonly forms: Map<string, RecordForm>;
  /** Components that have become others, with their platforms. */
  readonly gone = new Map<string, string>();
  readonly #values = new Map<string, number | string | boolean | null>();
  #newest: { readonly unixMs: number; readonly epoch: number; readonly seq: number } | undefined;

  constructor(id: string, firmware?: string, forms: Iterable<[string, RecordForm]> = []) {
    this.id = id;
    this.firmware = firmware;
    this.forms = new Map(forms);
  }

  /** There is something to be shown. */
  get heard(): boolean {
    return this.#newest !== undefined;
  }

  /** @returns whether the device has to be announced again: a record is new or another one, or the firmware is */
  take({ at, epoch, seq }: ReadingEntry, { records, unixMs }: Content): boolean {
    this.#newest = { unixMs: unixMs < 0 ? at : unixMs, epoch, seq };
    let changed = false;
    for (const record of records) changed = this.#take(record) || changed;
    for (const { n, vs } of records)
      if (vs !== undefined && vs !== 'none' && n.endsWith(FAULT)) this.#failed(n.slice(0, -FAULT.length));
    return changed;
  }

  encode(): Uint8Array {
    const { unixMs, epoch, seq } = this.#newest ?? { unixMs: 0, epoch: 0, seq: 0 };
    const time = new Date(Math.min(unixMs, MAX_DATE_MS)).toISOString();
    return Buffer.from(JSON.stringify({ time, epoch, seq, values: Object.fromEntries(this.#values) }));
  }

  #take(record: JsonRecord): boolean {
    const form = formOf(record);
    if (form === undefined) return false;
    const { n, u = '', v, vs, vb } = record;
    if (n.length > MAX_TEXT_CHARS || u.length > MAX_TEXT_CHARS) return false;
    const known = this.forms.get(n);
    if (known === undefined && this.forms.size >= MAX_RECORDS) return false;
    this.#values.set(n, v ?? vb ?? vs ?? null);
    const firmware = n === 'firmware' ? vs?.slice(0, MAX_TEXT_CHARS) : undefined;
    const renamed = firmware !== undefined && firmware !== this.firmware;
    if (renamed) this.firmware = firmware;
    if (sameForm(known, form)) return renamed;
    this.forms.set(n, form);
    if (known !== undefined && platformOf(known) !== platformOf(form))
      this.gone.set(componentOf(n, known), platformOf(known));
    this.gone.delete(componentOf(n, form));
    return true;
  }

  /** A source that can't be believed has no present value, whatever it said last. */
  #failed(source: string): void {
    for (const name of this.#values.keys())
      if ((name === source || name.startsWith(`${source}/`)) && !OF_THE_FAULT.test(name))
        this.#values.set(name, null);
  }
}
