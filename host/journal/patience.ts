/**
 * Tells a place that the medium has destroyed from a medium that is out of reach for a while: a segment of which
 * nothing can be read for minutes, while another one can, is damaged. Until then nothing is passed over.
 */
import { systemCode } from '../fault.js';
import type { Clock, Storage } from '../ports.js';
import { segmentName } from './names.js';

const PATIENCE_MS = 120_000;
const MIN_TRIES = 4;
/** Longer than any pause between two tries: what is older is another trouble. */
const FORGET_MS = 300_000;
/** The oldest segments, and as many spread over all others: damage often comes in neighbours. */
const OLDEST_PROBES = 4;
const SPREAD_PROBES = 12;
const MAX_NOTED = 256;
const PROBE_BYTES = 512;

interface Trouble {
  sinceMs: number;
  lastMs: number;
  tries: number;
}

export class Patience {
  readonly #clock: Clock;
  readonly #troubles = new Map<number, Trouble>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing of segment `first` could be read, once more; whether it is to be passed over. */
  async isOver(
    view: { storage: Storage; directory: string; segments: readonly number[] },
    first: number,
    error: unknown,
  ): Promise<boolean> {
    if (systemCode(error) !== 'EIO') return false;
    const nowMs = this.#clock.monotonic();
    let trouble = this.#troubles.get(first);
    if (trouble === undefined) {
      if (this.#troubles.size >= MAX_NOTED) this.#troubles.clear();
      trouble = { sinceMs: nowMs, lastMs: nowMs, tries: 0 };
      this.#troubles.set(first, trouble);
    }
    if (nowMs - trouble.lastMs > FORGET_MS) {
      trouble.sinceMs = nowMs;
      trouble.tries = 0;
    }
    trouble.lastMs = nowMs;
    trouble.tries++;
    if (trouble.tries < MIN_TRIES || nowMs - trouble.sinceMs < PATIENCE_MS) return false;
    return this.#mediumReads(view, first);
  }

  /** Segment `first` can be read after all. */
  worked(first: number): void {
    this.#troubles.delete(first);
  }

  async #mediumReads(
    { storage, directory, segments }: { storage: Storage; directory: string; segments: readonly number[] },
    except: number,
  ): Promise<boolean> {
    const others = segments.filter(first => first !== except);
    // The oldest ones are the least likely to be in the page cache, which a dead medium still shows.
    const later = others.slice(OLDEST_PROBES);
    const step = Math.max(1, later.length / SPREAD_PROBES);
    const spread = Array.from(
      { length: Math.min(SPREAD_PROBES, later.length) },
      (_, i) => later[Math.floor(i * step)],
    );
    for (const first of [...others.slice(0, OLDEST_PROBES), ...spread]) {
      try {
        const file = await storage.open(`${directory}/${segmentName(first)}`, 'read');
        try {
          if ((await file.read(new Uint8Array(PROBE_BYTES), 0)) > 0) return true;
        } finally {
          await file.close();
        }
      } catch {
        // That one is no witness.
      }
    }
    return false;
  }
}
