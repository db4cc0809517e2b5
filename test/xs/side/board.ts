/**
 * The virtual board: the firmware's device with its three sources, and a gateway at the other end of a link in
 * memory. Device and gateway take turns, so that what each of them costs can be told apart. Runs on Node as well.
 */
import { VirtualFlash } from '../../../boards/virtual/flash.js';
import { SeededRandom } from '../../../boards/virtual/random.js';
import { virtualSources } from '../../../boards/virtual/sources.js';
import { Device } from '../../../firmware/device.js';
import { fromHex, KeyChain, MAX_FRAME_BYTES } from '../../../firmware/seal/index.js';
import { FlashBacklog } from '../../../firmware/store/flash-backlog.js';
import { KeyStore } from '../../../firmware/store/key-store.js';
import { type DigestName, digests } from './digests.js';
import { Gateway } from './gateway.js';

const PERIOD_MS = 100;
const LINK_BYTES = 8192;
/** Key slots, settings, and 256 KB for the backlog, as on a Pico. */
const BACKLOG_AT = 5;
const BACKLOG_SECTORS = 64;
const BACKLOG_RAM_BYTES = 8192;
const MAX_ENVELOPE_BYTES = 512;

/** How the gateway is: there; away and the link knows; away while the link takes bytes to nowhere. */
export type Presence = 'there' | 'unlinked' | 'silent';

/** One direction of the link: bytes that were sent and not yet delivered. */
class Pipe {
  readonly buffer = new Uint8Array(LINK_BYTES + MAX_FRAME_BYTES + 1);
  length = 0;
  /** Whether bytes are taken; and whether they arrive. No texts here: comparing one would count as the device's. */
  linked = true;
  noiseBytes = 0;
  readonly #noise = new SeededRandom(2);
  arrives = true;

  send(bytes: Uint8Array, from: number, to: number): boolean {
    if (!this.linked || !this.arrives) return this.linked;
    if (this.length + to - from > LINK_BYTES) return false;
    // Both sides' frames begin their buffers. At once, and not byte by byte: on a board the port does this.
    if (from !== 0) throw new Error('a frame begins its buffer');
    this.buffer.set(bytes, this.length);
    if (this.noiseBytes > 0) this.#spoil(to);
    this.length += to;
    return true;
  }

  #spoil(length: number): void {
    for (let i = 0; i < length; i++) {
      if (this.#noise.below(this.noiseBytes) === 0) this.buffer[this.length + i] ^= 1 << this.#noise.below(8);
    }
  }
}

export class Board {
  readonly #digest;
  readonly flash: VirtualFlash;
  readonly #backlogSectors: number;
  readonly #random = new SeededRandom(1);
  readonly #up = new Pipe();
  readonly #down = new Pipe();
  readonly gateway: Gateway;
  #device!: Device;
  #nowMs = 0;
  /** Told by the device. */
  readonly counts = { sealed: 0, receipted: 0, lost: 0 };

  constructor(name: DigestName, rootHex: string, idHex: string, backlogSectors = BACKLOG_SECTORS) {
    this.#backlogSectors = backlogSectors;
    this.flash = new VirtualFlash({ sectors: BACKLOG_AT + backlogSectors });
    const digest = digests[name];
    const root = fromHex(rootHex)!;
    const id = fromHex(idHex)!;
    const chain = new KeyChain(digest);
    const keys = { id, chain: chain.first(root, id), down: chain.down(root, id) };
    this.#digest = digest;
    const fault = new KeyStore(this.flash).provision(id, keys.down, 0, keys.chain);
    if (fault !== '') throw new Error(fault);
    const send = (bytes: Uint8Array, from: number, to: number) => this.#down.send(bytes, from, to);
    this.gateway = new Gateway(digest, keys, () => this.#nowMs, send);
  }

  /** Power comes: what was in memory is gone. */
  boot(restart: string): void {
    const keys = new KeyStore(this.flash);
    const state = keys.load();
    if (state !== 'ready') throw new Error(state);
    const backlog = new FlashBacklog(this.flash, {
      first: BACKLOG_AT,
      sectors: this.#backlogSectors,
      id: keys.identity.id,
      ramBytes: BACKLOG_RAM_BYTES,
      maxEnvelopeBytes: MAX_ENVELOPE_BYTES,
    });
    const bootMs = this.#nowMs;
    this.#up.length = 0;
    this.#down.length = 0;
    const counts = this.counts;
    this.#device = new Device(
      {
        digest: this.#digest,
        uptime: { nowMs: () => this.#nowMs - bootMs },
        random: this.#random,
        wire: { send: (bytes, from, to) => this.#up.send(bytes, from, to) },
        board: { freeMemoryBytes: () => 40_000 },
        keys,
        backlog,
        sources: virtualSources(this.#random, 1000 / PERIOD_MS),
        observer: {
          sealed: () => void counts.sealed++,
          receipted: () => void counts.receipted++,
          lost: () => void counts.lost++,
        },
      },
      { firmware: 'virtual 1', restart },
    );
    const fault = this.#device.start();
    if (fault !== '') throw new Error(fault);
    this.#device.linkUp();
    this.gateway.challenge();
  }

  /** Takes what came down, lets a period pass, samples, seals, retains and sends. */
  device(): void {
    const down = this.#down;
    this.#device.receive(down.buffer, 0, down.length);
    down.length = 0;
    this.#nowMs += PERIOD_MS;
    this.#device.poll();
  }

  /** Time that passes without anybody being asked. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  /** From now on one byte in `bytes` has a bit turned over on its way, either way; 0: none. */
  noise(bytes: number): void {
    this.#up.noiseBytes = bytes;
    this.#down.noiseBytes = bytes;
  }

  /** Takes what came up, verifies, receipts. */
  verify(): void {
    const up = this.#up;
    this.gateway.receive(up.buffer, 0, up.length);
    up.length = 0;
  }

  /** Device and gateway take turns, and the gateway keeps nothing. */
  run(cycles: number): void {
    this.gateway.keeping = false;
    for (let i = 0; i < cycles; i++) {
      this.device();
      this.verify();
    }
    this.gateway.keeping = true;
  }

  /** The gateway goes away, or comes back and asks for a new session. */
  presence(presence: Presence): void {
    const { linked } = this.#up;
    this.#up.linked = presence !== 'unlinked';
    this.#up.arrives = presence === 'there';
    this.#up.length = 0;
    this.#down.length = 0;
    if (presence === 'unlinked') this.#device.linkDown();
    if (presence !== 'there') return;
    if (!linked) this.#device.linkUp();
    this.gateway.challenge();
  }
}
