/** From a journalled reading to what people and plots want of it. It was verified before it was journalled. */
import { EnvelopeReader, Kind } from '../../firmware/seal/index.js';
import type { ReadingEntry } from '../journal/entry.js';
import { isEnvelope, readSdkPayload } from '../journal/payload.js';
import { envelopeRecords, sdkContent } from '../subscriber/records.js';
import type { DecodedReading } from './calls.js';

const KIND_NAMES = new Map(
  Object.entries(Kind).map(([name, value]) => [value as number, name as DecodedReading['kind']]),
);

export class ReadingDecoder {
  readonly #envelope = new EnvelopeReader();

  /** Undefined for bytes of a form that this version does not know. */
  decode(entry: ReadingEntry, name: string | undefined): DecodedReading | undefined {
    const content = isEnvelope(entry.bytes) ? this.#sealed(entry.bytes) : framed(entry.bytes);
    if (content === undefined) return undefined;
    const { offset, at, device, epoch, seq, link } = entry;
    return { offset, at, device, ...(name !== undefined && { name }), epoch, seq, link, ...content };
  }

  #sealed(bytes: Uint8Array): Content | undefined {
    const envelope = this.#envelope;
    if (envelope.parse(bytes, 0, bytes.length) !== '') return undefined;
    const { unixMs, recordsAt, recordsEnd } = envelope;
    const kind = KIND_NAMES.get(envelope.kind);
    return {
      ...(unixMs >= 0 && { time: unixMs }),
      ...(kind !== undefined && { kind }),
      records: envelopeRecords(bytes, recordsAt, recordsEnd),
    };
  }
}

type Content = Pick<DecodedReading, 'time' | 'kind' | 'records'>;

function framed(bytes: Uint8Array): Content | undefined {
  const wrapped = readSdkPayload(bytes);
  if (wrapped === undefined) return undefined;
  const { unixMs, records } = sdkContent(wrapped.frame);
  return { ...(unixMs >= 0 && { time: unixMs }), records };
}
