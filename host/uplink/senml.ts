import { EnvelopeReader } from '../../firmware/seal/index.js';
import { SdkFrameReader } from '../intake/sdk-frame.js';
import { isEnvelope, readSdkPayload } from '../journal/payload.js';
import { envelopeRecords, type JsonRecord, sdkContent } from '../subscriber/records.js';
import { type Instant, TimeMap } from './time-map.js';

/** The part of a journal entry that is published. */
export interface Published {
  readonly device: string;
  /** When the gateway received it, Unix ms. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * Turns journalled readings into SenML JSON (RFC 8428, section 5). The base name is the device id and a colon. The base
 * time is the device's. SenML resolves to seconds; here they have up to three decimals.
 *
 * A reading from before its device knew the time has a base time that was found otherwise, and a field beside it that
 * says how (`time`; RFC 8428, section 4.4, lets readers pass over what they don't know):
 * `"recovered"`: from a later reading of the same epoch; `"received"`: nobody knows better than that it was no later.
 */
export class SenmlEncoder {
  readonly #envelope = new EnvelopeReader();
  readonly #frame = new SdkFrameReader();
  readonly #times: TimeMap;

  constructor(times: TimeMap = new TimeMap()) {
    this.#times = times;
  }

  /** UTF-8, or undefined when there is nothing to say (a sovereign-sdk frame with an empty payload). */
  encode(reading: Published): Uint8Array | undefined {
    const content = this.#content(reading.bytes);
    if (content === undefined || content.records.length === 0) return undefined;
    const [first, ...others] = content.records;
    const bn = `${reading.device}:`;
    const { unixMs, from } = content.unixMs >= 0 ? { ...content, from: undefined } : this.#recover(reading);
    const time = from === undefined ? {} : { time: from };
    return Buffer.from(JSON.stringify([{ bn, bt: unixMs / 1000, ...time, ...first }, ...others]));
  }

  #recover({ device, at, bytes }: Published): Instant {
    if (!isEnvelope(bytes)) return { unixMs: at, from: 'received' };
    const { epoch, uptimeMs } = this.#envelope; // as #content has parsed it
    return this.#times.recover(device, epoch, uptimeMs, at);
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
