/** The journals of a site's gateways, of which each but the last has been replaced: what the ledger asks of them together. */
import { comparePlaces, type DevicePosition } from '../../../host/journal/entry.js';
import type { World } from '../kernel/world.js';
import type { JournalCheck } from './journal.js';
import type { DurableJournals } from './ledger.js';

interface Journal {
  readonly check: JournalCheck;
  /** Where it stood at the backup from which the next one goes on; undefined: it is the last one. */
  positions?: ReadonlyMap<string, DevicePosition>;
  goneMs: number;
}

/** How long what a gateway has said may be under way when it is gone. */
const UNDER_WAY_MS = 20 * 60_000;

export class SiteJournals implements DurableJournals {
  readonly #world: World;
  readonly #journals: Journal[];

  constructor(world: World, first: JournalCheck) {
    this.#world = world;
    this.#journals = [{ check: first, goneMs: Number.POSITIVE_INFINITY }];
  }

  /** That of the gateway that goes on now. */
  get current(): JournalCheck {
    return this.#journals.at(-1)!.check;
  }

  *all(): Iterable<JournalCheck> {
    for (const { check } of this.#journals) yield check;
  }

  /** The machine of this journal is gone, or is there again. */
  gone(check: JournalCheck, gone: boolean): void {
    for (const journal of this.#journals)
      if (journal.check === check) journal.goneMs = gone ? this.#world.nowMs : Number.POSITIVE_INFINITY;
  }

  /** Another one goes on, from where devices stood in a backup. */
  next(check: JournalCheck, positions: ReadonlyMap<string, DevicePosition>): void {
    this.#journals.at(-1)!.positions = positions;
    this.#journals.push({ check, goneMs: Number.POSITIVE_INFINITY });
  }

  receipted(device: string, epoch: number, seq: number, tag8: string): void {
    const { current } = this;
    let right = current.warrants(device, epoch, seq, tag8);
    for (const { check, positions, goneMs } of this.#journals) {
      if (check === current) break;
      const last = positions?.get(device);
      // What lies before the backup the new gateway knows; what lies behind it, only the old one can have receipted.
      const known = last !== undefined && comparePlaces(epoch, seq, last.epoch, last.seq) <= 0;
      if (!known && this.#world.nowMs > goneMs + UNDER_WAY_MS) continue;
      right = check.warrants(device, epoch, seq, tag8) || right;
    }
    if (!right) current.receipted(device, epoch, seq, tag8);
  }

  refused(device: string, epoch: number, seq: number, tag8: string): void {
    for (const check of this.all()) if (check.provesRefusal(device, epoch, seq, tag8)) return;
    this.current.refused(device, epoch, seq, tag8);
  }

  wasDurable(device: string, epoch: number, seq: number, tag8: string): boolean {
    for (const check of this.all()) if (check.wasDurable(device, epoch, seq, tag8)) return true;
    return false;
  }
}
