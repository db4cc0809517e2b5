import {
  classify,
  EnvelopeReader,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  fromUtf8,
  heldOf,
  KeyChain,
  linkOf,
  type Mac,
  MessageReader,
  MessageWriter,
  type Position,
  toHex,
  UpKind,
  type Verdict,
  whereOf,
} from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';

export interface Accepted {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: number;
  readonly unixMs: number;
  readonly uptimeMs: number;
  readonly bytes: Uint8Array;
  readonly verdict: Verdict;
}

/** The chain key of epoch 0, and the down key. */
export interface DeviceKeys {
  readonly chain: Uint8Array;
  readonly down: Uint8Array;
}

/** What the tests know of the last authentic hello. */
export interface SaidHello {
  readonly epoch: number;
  readonly next: number;
  readonly oldestEpoch: number;
  readonly oldestSeq: number;
  readonly backlog: number;
  readonly losses: number;
  readonly restart: string;
  readonly configVersion: number;
}

/** A gateway for one device, in memory, of the seal's own parts; it receipts what it is told is durable. */
export class TestGateway {
  readonly accepted: Accepted[] = [];
  readonly verdicts: Record<Verdict, number> = { next: 0, gap: 0, early: 0, fork: 0, replay: 0, stale: 0 };
  readonly hellos: SaidHello[] = [];
  knocks = 0;
  forged = 0;
  challenges = 0;
  position: Position | undefined;
  durable: Position | undefined;
  /** Whether forks are answered by refuse. */
  refuses = true;
  /** Whether anything is answered at all. */
  answering = true;
  /** Offset of the gateway's Unix time from the world's. */
  unixMs = 1_700_000_000_000;
  /** Called before an authentic time request is answered: false keeps the answer back. */
  answersTime = true;
  readonly timeRequests: Uint8Array[] = [];
  readonly nonces = { gateway: new Uint8Array(16), device: new Uint8Array(16) };
  readonly id: Uint8Array;
  readonly down: Mac;
  open = false;
  counter = 0;
  readonly #first: Uint8Array;
  readonly #keys = new KeyChain(nodeDigest);
  readonly #macs = new Map<string, Mac>();
  readonly #tags = new Map<string, Uint8Array>();
  readonly #reader = new MessageReader();
  readonly #envelope = new EnvelopeReader();
  readonly #writer = new MessageWriter();
  readonly #frames = new FrameEncoder();
  readonly #decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));
  readonly #send: (frame: Uint8Array) => void;
  readonly #nowMs: () => number;
  #nonce = 1;
  #hello: SaidHello | undefined;

  constructor(keys: DeviceKeys, id: Uint8Array, nowMs: () => number, send: (frame: Uint8Array) => void) {
    this.#first = keys.chain;
    this.id = id;
    this.#nowMs = nowMs;
    this.#send = send;
    this.down = nodeDigest.hmac(keys.down);
  }

  push(bytes: Uint8Array): void {
    this.#decoder.push(bytes);
  }

  /** A new gateway process: it knows what was durable. */
  restart(): void {
    this.open = false;
    this.position = this.durable;
    this.#hello = undefined;
  }

  /** As after a restart long ago. */
  forgetTags(): void {
    this.#tags.clear();
  }

  challenge(): void {
    this.challenges++;
    this.nonces.gateway = new Uint8Array(16).fill(this.#nonce++ & 0xff);
    this.nonces.gateway[0] = this.#nonce >> 8;
    this.post(FrameType.challenge, this.#writer.challenge(this.nonces.gateway));
  }

  /** Everything accepted is durable now, and receipted. */
  sync(): void {
    if (this.durable === this.position) return;
    this.durable = this.position;
    this.receipt();
  }

  receipt(position: Position | undefined = this.durable): void {
    if (!this.open || !this.answering) return;
    const { down, id, nonces } = this;
    this.post(FrameType.down, this.#writer.receipt(down, id, nonces, ++this.counter, position));
  }

  refuse(epoch: number, seq: number, tag8: Uint8Array): void {
    const { down, id, nonces } = this;
    const refused = { epoch, seq, tag8 };
    this.post(FrameType.down, this.#writer.refuse(down, id, nonces, ++this.counter, refused, 1));
  }

  advance(epoch: number): void {
    this.post(FrameType.down, this.#writer.advance(this.down, this.id, this.nonces, ++this.counter, epoch));
  }

  time(request: Uint8Array, unixMs: number): void {
    const { down, id, nonces } = this;
    this.post(FrameType.down, this.#writer.time(down, id, nonces, ++this.counter, request, unixMs));
  }

  config(version: number, settings: Uint8Array): void {
    const { down, id, nonces } = this;
    this.post(FrameType.down, this.#writer.config(down, id, nonces, ++this.counter, version, settings));
  }

  frame(type: number, body: Uint8Array): Uint8Array {
    return this.#frames.buffer.slice(0, this.#frames.encode(type, body));
  }

  post(type: number, length: number): void {
    const { start, buffer } = this.#writer;
    this.#send(this.frame(type, buffer.slice(start, start + length)));
  }

  chain(epoch: number): Uint8Array {
    let chain = this.#first;
    for (let i = 0; i < epoch; i++) chain = this.#keys.next(chain);
    return chain;
  }

  #mac(purpose: 'seal' | 'up', epoch: number): Mac {
    const name = `${purpose} ${epoch}`;
    let mac = this.#macs.get(name);
    if (mac === undefined) {
      mac = nodeDigest.hmac(this.#keys[purpose](this.chain(epoch)));
      this.#macs.set(name, mac);
    }
    return mac;
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (!this.answering) return;
    if (type === FrameType.knock) {
      this.knocks++;
      this.challenge();
    } else if (type === FrameType.up) this.#up(buffer, from, to);
    else if (type === FrameType.reading) this.#reading(buffer.slice(from, to));
  }

  #up(buffer: Uint8Array, from: number, to: number): void {
    const reader = this.#reader;
    if (reader.parseUp(buffer, from, to) !== '' || !reader.verify(this.#mac('up', reader.epoch))) {
      this.forged++;
      return;
    }
    const gateway = buffer.slice(reader.gwNonceAt, reader.gwNonceAt + 16);
    const device = buffer.slice(reader.devNonceAt, reader.devNonceAt + 16);
    if (toHex(gateway) !== toHex(this.nonces.gateway)) return;
    if (reader.kind === UpKind.timeRequest) {
      const request = buffer.slice(reader.requestNonceAt, reader.requestNonceAt + 8);
      this.timeRequests.push(request);
      if (this.answersTime) this.time(request, this.unixMs + this.#nowMs());
      return;
    }
    const { epoch, next, oldestEpoch, oldestSeq, backlog, losses, configVersion } = reader;
    const restart = fromUtf8(buffer, reader.restartAt, reader.restartEnd) ?? '';
    this.#hello = { epoch, next, oldestEpoch, oldestSeq, backlog, losses, restart, configVersion };
    this.hellos.push(this.#hello);
    if (!this.open || toHex(device) !== toHex(this.nonces.device)) this.counter = 0;
    this.nonces.device = device;
    this.open = true;
    this.receipt();
    if (this.position !== undefined && epoch < this.position.epoch) this.advance(this.position.epoch + 1);
  }

  #reading(bytes: Uint8Array): void {
    const envelope = this.#envelope;
    if (
      envelope.parse(bytes, 0, bytes.length) !== '' ||
      !envelope.verify(this.#mac('seal', envelope.epoch))
    ) {
      this.forged++;
      return;
    }
    if (!this.open) return;
    const { epoch, seq, kind, unixMs, uptimeMs } = envelope;
    const tag8 = bytes.slice(envelope.tagAt, envelope.tagAt + 8);
    const known = this.#tags.get(`${epoch}:${seq}`);
    const verdict = classify({
      where: whereOf(this.position, epoch, seq),
      link: linkOf(this.position, bytes, envelope.prevAt),
      held: heldOf(this.#hello, this.position, epoch, seq),
      memory: known === undefined ? 'none' : toHex(known) === toHex(tag8) ? 'same' : 'other',
    });
    this.verdicts[verdict]++;
    if (verdict === 'next' || verdict === 'gap') {
      this.#tags.set(`${epoch}:${seq}`, tag8);
      this.position = { epoch, seq, tag8, final: kind === 3 };
      this.accepted.push({ epoch, seq, kind, unixMs, uptimeMs, bytes, verdict });
    } else if (verdict === 'fork') {
      if (this.refuses) this.refuse(epoch, seq, tag8);
      if (this.#hello !== undefined && this.#hello.epoch <= (this.position?.epoch ?? 0)) {
        this.advance((this.position?.epoch ?? 0) + 1);
      }
    } else this.receipt();
  }
}
