/**
 * The board's side of provisioning (`seal/provisioning.ts` has the messages). It listens on the cable alone, never
 * on a network.
 *
 * A board that was ever provisioned takes no keys again, whatever comes down the cable, and also when it has lost
 * what it had: it says its state and nothing more. The one way back is deliberate: the button held while it starts.
 * Even then the old identity stays until new keys have come; pressing the button by mistake costs nothing.
 */
import type { Wire } from './ports.js';
import {
  type BoardState,
  type Digest,
  decodeProvision,
  encodeBoard,
  encodeProvisioned,
  FrameDecoder,
  FrameEncoder,
  keyCheck,
  MAX_PROVISIONING_BYTES,
  type Provision,
  type Provisioned,
  ProvisioningType,
} from './seal/index.js';
import type { KeyState, KeyStore } from './store/key-store.js';
import type { SettingsStore } from './store/settings.js';

/** COBS, type, checksum and delimiter around the largest message. */
const MAX_FRAME_BYTES = MAX_PROVISIONING_BYTES + 16;

export interface ProvisioningPorts {
  readonly digest: Digest;
  /** Back over the cable. */
  readonly wire: Wire;
  readonly keys: KeyStore;
  readonly settings: SettingsStore;
  /** Erases what belongs to the identity that goes, such as its backlog. @returns '' or what failed */
  readonly forget?: () => string;
}

export interface ProvisioningFacts {
  /** The folder under boards/ that the firmware was made from. */
  readonly board: string;
  readonly firmware: string;
  /** The button was held while the board started. */
  readonly button: boolean;
}

export class Provisioning {
  readonly #ports: ProvisioningPorts;
  readonly #facts: ProvisioningFacts;
  readonly #decoder: FrameDecoder;
  readonly #encoder = new FrameEncoder(256);
  #state: KeyState;
  #done = false;
  #taken: Uint8Array | undefined;

  constructor(ports: ProvisioningPorts, facts: ProvisioningFacts) {
    this.#ports = ports;
    this.#facts = facts;
    this.#state = ports.keys.load();
    this.#decoder = new FrameDecoder(
      (type, buffer, from, to) => this.frame(type, buffer, from, to),
      MAX_FRAME_BYTES,
    );
  }

  get state(): BoardState {
    if (this.#state === 'unprovisioned') return 'unprovisioned';
    return this.#state === 'ready' ? 'provisioned' : 'fault';
  }

  /** Whether keys are taken now. The board does nothing else then: it has no identity, or is to get another. */
  get open(): boolean {
    return !this.#done && (this.#facts.button || this.#state === 'unprovisioned');
  }

  /** The board has got its keys, and starts anew. It goes on answering until it does. */
  get done(): boolean {
    return this.#done;
  }

  /** Takes what came over the cable. */
  receive(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    this.#decoder.push(bytes, from, to);
  }

  /** Takes one frame; those of other types are not meant for it. */
  frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (type === ProvisioningType.who) {
      if (from === to) this.#sayBoard();
    } else if (type === ProvisioningType.provision) this.#provision(buffer, from, to);
  }

  #sayBoard(): void {
    const { board, firmware } = this.#facts;
    const { id } = this.#ports.keys.identity;
    const known = this.#state === 'ready' || this.#state === 'slots-lost';
    const { state, open } = this;
    this.#send(
      ProvisioningType.board,
      encodeBoard({ board: cut(board), firmware: cut(firmware), state, open, ...(known && { id }) }),
    );
  }

  #provision(buffer: Uint8Array, from: number, to: number): void {
    const provision = decodeProvision(buffer, from, to);
    if (typeof provision === 'string') this.#refuse(provision);
    else {
      // Said twice because the answer was lost: the same answer, whatever the button.
      const check = keyCheck(this.#ports.digest, provision.id, provision.chain, provision.down);
      if (this.#done && same(this.#taken, check)) this.#answer({ ok: true, id: provision.id, check });
      else if (!this.open) this.#refuse(this.#done ? 'keys were taken already' : `${this.state} already`);
      else this.#take(provision);
      provision.chain.fill(0);
      provision.down.fill(0);
    }
    buffer.fill(0, from, to); // keys and passwords don't stay in the decoder
  }

  #take(provision: Provision): void {
    const fault = this.#store(provision);
    this.#state = this.#ports.keys.load();
    if (fault !== '') {
      this.#refuse(fault);
      return;
    }
    const { digest, keys } = this.#ports;
    const check = keyCheck(digest, keys.identity.id, keys.slots.chain, keys.identity.down);
    this.#taken = check;
    this.#done = true;
    this.#answer({ ok: true, id: keys.identity.id, check });
  }

  /**
   * Settings first: without keys they do nothing, and the identity's mark, which the key store writes last, then
   * promises both. A cut anywhere before it leaves a board that takes keys; after it, one that has all.
   */
  #store(provision: Provision): string {
    const { keys, settings, forget } = this.#ports;
    if (this.#state !== 'unprovisioned') {
      // The button's doing. What the old identity had goes before the identity itself, so that a cut in between
      // leaves no board with new keys and old readings.
      const forgotten = forget?.() ?? '';
      if (forgotten !== '') return forgotten;
      if (!keys.identity.erase()) return 'flash erase failed';
    }
    const saved = settings.save(provision.settings);
    if (saved !== '') return saved;
    const fault = keys.provision(provision.id, provision.down, 0, provision.chain);
    if (fault !== '') return fault;
    return keys.load() === 'ready' ? '' : 'keys unreadable after writing';
  }

  #refuse(reason: string): void {
    this.#answer({ ok: false, reason });
  }

  #answer(answer: Provisioned): void {
    this.#send(ProvisioningType.provisioned, encodeProvisioned(answer));
  }

  /** An answer that finds no room is lost: the host asks again. */
  #send(type: number, body: Uint8Array): void {
    const length = this.#encoder.encode(type, body);
    if (length > 0) this.#ports.wire.send(this.#encoder.buffer, 0, length);
  }
}

/** Leaves room for the rest of the message. */
const cut = (text: string) => text.slice(0, 64);

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  if (a === undefined) return false;
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
