/**
 * The link between the gateway and the device that it is itself: frames and sessions as on any other, in memory. One reading
 * is on its way at a time, which also keeps epochs apart: the next goes when the one before is durable.
 */
import {
  DownKind,
  equalBytes,
  FrameDecoder,
  FrameEncoder,
  FrameType,
  type Mac,
  MessageReader,
  MessageWriter,
  NONCE_BYTES,
  SHORT_TAG_BYTES,
} from '../../firmware/seal/index.js';
import type { Clock, Link, LinkHandler, LinkSource, Random, Timer } from '../ports.js';
import type { Held, OwnDevice } from './own-device.js';

/** Without a receipt for so long, a reading goes again: the journal was full. */
const RESEND_MS = 2000;
/** So many times, then it asks for a new session. */
const RESENDS = 3;
const REOPEN_MS = 1000;

class Nonces {
  readonly gateway = new Uint8Array(NONCE_BYTES);
  readonly device = new Uint8Array(NONCE_BYTES);
  open = false;
  counter = -1;
}

export interface OwnLinkPorts {
  readonly clock: Clock;
  readonly random: Random;
}

export class OwnLink implements LinkSource {
  readonly #ports: OwnLinkPorts;
  readonly #device: OwnDevice;
  readonly #down: Mac;
  readonly #writer = new MessageWriter();
  readonly #reader = new MessageReader();
  readonly #encoder = new FrameEncoder();
  readonly #decoder = new FrameDecoder((type, buffer, from, to) => this.#frame(type, buffer, from, to));
  #accept: ((link: Link) => LinkHandler) | undefined;
  #handler: LinkHandler | undefined;
  #session = new Nonces();
  #offered = new Nonces();
  /** On its way. */
  #sent: Held | undefined;
  #timer: Timer | undefined;
  #resends = 0;

  /** @param down authenticates what the gateway says */
  constructor(ports: OwnLinkPorts, device: OwnDevice, down: Mac) {
    this.#ports = ports;
    this.#device = device;
    this.#down = down;
    device.onSealed(() => this.#send());
  }

  async start(accept: (link: Link) => LinkHandler): Promise<void> {
    this.#accept = accept;
    this.#open();
  }

  async stop(): Promise<void> {
    this.#accept = undefined;
    this.#timer?.cancel();
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.closed('the gateway ends');
  }

  #open(): void {
    if (this.#accept === undefined) return;
    this.#decoder.reset();
    this.#session = new Nonces();
    this.#offered = new Nonces();
    const link: Link = {
      name: 'panel',
      pendingBytes: 0,
      send: bytes => {
        const copy = bytes.slice();
        // Not from within the gateway's own call.
        queueMicrotask(() => {
          if (this.#handler !== undefined) this.#decoder.push(copy);
        });
      },
      pause: () => {},
      resume: () => {},
      close: () => {
        if (this.#handler === undefined) return;
        this.#handler = undefined;
        this.#timer?.cancel();
        this.#timer = this.#ports.clock.after(REOPEN_MS, () => this.#open());
      },
    };
    this.#handler = this.#accept(link);
  }

  #frame(type: number, buffer: Uint8Array, from: number, to: number): void {
    if (type === FrameType.challenge) {
      if (this.#reader.parseChallenge(buffer, from, to) === '')
        this.#hello(buffer.subarray(this.#reader.gwNonceAt, this.#reader.gwNonceAt + NONCE_BYTES));
    } else if (type === FrameType.down && this.#reader.parseDown(buffer, from, to) === '')
      this.#heard(buffer);
  }

  #hello(gateway: Uint8Array): void {
    const { id, up, epoch, nextSeq: next, held, losses, firmware, restart } = this.#device;
    if (up === undefined) return;
    const offered = new Nonces();
    offered.gateway.set(gateway);
    this.#ports.random.fill(offered.device);
    this.#offered = offered;
    const oldest = held[0] && { epoch: held[0].epoch, seq: held[0].seq };
    const facts = { epoch, next, oldest, backlog: held.length, losses, firmware, restart };
    const length = this.#writer.hello(up, id, offered, facts);
    this.#emit(FrameType.up, this.#writer.buffer, this.#writer.start, this.#writer.start + length);
  }

  /** Obeys what is authentic, of a session that is open or that the hello has offered, and new. */
  #heard(buffer: Uint8Array): void {
    const { gwNonceAt, devNonceAt, counter, kind, epoch, seq, hasPosition } = this.#reader;
    const bears = ({ gateway, device }: Nonces) =>
      equalBytes(buffer, gwNonceAt, gateway, 0, NONCE_BYTES) &&
      equalBytes(buffer, devNonceAt, device, 0, NONCE_BYTES);
    const session = [this.#session, this.#offered].find(bears);
    if (session === undefined || counter <= session.counter || !this.#reader.verify(this.#down)) return;
    session.counter = counter;
    const opened = session !== this.#session;
    this.#session = session;
    session.open = true;
    if (kind === DownKind.receipt && hasPosition) this.#receipted(buffer, epoch, seq);
    else if (kind === DownKind.refuse) this.#refused(buffer, epoch, seq);
    else if (kind === DownKind.advance) void this.#device.advance(epoch);
    this.#send(opened);
  }

  #receipted(buffer: Uint8Array, epoch: number, seq: number): void {
    const device = this.#device;
    // What this device never sealed: its keys were set back, or another has them.
    if (epoch > device.epoch || (epoch === device.epoch && seq >= device.nextSeq)) {
      void device.advance(epoch + 1);
      return;
    }
    const named = this.#named(epoch, seq);
    if (named === undefined || this.#means(buffer, named)) device.receipted(epoch, seq);
  }

  #refused(buffer: Uint8Array, epoch: number, seq: number): void {
    const named = this.#named(epoch, seq);
    if (named === undefined || !this.#means(buffer, named)) return;
    this.#device.refused(epoch, seq);
    // What follows can be taken only once a hello says that this one is gone.
    this.#knock();
  }

  #named(epoch: number, seq: number): Held | undefined {
    return this.#device.held.find(held => held.epoch === epoch && held.seq === seq);
  }

  #means(buffer: Uint8Array, { tag8 }: Held): boolean {
    return equalBytes(buffer, this.#reader.tag8At, tag8, 0, SHORT_TAG_BYTES);
  }

  /** The oldest reading, if it is not on its way already; again after a while if nothing comes of it. */
  #send(again = false): void {
    const [oldest] = this.#device.held;
    if (this.#handler === undefined || !this.#session.open) return;
    if (oldest === this.#sent && !again) return;
    this.#timer?.cancel();
    if (oldest !== this.#sent) this.#resends = 0;
    this.#sent = oldest;
    if (oldest === undefined) return;
    this.#timer = this.#ports.clock.after(RESEND_MS, () => {
      this.#resends++;
      if (this.#resends % RESENDS === 0) this.#knock();
      this.#send(true);
    });
    this.#emit(FrameType.reading, oldest.bytes, 0, oldest.bytes.length);
  }

  #knock(): void {
    const length = this.#writer.knock(this.#device.id);
    this.#emit(FrameType.knock, this.#writer.buffer, this.#writer.start, this.#writer.start + length);
  }

  #emit(type: number, body: Uint8Array, from: number, to: number): void {
    const length = this.#encoder.encode(type, body, from, to);
    this.#handler?.data(this.#encoder.buffer.slice(0, length));
  }
}
