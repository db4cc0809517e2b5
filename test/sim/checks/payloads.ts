/** What messages on the topics of readings claim to be: one reading, or a batch of them. Not verified. */
import { EnvelopeReader, toHex } from '../../../firmware/seal/index.js';
import { isEnvelope, readSdkPayload, sdkDevice } from '../../../host/journal/payload.js';
import { payloadsOf } from '../../../host/journal/payload-sequence.js';
import { parseTopic } from '../../../host/uplink/topics.js';
import { place } from './places.js';

export interface Claim {
  readonly device: string;
  /** See places.ts. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const SDK_SEQUENCE = /"q":(\d+)/;
const NONE: readonly (Claim | undefined)[] = [];

export class Payloads {
  readonly #envelope = new EnvelopeReader();
  /** Payloads are the journal's own arrays, and come again and again. */
  readonly #known = new WeakMap<Uint8Array, readonly (Claim | undefined)[]>();

  /** Undefined for what is no reading; empty on other topics. */
  of(topic: string, payload: Uint8Array): readonly (Claim | undefined)[] {
    if (!topic.includes('/sealed') && !topic.includes('/batch/')) return NONE;
    const known = this.#known.get(payload);
    if (known !== undefined) return known;
    const kind = parseTopic(topic)?.kind;
    if (kind !== 'sealed' && kind !== 'batch') return NONE;
    const items = kind === 'batch' ? [...payloadsOf(payload)] : [payload];
    const claims = items.map(item => (typeof item === 'string' ? undefined : this.#read(item)));
    this.#known.set(payload, claims);
    return claims;
  }

  #read(bytes: Uint8Array): Claim | undefined {
    const envelope = this.#envelope;
    if (isEnvelope(bytes)) {
      if (envelope.parse(bytes, 0, bytes.length) !== '') return undefined;
      const device = toHex(bytes, envelope.idAt, envelope.idAt + 8);
      return { device, at: place(envelope.epoch, envelope.seq), bytes };
    }
    const wrapped = readSdkPayload(bytes);
    const sequence = wrapped && SDK_SEQUENCE.exec(Buffer.from(wrapped.frame).toString('latin1'));
    if (wrapped === undefined || !sequence) return undefined;
    return { device: sdkDevice(wrapped.node), at: place(wrapped.epoch, Number(sequence[1])), bytes };
  }
}
