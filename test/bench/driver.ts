/** Devices that do nothing but send readings to a gateway over TCP and take its receipts, as fast as their windows allow. */
import { connect, type Socket } from 'node:net';
import { FrameType } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { VirtualIdentity, VirtualPeer } from '../support/virtual-peer.js';

/** Frames sealed and sent at a time. */
const BURST = 64;

export class Driver {
  readonly identity: VirtualIdentity;
  /** Readings of which the gateway said that they are durable. */
  receipted = 0;
  readonly #window: number;
  readonly #peer: VirtualPeer;
  /** By sequence, of readings in flight. */
  readonly #sentAt = new Map<number, number>();
  #socket: Socket | undefined;
  #sent = 0;
  #target = 0;
  #greeted = false;
  #done: (() => void) | undefined;
  /** Told of each receipt: how many ms after it was sent each newly receipted reading was. */
  onLatency: ((ms: number) => void) | undefined;

  /** @param number of the device: names it and its keys */
  constructor(number: number, window: number) {
    this.identity = new VirtualIdentity(nodeDigest, number);
    this.identity.startEpoch(0);
    this.#window = window;
    this.#peer = new VirtualPeer(this.identity, bytes => this.#socket?.write(bytes));
  }

  /** Resolves when the gateway has opened a session. */
  open(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      this.#socket = socket;
      socket.on('error', reject);
      socket.on('data', chunk => {
        this.#peer.receive(chunk);
        if (!this.#greeted && this.#peer.challenges.length > 0) {
          this.#greeted = true;
          this.#peer.hello({ next: this.#sent });
          resolve();
        }
        this.#take();
      });
    });
  }

  /** Seals and sends so many readings; resolves when all are receipted. */
  send(count: number): Promise<void> {
    this.#target += count;
    return new Promise(resolve => {
      this.#done = resolve;
      this.#fill();
    });
  }

  /** Sends one reading now, whatever the window. */
  sendOne(): void {
    this.#target++;
    this.#burst(1);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #take(): void {
    const receipt = this.#peer.receipt;
    if (receipt === undefined) return;
    this.#peer.said.length = 0;
    const receipted = receipt.seq === undefined ? 0 : receipt.seq + 1;
    if (this.onLatency !== undefined) {
      const now = performance.now();
      for (let seq = this.receipted; seq < receipted; seq++) {
        this.onLatency(now - (this.#sentAt.get(seq) ?? now));
        this.#sentAt.delete(seq);
      }
    }
    this.receipted = receipted;
    if (receipted === this.#target) this.#done?.();
    else this.#fill();
  }

  #fill(): void {
    while (this.#sent < this.#target && this.#sent - this.receipted <= this.#window - BURST) {
      this.#burst(Math.min(BURST, this.#target - this.#sent));
    }
  }

  #burst(count: number): void {
    const frames: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      frames.push(this.#peer.frame(FrameType.reading, this.identity.seal(20 + (this.#sent % 64) / 8).bytes));
      if (this.onLatency !== undefined) this.#sentAt.set(this.#sent, performance.now());
      this.#sent++;
    }
    this.#socket?.write(count === 1 ? frames[0] : Buffer.concat(frames));
  }
}
