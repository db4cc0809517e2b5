/**
 * The other end of a link, for driving the gateway: seals with the real seal, but does only what a test tells
 * it to, also what no honest device would.
 */
import {
  type Digest,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  type Hello,
  KeyChain,
  label,
  type Mac,
  MessageReader,
  MessageWriter,
  Sealer,
  toHex,
} from '../../firmware/seal/index.js';
import type { KeyringEntry } from '../../host/keyring/entry.js';

const VALUE = label('temperature', 'Cel');

/** A sealed reading with what names it. */
export interface Sealed {
  readonly epoch: number;
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly tag8: string;
}

/** What the gateway said, taken apart; `authentic` only when it verified under the down key. */
export interface Said {
  readonly kind: number;
  readonly counter: number;
  readonly authentic: boolean;
  readonly gateway: string;
  readonly device: string;
  /** Of receipt and refuse; of advance the epoch alone. Receipt without a position: undefined. */
  readonly epoch?: number;
  readonly seq?: number;
  readonly tag8?: string;
  readonly unixMs?: number;
  /** Of config. */
  readonly version?: number;
  readonly settings?: Uint8Array;
}

/** Keys of a device, and readings and messages sealed with them. */
export class VirtualIdentity {
  readonly id: Uint8Array;
  readonly idText: string;
  readonly #digest: Digest;
  readonly #keys: KeyChain;
  readonly #root: Uint8Array;
  readonly #sealer: Sealer;

  /** @param number makes id and root: the same number, the same device */
  constructor(digest: Digest, number: number) {
    this.#digest = digest;
    this.#keys = new KeyChain(digest);
    this.id = new Uint8Array(8);
    new DataView(this.id.buffer).setUint32(4, number);
    this.idText = toHex(this.id);
    this.#root = new Uint8Array(32).fill(7);
    new DataView(this.#root.buffer).setUint32(0, number);
    this.#sealer = new Sealer(digest, this.id);
  }

  chain(epoch: number): Uint8Array {
    let chain = this.#keys.first(this.#root, this.id);
    for (let i = 0; i < epoch; i++) chain = this.#keys.next(chain);
    return chain;
  }

  sealKey(epoch: number): Uint8Array {
    return this.#keys.seal(this.chain(epoch));
  }

  up(epoch: number): Mac {
    return this.#digest.hmac(this.#keys.up(this.chain(epoch)));
  }

  down(): Mac {
    return this.#digest.hmac(this.#keys.down(this.#root, this.id));
  }

  entry(epoch = 0): KeyringEntry {
    const down = this.#keys.down(this.#root, this.id);
    return {
      id: this.idText,
      name: `device-${this.idText.slice(12)}`,
      epoch,
      chain: this.chain(epoch),
      down,
    };
  }

  startEpoch(epoch: number): void {
    this.#sealer.startEpoch(epoch, this.chain(epoch));
  }

  get next(): number {
    return this.#sealer.nextSeq;
  }

  seal(value: number, kind = 0, name = VALUE): Sealed {
    const { epoch, nextSeq: seq } = this.#sealer;
    this.#sealer.begin(1000 + seq, -1, kind).number(name, value);
    const length = this.#sealer.seal();
    if (length === 0) throw new Error(`not sealed: ${this.#sealer.fault}`);
    const { buffer, start } = this.#sealer;
    const bytes = buffer.slice(start, start + length);
    return { epoch, seq, bytes, tag8: toHex(bytes, length - 32, length - 24) };
  }

  /** So many readings of an epoch, from its beginning. */
  sealMany(epoch: number, count: number, value = 20): Sealed[] {
    this.startEpoch(epoch);
    return Array.from({ length: count }, (_, i) => this.seal(value + i / 8));
  }
}

/** One connection of a device: frames out, what the gateway says in. */
export class VirtualPeer {
  readonly identity: VirtualIdentity;
  /** Gateway nonces of the challenges that came, in order. */
  readonly challenges: Uint8Array[] = [];
  readonly said: Said[] = [];
  /** The device nonce of the last hello. */
  deviceNonce: Uint8Array = new Uint8Array(16);
  readonly #send: (bytes: Uint8Array) => void;
  readonly #writer = new MessageWriter();
  readonly #encoder = new FrameEncoder();
  readonly #decoder: FrameDecoder;
  readonly #reader = new MessageReader();
  readonly #downMac: Mac;
  #hellos = 0;

  constructor(identity: VirtualIdentity, send: (bytes: Uint8Array) => void) {
    this.identity = identity;
    this.#send = send;
    this.#downMac = identity.down();
    this.#decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));
  }

  receive(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
  }

  /** The last receipt; undefined when none came. */
  get receipt(): Said | undefined {
    return this.said.findLast(({ kind }) => kind === 1);
  }

  of(kind: number): Said[] {
    return this.said.filter(message => message.kind === kind);
  }

  frame(type: number, body: Uint8Array): Uint8Array {
    const length = this.#encoder.encode(type, body);
    return this.#encoder.buffer.slice(0, length);
  }

  raw(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  reading(sealed: Sealed | Uint8Array): void {
    this.#send(this.frame(FrameType.reading, sealed instanceof Uint8Array ? sealed : sealed.bytes));
  }

  readings(sealed: readonly Sealed[]): void {
    for (const one of sealed) this.reading(one);
  }

  knock(): void {
    const length = this.#writer.knock(this.identity.id);
    this.#send(this.frame(FrameType.knock, this.#message(length)));
  }

  /** A hello that answers the last challenge; returns its frame's bytes, for who wants to send it again. */
  hello(facts: Partial<Hello> = {}, gateway = this.challenges.at(-1)!): Uint8Array {
    this.deviceNonce = new Uint8Array(16).fill(++this.#hellos);
    this.deviceNonce.set(this.identity.id);
    const bytes = this.helloFrame(facts, gateway, this.deviceNonce);
    this.#send(bytes);
    return bytes;
  }

  helloFrame(facts: Partial<Hello>, gateway: Uint8Array, device: Uint8Array, signer?: Mac): Uint8Array {
    const hello: Hello = {
      epoch: 0,
      next: 0,
      backlog: 0,
      losses: 0,
      firmware: 'test',
      restart: 'power on',
      ...facts,
    };
    const mac = signer ?? this.identity.up(hello.epoch);
    const length = this.#writer.hello(mac, this.identity.id, { gateway, device }, hello);
    return this.frame(FrameType.up, this.#message(length));
  }

  timeRequest(epoch: number, gateway = this.challenges.at(-1)!, device = this.deviceNonce): void {
    const mac = this.identity.up(epoch);
    const nonce = new Uint8Array(8).fill(9);
    const length = this.#writer.timeRequest(mac, this.identity.id, { gateway, device }, epoch, nonce);
    this.#send(this.frame(FrameType.up, this.#message(length)));
  }

  #message(length: number): Uint8Array {
    return this.#writer.buffer.slice(this.#writer.start, this.#writer.start + length);
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    const reader = this.#reader;
    if (type === FrameType.challenge) {
      if (reader.parseChallenge(buffer, from, to) !== '') throw new Error('a bad challenge');
      this.challenges.push(buffer.slice(reader.gwNonceAt, reader.gwNonceAt + 16));
      return;
    }
    if (type !== FrameType.down || reader.parseDown(buffer, from, to) !== '') throw new Error('a bad frame');
    const named = reader.kind === 3 || (reader.kind === 1 && reader.hasPosition);
    this.said.push({
      kind: reader.kind,
      counter: reader.counter,
      authentic: reader.verify(this.#downMac),
      gateway: toHex(buffer, reader.gwNonceAt, reader.gwNonceAt + 16),
      device: toHex(buffer, reader.devNonceAt, reader.devNonceAt + 16),
      ...(named
        ? {
            epoch: reader.epoch,
            seq: reader.seq,
            tag8: toHex(buffer, reader.tag8At, reader.tag8At + 8),
          }
        : {}),
      ...(reader.kind === 4 ? { epoch: reader.epoch } : {}),
      ...(reader.kind === 5
        ? { version: reader.configVersion, settings: buffer.slice(reader.settingsAt, reader.settingsEnd) }
        : {}),
      ...(reader.kind === 2 ? { unixMs: reader.unixMs } : {}),
    });
  }
}
