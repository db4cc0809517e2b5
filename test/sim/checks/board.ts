/**
 * Holds one board to what a device promises: what it has sealed it keeps, until a true receipt or a loss that it counts;
 * what was in flash outlives a power cut; only a fork is refused, sent forward or given up; a time that it tells is right;
 * no key in use lies in flash.
 */
import type { Device } from '../../../firmware/device.js';
import type { Observer } from '../../../firmware/ports.js';
import { toHex } from '../../../firmware/seal/index.js';
import type { FlashBacklog } from '../../../firmware/store/flash-backlog.js';
import type { DeviceKeys } from '../actors/keys.js';
import { BEGIN_UNIX_MS } from '../kernel/sim-clock.js';
import { Violation } from '../kernel/violation.js';
import type { World } from '../kernel/world.js';
import { type Ledger, Lineage, type Sealed } from './ledger.js';

/** Half of the longest answer that counts, and what a clock drifts by until the next one. */
const TIME_ERROR_MS = 2_000;

/** The board as this looks at it. */
export interface Watched {
  readonly name: string;
  readonly device: Device | undefined;
  readonly uptimeMs: number;
  /** Both key slots, as they are in flash. */
  readonly slots: Buffer;
}

export class BoardCheck {
  lineage: Lineage;
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #board: Watched;
  readonly #keys: DeviceKeys;
  #backlog: FlashBacklog | undefined;
  /** What it must have: sealed or found at boot, and neither freed nor lost. */
  readonly #held = new Set<Sealed>();
  /** What was in flash when it went off. */
  #kept: readonly Sealed[] = [];
  #refusing: { epoch: number; seq: number; tag8: string } | undefined;
  #epoch = -1;

  constructor(world: World, ledger: Ledger, board: Watched, keys: DeviceKeys, lineage = new Lineage()) {
    this.#world = world;
    this.#ledger = ledger;
    this.#board = board;
    this.#keys = keys;
    this.lineage = lineage;
  }

  /** For the device of this boot. */
  get observer(): Observer {
    const { id } = this.#keys;
    return {
      sealed: (epoch, seq, kind, buffer, from, to) => {
        if (epoch !== this.#epoch) this.#checkKeys(epoch);
        this.#held.add(this.#ledger.sealed(id, this.lineage, epoch, seq, kind, buffer, from, to));
        this.#checkTime();
      },
      receipted: (epoch, seq, buffer, from, to) =>
        this.#held.delete(this.#ledger.receipted(id, epoch, seq, buffer, from, to)),
      lost: (epoch, seq) => {
        const refused = this.#refusing;
        // With the refused one may go what was missing behind it.
        const tag8 = refused?.epoch === epoch && refused.seq === seq ? refused.tag8 : undefined;
        for (const sealed of this.#ledger.lost(id, this.lineage, epoch, seq, tag8)) this.#held.delete(sealed);
      },
    };
  }

  /** It starts: what was in flash is still there, also when power went while something was written. */
  boot(backlog: FlashBacklog): void {
    this.#backlog = backlog;
    this.lineage.booted();
    this.#epoch = -1;
    const found = new Set(this.#entries(backlog.count));
    for (const sealed of this.#kept)
      if (!found.has(sealed)) this.#fail('a backlog outlives a power cut', `${sealed}`);
    this.#kept = [];
    this.#held.clear();
    for (const sealed of found) this.#held.add(sealed);
  }

  /** It is about to end, in the middle of whatever it does. */
  off(): void {
    this.#kept = this.#entries(this.#backlog?.kept ?? 0);
    this.#backlog = undefined;
  }

  /** Its flash now holds what another one, or it at another time, held. */
  replaced(lineage: Lineage): void {
    this.#kept = [];
    this.lineage = lineage;
  }

  /** Everything that has neither been freed nor lost is held. */
  held(): void {
    if (this.#backlog === undefined) return;
    const found = new Set(this.#entries(this.#backlog.count));
    for (const sealed of this.#held)
      if (!found.has(sealed)) this.#fail('a backlog keeps what was sealed', `${sealed}`);
  }

  /** Hears the words that only a fork should lead to. */
  listen(device: Device): void {
    const { id } = this.#keys;
    const refuse = device.refuse.bind(device);
    device.refuse = message => {
      const { epoch, seq, bytes, tag8At } = message;
      this.#refusing = { epoch, seq, tag8: toHex(bytes, tag8At, tag8At + 8) };
      try {
        refuse(message);
      } finally {
        this.#refusing = undefined;
      }
    };
    const giveUp = device.retained.giveUp.bind(device.retained);
    device.retained.giveUp = (epoch, seq) => {
      if (!this.#ledger.forked(id)) this.#fail('only forks are given up', `up to ${epoch}:${seq}`);
      giveUp(epoch, seq);
    };
    const advance = device.advance.bind(device);
    device.advance = message => {
      if (!this.#ledger.forked(id)) this.#fail('only forks are advanced', `to ${message.epoch}`);
      advance(message);
    };
  }

  /** The first entries of the backlog. */
  #entries(count: number): Sealed[] {
    const backlog = this.#backlog;
    const entries: Sealed[] = [];
    for (let i = 0; i < count && backlog?.select(i); i++) {
      const { epoch, seq, buffer, from, to } = backlog;
      if (to === from) continue;
      const sealed = this.#ledger.exact(this.#keys.id, epoch, seq, buffer, from, to);
      if (sealed === undefined)
        this.#fail('a backlog keeps what was sealed', `it holds another ${epoch}:${seq}`);
      entries.push(sealed);
    }
    return entries;
  }

  /** A time that is told is right, unless the gateway's own was wrong. */
  #checkTime(): void {
    const { faults, nowMs } = this.#world;
    const { device, uptimeMs } = this.#board;
    if (device === undefined || faults.has('clock-jump')) return;
    const unixMs = device.time.unixMs(uptimeMs);
    if (unixMs >= 0 && Math.abs(unixMs - BEGIN_UNIX_MS - nowMs) > TIME_ERROR_MS)
      this.#fail('a time is right or absent', `${unixMs} at ${nowMs}`);
  }

  /** Whoever reads the flash of a board learns no key of what it has sealed, nor of what it seals now. */
  #checkKeys(epoch: number): void {
    this.#epoch = epoch;
    if (this.#board.slots.includes(Buffer.from(this.#keys.chain(epoch))))
      this.#fail('no key of an epoch in use lies in flash', `epoch ${epoch}`);
  }

  #fail(what: string, details: string): never {
    throw new Violation(what, `${this.#board.name}: ${details}`);
  }
}
