import {
  classify,
  type Digest,
  EnvelopeReader,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  heldOf,
  KeyChain,
  Kind,
  linkOf,
  type Mac,
  MessageReader,
  MessageWriter,
  type Position,
  toHex,
  UpKind,
  whereOf,
} from '../../../firmware/seal/index.js';

/** What the gateway of a device needs of its keyring. */
export interface GatewayKeys {
  readonly id: Uint8Array;
  /** Chain key of epoch 0. */
  readonly chain: Uint8Array;
  readonly down: Uint8Array;
}

/**
 * The gateway's half of a link, of the seal's own parts: one device, a perfect disk, a receipt for each reading.
 * Throws when the device says anything that an honest one would not.
 */
export class Gateway {
  /** Whether accepted envelopes are kept for `take`; without that the gateway takes next to no memory. */
  keeping = true;
  /** Readings accepted, how many of them name a loss, and readings that came too early or again. */
  readonly counts = { accepted: 0, losses: 0, untaken: 0 };
  /** Envelopes accepted since the last `take`, in hex. */
  #accepted: string[] = [];
  readonly #keys: GatewayKeys;
  readonly #digest: Digest;
  readonly #chain: KeyChain;
  readonly #send: (bytes: Uint8Array, from: number, to: number) => void;
  readonly #nowMs: () => number;
  readonly #down: Mac;
  readonly #message = new MessageReader();
  readonly #envelope = new EnvelopeReader();
  readonly #writer = new MessageWriter();
  readonly #frames = new FrameEncoder();
  readonly #decoder: FrameDecoder;
  readonly #nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  readonly #tag8 = new Uint8Array(8);
  #epoch = -1;
  #seal: Mac | undefined;
  #up: Mac | undefined;
  #position: Position | undefined;
  #counter = 0;

  constructor(
    digest: Digest,
    keys: GatewayKeys,
    nowMs: () => number,
    send: (bytes: Uint8Array, from: number, to: number) => void,
  ) {
    this.#digest = digest;
    this.#keys = keys;
    this.#chain = new KeyChain(digest);
    this.#down = digest.hmac(keys.down);
    this.#nowMs = nowMs;
    this.#send = send;
    this.#decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));
  }

  /** What came and was no frame. */
  get noiseFrames(): number {
    return this.#decoder.noiseFrames;
  }

  receive(bytes: Uint8Array, from: number, to: number): void {
    this.#decoder.push(bytes, from, to);
  }

  /** A new link: asks the device to prove itself. */
  challenge(): void {
    const nonce = this.#nonces.gateway;
    nonce[0]++;
    this.#post(FrameType.challenge, this.#writer.challenge(nonce));
  }

  take(): string[] {
    const accepted = this.#accepted;
    this.#accepted = [];
    return accepted;
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (type === FrameType.knock) this.challenge();
    else if (type === FrameType.up) this.#upward(buffer, from, to);
    else if (type === FrameType.reading) this.#reading(buffer, from, to);
    else throw new Error(`frame of type ${type}`);
  }

  #upward(buffer: Uint8Array, from: number, to: number): void {
    const message = this.#message;
    const fault = message.parseUp(buffer, from, to);
    if (fault !== '') throw new Error(`up: ${fault}`);
    this.#keysOf(message.epoch);
    if (!message.verify(this.#up!)) throw new Error('up: forged');
    const { id } = this.#keys;
    if (message.kind === UpKind.timeRequest) {
      const request = buffer.slice(message.requestNonceAt, message.requestNonceAt + 8);
      const unixMs = 1_800_000_000_000 + this.#nowMs();
      const length = this.#writer.time(this.#down, id, this.#nonces, ++this.#counter, request, unixMs);
      this.#post(FrameType.down, length);
      return;
    }
    for (let i = 0; i < 16; i++) this.#nonces.device[i] = buffer[message.devNonceAt + i];
    this.#counter = 0;
    this.#receipt();
  }

  #reading(buffer: Uint8Array, from: number, to: number): void {
    const envelope = this.#envelope;
    const fault = envelope.parse(buffer, from, to);
    if (fault !== '') throw new Error(`reading: ${fault}`);
    const { epoch, seq } = envelope;
    this.#keysOf(epoch);
    if (!envelope.verify(this.#seal!)) throw new Error('reading: forged');
    const position = this.#position;
    const verdict = classify({
      where: whereOf(position, epoch, seq),
      link: linkOf(position, buffer, envelope.prevAt),
      held: heldOf(this.#message, position, epoch, seq),
      memory: 'none',
    });
    if (verdict === 'fork') throw new Error(`reading ${epoch}/${seq}: ${verdict}`);
    if (verdict !== 'next' && verdict !== 'gap') {
      this.counts.untaken++;
      this.#receipt();
      return;
    }
    for (let i = 0; i < 8; i++) this.#tag8[i] = buffer[envelope.tagAt + i];
    this.#position = { epoch, seq, tag8: this.#tag8, final: envelope.kind === 3 };
    this.counts.accepted++;
    if (envelope.kind === Kind.loss) this.counts.losses++;
    if (this.keeping) this.#accepted.push(toHex(buffer, from, to));
    this.#receipt();
  }

  #receipt(): void {
    const { id } = this.#keys;
    const length = this.#writer.receipt(this.#down, id, this.#nonces, ++this.#counter, this.#position);
    this.#post(FrameType.down, length);
  }

  #keysOf(epoch: number): void {
    if (epoch === this.#epoch) return;
    let chain = this.#keys.chain;
    for (let i = 0; i < epoch; i++) chain = this.#chain.next(chain);
    this.#seal = this.#digest.hmac(this.#chain.seal(chain));
    this.#up = this.#digest.hmac(this.#chain.up(chain));
    this.#epoch = epoch;
  }

  #post(type: number, length: number): void {
    const { buffer, start } = this.#writer;
    this.#send(this.#frames.buffer, 0, this.#frames.encode(type, buffer, start, start + length));
  }
}
