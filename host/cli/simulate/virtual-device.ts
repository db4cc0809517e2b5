/** One virtual device at work: the firmware's own code on a virtual board, with a link of this machine. */
import { SeededRandom } from '../../../boards/virtual/random.js';
import { virtualSources } from '../../../boards/virtual/sources.js';
import { Device } from '../../../firmware/device.js';
import { DEVICE_LIMITS } from '../../../firmware/limits.js';
import type { Digest } from '../../../firmware/seal/index.js';
import { FlashBacklog } from '../../../firmware/store/flash-backlog.js';
import { Fault } from '../../fault.js';
import type { Clock, Link, LinkHandler, Random, Timer } from '../../ports.js';
import { version } from '../../version.js';
import { BACKLOG, type Board } from './state.js';

/** Of envelopes in memory: what is more goes to flash, and while the gateway is away all of it does. */
const BACKLOG_RAM_BYTES = 64 * 1024;
/** Beyond this, the wire has no room: the device waits as it would for a UART. */
const MAX_PENDING_BYTES = 64 * 1024;

export interface VirtualDeviceOptions {
  /** Readings a second. */
  readonly rate: number;
  /** Readings to be made in this run, each counts; 0: for ever. */
  readonly readings: number;
  /** Of what the sensors measure. */
  readonly seed: number;
}

/** What the fleet wants to hear. */
export interface VirtualDeviceEvents {
  sealed(): void;
  receipted(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): void;
  lost(): void;
  /** The gateway has answered on this link for the first time. */
  opened(): void;
}

export class VirtualDevice {
  readonly id: string;
  readonly #board: Board;
  readonly #clock: Clock;
  readonly #device: Device;
  readonly #events: VirtualDeviceEvents;
  readonly #readings: number;
  #sealed = 0;
  #link: Link | undefined;
  #timer: Timer | undefined;
  #wakeMs = Number.POSITIVE_INFINITY;
  #opened = false;
  #paused = false;
  #stopped = false;

  constructor(
    board: Board,
    options: VirtualDeviceOptions,
    ports: { clock: Clock; random: Random; digest: Digest },
    events: VirtualDeviceEvents,
  ) {
    this.id = board.id;
    this.#board = board;
    this.#clock = ports.clock;
    this.#events = events;
    this.#readings = options.readings;
    const bootMs = ports.clock.monotonic();
    this.#device = new Device(
      {
        digest: ports.digest,
        uptime: { nowMs: () => Math.max(0, Math.floor(ports.clock.monotonic() - bootMs)) },
        random: ports.random,
        wire: { send: (buffer, from, to) => this.#send(buffer, from, to) },
        board: { freeMemoryBytes: () => -1 },
        keys: board.keys,
        backlog: new FlashBacklog(board.flash, {
          ...BACKLOG,
          id: board.keys.identity.id,
          ramBytes: BACKLOG_RAM_BYTES,
          maxEnvelopeBytes: DEVICE_LIMITS.maxEnvelopeBytes,
        }),
        sources: virtualSources(new SeededRandom(options.seed), options.rate),
        observer: {
          sealed: () => this.#countSealed(),
          receipted: (epoch, seq, buffer, from, to) => events.receipted(epoch, seq, buffer, from, to),
          lost: () => events.lost(),
        },
      },
      { firmware: `sovereign-virtual ${version}`, restart: 'power-on' },
    );
  }

  /** Every reading of this run is made, and none is held any more. */
  get done(): boolean {
    const { retained, quiet } = this.#device;
    return quiet && retained.count === 0 && !retained.losses.unnamed;
  }

  /** It makes no more readings in this run. */
  get quiet(): boolean {
    return this.#device.quiet;
  }

  /** Readings held. */
  get held(): number {
    return this.#device.retained.count;
  }

  /** @throws Fault when the first epoch cannot be made durable */
  start(): void {
    const fault = this.#device.start();
    if (fault !== '')
      throw new Fault('flash-failed', `virtual device ${this.id}: ${fault}`, 'look at the disk of --state');
    this.#poll();
  }

  /** Takes a new link. */
  link(link: Link): LinkHandler {
    this.#link = link;
    this.#opened = false;
    if (this.#paused) link.pause();
    this.#device.linkUp();
    this.#poll();
    return {
      data: bytes => {
        this.#device.receive(bytes);
        this.#poll();
      },
      closed: () => {
        if (this.#link !== link) return;
        this.#link = undefined;
        this.#device.linkDown();
      },
    };
  }

  /** Stop and go on hearing the gateway, so that no more receipts come than can be printed. */
  pause(): void {
    this.#paused = true;
    this.#link?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#link?.resume();
  }

  /** Power off. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#board.close();
  }

  #send(buffer: Uint8Array, from: number, to: number): boolean {
    const link = this.#link;
    if (link === undefined || link.pendingBytes + to - from > MAX_PENDING_BYTES) return false;
    link.send(buffer.subarray(from, to));
    return true;
  }

  #countSealed(): void {
    this.#sealed++;
    if (this.#readings > 0 && this.#sealed >= this.#readings) this.#device.quiet = true;
    this.#events.sealed();
  }

  #poll(): void {
    if (this.#stopped) return;
    const waitMs = this.#device.poll();
    if (!this.#opened && this.#device.session.open) {
      this.#opened = true;
      this.#events.opened();
    }
    if (waitMs === Number.POSITIVE_INFINITY) return;
    const wakeMs = this.#clock.monotonic() + waitMs;
    // A timer that comes earlier does as well: it asks again.
    if (this.#timer !== undefined && this.#wakeMs <= wakeMs) return;
    this.#timer?.cancel();
    this.#wakeMs = wakeMs;
    this.#timer = this.#clock.after(Math.max(1, waitMs), () => {
      this.#timer = undefined;
      this.#wakeMs = Number.POSITIVE_INFINITY;
      this.#poll();
    });
  }
}
