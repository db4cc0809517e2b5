import { EnvelopeReader } from '../../firmware/seal/index.js';
import { SdkFrameReader } from '../intake/sdk-frame.js';
import { isEnvelope, readSdkPayload } from '../journal/payload.js';
import { envelopeRecords, type JsonRecord, sdkContent } from '../subscriber/records.js';

/** The part of a journal entry that is published. */
export interface Published {
  readonly device: string;
  /** When the gateway received it, Unix ms. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Turns journalled readings into SenML JSON (RFC 8428, section 5). The base name is the device id and a colon. The base
 * time is the device's, or the gateway's time of receipt while the device does not know the time. SenML resolves
 * to seconds; here they have up to three decimals.
 */
export class SenmlEncoder {
  readonly #envelope = new EnvelopeReader();
  readonly #frame = new SdkFrameReader();

  /** UTF-8, or undefined when there is nothing to say (a sovereign-sdk frame with an empty payload). */
  encode(reading: Published): Uint8Array | undefined {
    const content = this.#content(reading.bytes);
    if (content === undefined || content.records.length === 0) return undefined;
    const [first, ...others] = content.records;
    const bt = (content.unixMs >= 0 ? content.unixMs : reading.at) / 1000;
    return Buffer.from(JSON.stringify([{ bn: `${reading.device}:`, bt, ...first }, ...others]));
  }

  #content(bytes: Uint8Array): { records: JsonRecord[]; unixMs: number } | undefined {
    if (isEnvelope(bytes)) {
      const envelope = this.#envelope;
      if (envelope.parse(bytes, 0, bytes.length) !== '') return undefined;
      const records = envelopeRecords(bytes, envelope.recordsAt, envelope.recordsEnd);
      return { records, unixMs: envelope.unixMs };
    }
    const wrapped = readSdkPayload(bytes);
    if (wrapped === undefined || this.#frame.parse(wrapped.frame, 0, wrapped.frame.length) !== '')
      return undefined;
    return sdkContent(wrapped.frame);
  }
}
