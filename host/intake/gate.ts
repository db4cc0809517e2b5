/**
 * What a frame must pass before anybody believes a word of it, cheapest test first:
 *
 *   form and version → known device → epoch within the window, derivations within the budget → MAC
 *
 * A failure is a value; the caller counts it and gives the bytes to the quarantine.
 */
import { EnvelopeReader, ID_BYTES, type Mac, MessageReader, toHex } from '../../firmware/seal/index.js';
import type { DerivationBudget } from '../keyring/budget.js';
import type { KeyCache, NoKey } from '../keyring/chains.js';
import type { KeyringEntry, KeyringView } from '../keyring/entry.js';

export type GateReason =
  /** Not the form that the format prescribes; the detail names the fault. */
  | 'malformed'
  | 'version'
  | 'unknown-device'
  /** Before the keyring's base. */
  | 'epoch-too-old'
  /** Further past the last accepted epoch than a device can be. */
  | 'epoch-too-far'
  /** Too many derivations asked for on this link, or on all; the sender may come again. */
  | 'budget'
  | 'mac'
  /** A session message that answers no challenge of this link. */
  | 'nonce'
  /** A frame that is none of the device's side. */
  | 'frame-type'
  /** A sovereign-sdk counter that fell back without leave. */
  | 'sequence-reset';

const NO_KEY: Record<NoKey, GateReason> = {
  'too-old': 'epoch-too-old',
  'too-far': 'epoch-too-far',
  budget: 'budget',
};

/** The device that a link spoke for last, so that its readings need no look-up of names and keys. */
export interface Familiar {
  readonly idBytes: Uint8Array;
  entry: KeyringEntry;
  sealEpoch: number;
  sealMac: Mac | undefined;
}

export class Gate {
  readonly envelope = new EnvelopeReader();
  readonly message = new MessageReader();
  /** Of the last frame that came so far: the device that it names. */
  entry: KeyringEntry | undefined;
  /** What exactly was malformed. */
  detail = '';
  readonly #keyring: KeyringView;
  readonly #keys: KeyCache;

  constructor(keyring: KeyringView, keys: KeyCache) {
    this.#keyring = keyring;
    this.#keys = keys;
  }

  /** Judges the reading `bytes[from, to)`; '' when it is authentic: then `envelope` and `entry` speak of it. */
  reading(
    bytes: Uint8Array,
    from: number,
    to: number,
    familiar: Familiar | undefined,
    budget: DerivationBudget,
  ): GateReason | '' {
    const envelope = this.envelope;
    this.entry = undefined;
    const fault = envelope.parse(bytes, from, to);
    if (fault !== '') return this.#malformed(fault);
    const known = familiar !== undefined && sameId(familiar.idBytes, bytes, envelope.idAt);
    const entry = this.#lookUp(bytes, envelope.idAt, known ? familiar.entry.id : undefined);
    if (entry === undefined) return 'unknown-device';
    if (known && familiar.sealEpoch === envelope.epoch && familiar.entry === entry)
      return envelope.verify(familiar.sealMac!) ? '' : 'mac';
    const mac = this.#keys.seal(entry, envelope.epoch, budget);
    if (typeof mac === 'string') return NO_KEY[mac];
    if (!envelope.verify(mac)) return 'mac';
    this.#keys.verified(entry.id, envelope.epoch);
    if (known) {
      familiar.entry = entry;
      familiar.sealEpoch = envelope.epoch;
      familiar.sealMac = mac;
    }
    return '';
  }

  /** Only the form of a session message; `message` speaks of it. */
  upForm(bytes: Uint8Array, from: number, to: number): GateReason | '' {
    this.entry = undefined;
    const fault = this.message.parseUp(bytes, from, to);
    return fault === '' ? '' : this.#malformed(fault);
  }

  /** Judges the rest of the session message whose form was judged last. */
  up(budget: DerivationBudget): GateReason | '' {
    const message = this.message;
    const entry = this.#lookUp(message.bytes, message.idAt, undefined);
    if (entry === undefined) return 'unknown-device';
    const mac = this.#keys.up(entry, message.epoch, budget);
    if (typeof mac === 'string') return NO_KEY[mac];
    if (!message.verify(mac)) return 'mac';
    this.#keys.verified(entry.id, message.epoch);
    return '';
  }

  #lookUp(bytes: Uint8Array, idAt: number, id: string | undefined): KeyringEntry | undefined {
    const entry = this.#keyring.get(id ?? toHex(bytes, idAt, idAt + ID_BYTES));
    // A sovereign-sdk node has no chain: nobody can seal in its name.
    this.entry = entry === undefined || entry.sdk !== undefined ? undefined : entry;
    return this.entry;
  }

  #malformed(fault: string): GateReason {
    this.detail = fault;
    return fault === 'version' ? 'version' : 'malformed';
  }
}

export function sameId(id: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < ID_BYTES; i++) if (id[i] !== bytes[at + i]) return false;
  return true;
}
