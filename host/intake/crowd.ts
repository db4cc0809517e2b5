/**
 * The links of one source that have not shown who they are. There are only so many of them, the oldest goes
 * first, and none stays for long; so whoever opens connections keeps nobody out who has something to show.
 */
import type { Clock, Link, Timer } from '../ports.js';
import type { Counters } from './counters.js';

export interface CrowdLimits {
  /** Absent: as many as the source yields. */
  readonly maxUnauthenticated?: number;
  /** A link that has not authenticated by then is closed. Absent: never. */
  readonly deadlineMs?: number;
}

export class Crowd {
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #limits: CrowdLimits;
  /** In the order of their coming. */
  readonly #waiting = new Map<Link, Timer | undefined>();

  constructor(clock: Clock, counters: Counters, limits: CrowdLimits) {
    this.#clock = clock;
    this.#counters = counters;
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** A new link, or one whose session is over. */
  enter(link: Link): void {
    const { maxUnauthenticated = Number.POSITIVE_INFINITY, deadlineMs } = this.#limits;
    this.leave(link);
    const timer =
      deadlineMs === undefined
        ? undefined
        : this.#clock.after(deadlineMs, () => this.#close(link, 'closed:unauthenticated'));
    this.#waiting.set(link, timer);
    if (this.#waiting.size <= maxUnauthenticated) return;
    const [oldest] = this.#waiting.keys();
    this.#close(oldest, 'closed:crowded-out');
  }

  /** The link has shown who it is, or is gone. */
  leave(link: Link): void {
    this.#waiting.get(link)?.cancel();
    this.#waiting.delete(link);
  }

  #close(link: Link, why: string): void {
    this.leave(link);
    this.#counters.add(why);
    link.close();
  }
}
