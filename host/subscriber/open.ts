/**
 * From bytes to a verified reading, or to the reason why they are none. What they claim about themselves (the
 * topic they came on included) counts for nothing before the MAC is right.
 */

import type { Digest } from '../../firmware/seal/index.js';
import {
  CborReader,
  EnvelopeReader,
  equalBytes,
  Kind,
  type Mac,
  type SealFault,
} from '../../firmware/seal/index.js';
import { hexOf, IdTexts } from '../hex.js';
import { type SdkFault, SdkFrameReader } from '../intake/sdk-frame.js';
import { encodeSdkPayload, isEnvelope, readSdkPayload, sdkDevice } from '../journal/payload.js';
import { type DerivationBudget, unlimited } from '../keyring/budget.js';
import { KeyCache, type NoKey } from '../keyring/chains.js';
import type { KeyringEntry, KeyringView } from '../keyring/entry.js';
import { envelopeRecords, type JsonRecord, sdkContent } from './records.js';

/** A reading whose MAC is right. */
export interface OpenedReading {
  readonly ok: true;
  /** 16 hex digits. */
  readonly device: string;
  /** Its name in the keyring. */
  readonly name: string;
  readonly epoch: number;
  readonly seq: number;
  /** First 8 bytes of the tag, 16 hex digits. */
  readonly tag8: string;
  /** The tag8 of the reading before it in the epoch; '' for sovereign-sdk frames, which are not linked. */
  readonly prev8: string;
  /** One of `Kind`, 0 for a plain measurement. */
  readonly kind: number;
  /** -1: the device did not know the time. */
  readonly unixMs: number;
  /** A sovereign-sdk frame: its epoch is the gateway's word, its sequence begins at 1. */
  readonly sdk: boolean;
  readonly records: readonly JsonRecord[];
}

export type OpenFault =
  | SealFault
  | `sdk-${Exclude<SdkFault, ''>}`
  | NoKey
  | 'unknown-device'
  | 'mac'
  | 'sdk-form';

/** Bytes that are no verified reading. */
export interface Refused {
  readonly ok: false;
  readonly reason: OpenFault;
  /** What they claim, for reports: not verified. */
  readonly device?: string;
  readonly epoch?: number;
  readonly seq?: number;
}

/** A million epochs from the keyring's base: some seconds, once. */
const MAX_CALLS = 16;

/** Verifies readings with a keyring. Keeps derived keys. */
export class Opener {
  readonly #keyring: KeyringView;
  readonly #digest: Digest;
  readonly #budget: DerivationBudget;
  readonly #cache: KeyCache;
  readonly #envelope = new EnvelopeReader();
  readonly #records = new CborReader();
  readonly #ids = new IdTexts();
  readonly #frame = new SdkFrameReader();
  readonly #sdkKeys = new Map<string, { entry: KeyringEntry; mac: Mac }>();

  /** @param budget what derivations of keys may cost; none: whoever verifies his own files waits for nobody else */
  constructor(keyring: KeyringView, digest: Digest, budget: DerivationBudget = unlimited) {
    this.#keyring = keyring;
    this.#digest = digest;
    this.#budget = budget;
    this.#cache = new KeyCache(digest);
  }

  /** A reading of this epoch was taken, now or in an earlier run: later epochs are looked for from there. */
  accepted(device: string, epoch: number): void {
    this.#cache.accepted(device, epoch);
  }

  open(bytes: Uint8Array): OpenedReading | Refused {
    return isEnvelope(bytes) || bytes[1] !== 0x01 ? this.#openEnvelope(bytes) : this.#openFrame(bytes);
  }

  #openEnvelope(bytes: Uint8Array): OpenedReading | Refused {
    const envelope = this.#envelope;
    const fault = envelope.parse(bytes, 0, bytes.length);
    if (fault !== '') return { ok: false, reason: fault };
    const { epoch, seq, idAt, tagAt } = envelope;
    const device = this.#ids.of(bytes, idAt);
    const entry = this.#keyring.get(device);
    if (entry === undefined || entry.chain.length === 0)
      return { ok: false, reason: 'unknown-device', device, epoch, seq };
    let mac = this.#cache.seal(entry, epoch, this.#budget);
    // With no limit of ours, it only means that the way from the keyring's base is long: each call goes on.
    for (let calls = 1; mac === 'budget' && this.#budget === unlimited && calls < MAX_CALLS; calls++) {
      mac = this.#cache.seal(entry, epoch, this.#budget);
    }
    if (typeof mac === 'string') return { ok: false, reason: mac, device, epoch, seq };
    if (!envelope.verify(mac)) return { ok: false, reason: 'mac', device, epoch, seq };
    this.#cache.verified(device, epoch);
    return {
      ok: true,
      device,
      name: entry.name,
      epoch,
      seq,
      tag8: hexOf(bytes, tagAt, tagAt + 8),
      prev8: hexOf(bytes, envelope.prevAt, envelope.prevAt + 8),
      kind: envelope.kind,
      unixMs: envelope.unixMs,
      sdk: false,
      records: envelopeRecords(bytes, envelope.recordsAt, envelope.recordsEnd, this.#records),
    };
  }

  #openFrame(bytes: Uint8Array): OpenedReading | Refused {
    const wrapped = readSdkPayload(bytes);
    if (wrapped === undefined) return { ok: false, reason: 'sdk-form' };
    const { node, epoch, frame } = wrapped;
    const parsed = this.#frame.parse(frame, 0, frame.length);
    if (parsed !== '') return { ok: false, reason: `sdk-${parsed}` };
    // One reading has one encoding, or its SHA-256 would mean nothing.
    const again = encodeSdkPayload(node, epoch, frame);
    const canonical = again.length === bytes.length && equalBytes(again, 0, bytes, 0, again.length);
    if (node !== this.#frame.node || !canonical) return { ok: false, reason: 'sdk-form' };
    const device = sdkDevice(node);
    const seq = this.#frame.sequence;
    const entry = this.#keyring.byNode(node);
    if (entry?.sdk === undefined) return { ok: false, reason: 'unknown-device', device, epoch, seq };
    if (!this.#frame.verify(this.#sdkKey(entry, entry.sdk.key))) {
      return { ok: false, reason: 'mac', device, epoch, seq };
    }
    const { records, unixMs } = sdkContent(frame);
    const tag8 = hexOf(this.#frame.tag, 0, 8);
    const { name } = entry;
    return { ok: true, device, name, epoch, seq, tag8, prev8: '', kind: 0, unixMs, sdk: true, records };
  }

  #sdkKey(entry: KeyringEntry, key: Uint8Array): Mac {
    const kept = this.#sdkKeys.get(entry.id);
    if (kept?.entry === entry) return kept.mac;
    const mac = this.#digest.hmac(key);
    this.#sdkKeys.set(entry.id, { entry, mac });
    return mac;
  }
}

/** Whether the device's epoch ends with this reading. */
export function endsEpoch(reading: OpenedReading): boolean {
  return reading.kind === Kind.final;
}
