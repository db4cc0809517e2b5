import { nobleDigest } from '../../boards/virtual/digest.js';
import { VirtualFlash } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { virtualSources } from '../../boards/virtual/sources.js';
import { Device, type DeviceSettings } from '../../firmware/device.js';
import type { DeviceLimits } from '../../firmware/limits.js';
import type { Rtc } from '../../firmware/ports.js';
import { KeyChain, toHex } from '../../firmware/seal/index.js';
import type { Backlog } from '../../firmware/store/backlog.js';
import { FlashBacklog } from '../../firmware/store/flash-backlog.js';
import { KeyStore } from '../../firmware/store/key-store.js';
import { RamBacklog } from '../../firmware/store/ram-backlog.js';
import { TestGateway } from './gateway.js';

/** What a link does to what is sent over it, each with its chance from 0 to 1. */
export interface Trouble {
  drop?: number;
  duplicate?: number;
  corrupt?: number;
  /** Delivered up to `delayMs` later than it would be, past others. */
  reorder?: number;
}

export interface WorldOptions {
  seed?: number;
  trouble?: Trouble;
  limits?: Partial<DeviceLimits>;
  ratePerSecond?: number;
  backlogBytes?: number;
  /** Sectors of flash for the backlog; default 0: it is in memory alone. */
  backlogSectors?: number;
  rtc?: Rtc;
  /** How long the gateway takes to make readings durable. */
  syncMs?: number;
  flash?: VirtualFlash;
  settings?: Partial<DeviceSettings>;
  /** The device is polled only at multiples of this, whatever comes. */
  tickMs?: number;
}

interface Event {
  readonly atMs: number;
  readonly run: () => void;
}

export interface Sealed {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** One device, one gateway, a link between them, and time that passes only when told. */
export class World {
  nowMs = 0;
  readonly random: SeededRandom;
  readonly root = new Uint8Array(32);
  readonly id = new Uint8Array(8);
  readonly flash: VirtualFlash;
  readonly gateway: TestGateway;
  device!: Device;
  backlog!: Backlog;
  trouble: Trouble;
  linked = true;
  readonly sealed: Sealed[] = [];
  readonly receipted: Sealed[] = [];
  readonly lost: [number, number][] = [];
  /** Every frame that came down, for replaying. */
  readonly downlinks: Uint8Array[] = [];
  readonly #options: WorldOptions;
  #events: Event[] = [];
  #wakeMs = 0;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.trouble = options.trouble ?? {};
    this.random = new SeededRandom(options.seed ?? 1);
    new SeededRandom(7).fill(this.root);
    new SeededRandom(8).fill(this.id);
    const keys = new KeyChain(nobleDigest);
    this.gateway = new TestGateway(
      { chain: keys.first(this.root, this.id), down: keys.down(this.root, this.id) },
      this.id,
      () => this.nowMs,
      frame => {
        this.downlinks.push(frame);
        this.carry(frame, bytes => this.deliver(bytes));
      },
    );
    this.flash = options.flash ?? new VirtualFlash({ sectors: 3 + (options.backlogSectors ?? 0) });
    if (options.flash === undefined) this.provision();
    this.boot();
    const syncMs = options.syncMs ?? 5;
    const sync = () => {
      this.gateway.sync();
      this.at(syncMs, sync);
    };
    this.at(syncMs, sync);
  }

  provision(): void {
    const keys = new KeyChain(nobleDigest);
    const store = new KeyStore(this.flash);
    store.provision(this.id, keys.down(this.root, this.id), 0, keys.first(this.root, this.id));
  }

  /** Power comes back: what was in memory is gone. */
  boot(restart = 'power-on'): void {
    const keys = new KeyStore(this.flash);
    const state = keys.load();
    if (state !== 'ready') throw new Error(state);
    const bootMs = this.nowMs;
    this.backlog = this.#newBacklog();
    this.device = new Device(
      {
        digest: nobleDigest,
        uptime: { nowMs: () => this.nowMs - bootMs },
        random: this.random,
        wire: {
          send: (buffer, from, to) => {
            this.carry(buffer.slice(from, to), bytes => this.gateway.push(bytes));
            return true;
          },
        },
        board: { freeMemoryBytes: () => 40_000 },
        keys,
        backlog: this.backlog,
        ...(this.#options.rtc && { rtc: this.#options.rtc }),
        sources: virtualSources(this.random, this.#options.ratePerSecond ?? 10),
        observer: {
          sealed: (epoch, seq, kind, buffer, from, to) =>
            this.sealed.push({ epoch, seq, kind, bytes: buffer.slice(from, to) }),
          receipted: (epoch, seq, buffer, from, to) =>
            this.receipted.push({ epoch, seq, kind: 0, bytes: buffer.slice(from, to) }),
          lost: (epoch, seq) => this.lost.push([epoch, seq]),
        },
      },
      {
        firmware: 'test 1',
        restart,
        ...(this.#options.limits && { limits: this.#options.limits }),
        ...this.#options.settings,
      },
    );
    const fault = this.device.start();
    if (fault !== '') throw new Error(fault);
    this.device.linkUp();
    this.#wakeMs = this.nowMs;
  }

  #newBacklog(): Backlog {
    const { backlogSectors, backlogBytes } = this.#options;
    if (backlogSectors === undefined) return new RamBacklog(backlogBytes ?? 65_536);
    return new FlashBacklog(this.flash, {
      first: 3,
      sectors: backlogSectors,
      id: this.id,
      ramBytes: backlogBytes ?? 8_192,
      maxEnvelopeBytes: 512,
    });
  }

  at(delayMs: number, run: () => void): void {
    this.#events.push({ atMs: this.nowMs + delayMs, run });
  }

  deliver(bytes: Uint8Array): void {
    this.device.receive(bytes);
    this.#wakeMs = this.#tick(this.nowMs);
  }

  #tick(atMs: number): number {
    const { tickMs = 1 } = this.#options;
    return Math.ceil(atMs / tickMs) * tickMs;
  }

  /** Sends bytes over the link as it is. */
  carry(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    if (!this.linked) return;
    const { random, trouble } = this;
    if (random.unit() < (trouble.drop ?? 0)) return;
    if (random.unit() < (trouble.duplicate ?? 0)) this.#arrive(bytes, arrive);
    if (random.unit() < (trouble.corrupt ?? 0)) {
      bytes = bytes.slice();
      bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    }
    this.#arrive(bytes, arrive);
  }

  #arrive(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const late = this.random.unit() < (this.trouble.reorder ?? 0) ? this.random.below(60) : 0;
    this.at(1 + late, () => arrive(bytes));
  }

  run(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      if (this.#wakeMs <= this.nowMs)
        this.#wakeMs = this.#tick(this.nowMs + Math.max(1, Math.ceil(this.device.poll())));
      let nextMs = Math.min(this.#wakeMs, endMs);
      for (const event of this.#events) nextMs = Math.min(nextMs, event.atMs);
      if (nextMs >= endMs && this.#wakeMs > endMs && this.#events.every(event => event.atMs > endMs)) break;
      this.nowMs = nextMs;
      const due = this.#events.filter(event => event.atMs <= this.nowMs);
      this.#events = this.#events.filter(event => event.atMs > this.nowMs);
      for (const event of due) event.run();
      if (this.nowMs >= endMs && this.#wakeMs > endMs) break;
    }
    this.nowMs = endMs;
  }

  /** Stops sampling and lets everything that is held arrive. */
  settle(maxMs = 600_000): void {
    this.device.quiet = true;
    const endMs = this.nowMs + maxMs;
    while (this.nowMs < endMs && (this.device.retained.count > 0 || this.device.retained.losses.unnamed)) {
      this.run(100);
    }
  }
}

type Named = Pick<Sealed, 'epoch' | 'seq' | 'bytes'>;

export function names(readings: readonly Named[]): string[] {
  return readings.map(({ epoch, seq, bytes }) => `${epoch}:${seq} ${toHex(bytes).slice(-16)}`);
}

/** Where two lists of readings first differ, in words; '' when they are the same. */
export function difference(got: readonly Named[], expected: readonly Named[]): string {
  const [have, want] = [names(got), names(expected)];
  const at = want.findIndex((name, i) => have[i] !== name);
  if (at >= 0) return `${at}: expected ${want[at]}, got ${have[at]}`;
  return have.length === want.length ? '' : `${have.length - want.length} too many: ${have[want.length]}`;
}
