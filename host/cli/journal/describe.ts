/** What stands in a payload, for people and programs. Journalled bytes passed every gate; shown as they are. */
import { EnvelopeReader } from '../../../firmware/seal/envelope.js';
import { isEnvelope, readSdkPayload } from '../../journal/payload.js';
import { envelopeRecords, type JsonRecord } from '../../subscriber/records.js';

export interface Described {
  /** Unix ms by the device's own clock, while it was synchronised. */
  time?: number;
  records?: JsonRecord[];
  node?: string;
  /** A sovereign-sdk frame as it came in. */
  frame?: string;
}

export class Describer {
  readonly #envelope = new EnvelopeReader();

  describe(bytes: Uint8Array): Described {
    if (isEnvelope(bytes)) {
      const envelope = this.#envelope;
      if (envelope.parse(bytes, 0, bytes.length) !== '') return {};
      const records = envelopeRecords(bytes, envelope.recordsAt, envelope.recordsEnd);
      return envelope.unixMs < 0 ? { records } : { time: envelope.unixMs, records };
    }
    const wrapped = readSdkPayload(bytes);
    return wrapped ? { node: wrapped.node, frame: Buffer.from(wrapped.frame).toString('utf8') } : {};
  }

  /** The same in a few words. */
  text(bytes: Uint8Array): string {
    const { records, frame } = this.describe(bytes);
    if (!records) return frame ?? `${bytes.length} bytes`;
    return records.map(({ n, u, v, vs, vb, vd }) => `${n}=${v ?? vs ?? vb ?? vd}${u ?? ''}`).join(' ');
  }
}
