import type { Clock, Timer } from '../../../host/ports.js';
import type { Life } from './life.js';

/** The beginning of every run: 2026-01-01T00:00:00Z. */
export const BEGIN_UNIX_MS = 1_767_225_600_000;

/** The clock of one machine, which outlives the processes on it. */
export interface WallClock {
  /** Added to the true time; moved by faults. */
  offsetMs: number;
  /** As the system says it; undefined: nothing tells. */
  synchronised: boolean | undefined;
}

/** A machine's clock, as one process on it sees it. */
export class SimClock implements Clock {
  readonly #life: Life;
  readonly #wall: WallClock;
  readonly #bornMs: number;

  constructor(life: Life, wall: WallClock) {
    this.#life = life;
    this.#wall = wall;
    this.#bornMs = life.world.nowMs;
  }

  get synchronised(): boolean | undefined {
    return this.#wall.synchronised;
  }

  now(): number {
    return Math.floor(BEGIN_UNIX_MS + this.#life.world.nowMs + this.#wall.offsetMs);
  }

  monotonic(): number {
    return this.#life.world.nowMs - this.#bornMs;
  }

  after(ms: number, run: () => void): Timer {
    return this.#life.after(ms, run);
  }
}
