import type { Clock, Timer } from '../../host/ports.js';

interface Entry {
  at: number;
  order: number;
  run: () => void;
}

/** A clock that moves only when told: timers run in the order of their times, and of their making at equal times. */
export class FakeClock implements Clock {
  /** Added to monotonic time to make wall time; set it to let the wall clock jump. */
  offsetMs: number;
  synchronised: boolean | undefined;
  #now = 0;
  #made = 0;
  readonly #timers = new Set<Entry>();

  constructor(unixMs = 1_780_000_000_000) {
    this.offsetMs = unixMs;
  }

  now(): number {
    return this.offsetMs + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#made++, run };
    this.#timers.add(entry);
    return { cancel: () => void this.#timers.delete(entry) };
  }

  /** How many timers are waiting. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass; what is due runs at its own time, also what the runs themselves set up. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#due(end); next !== undefined; next = this.#due(end)) {
      this.#timers.delete(next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }

  /** As `advance`, in steps, with a turn of the event loop after each, so that promises move too. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.advance(Math.min(stepMs, left));
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  #due(end: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#timers)
      if (
        entry.at <= end &&
        (!first || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
      )
        first = entry;
    return first;
  }
}
