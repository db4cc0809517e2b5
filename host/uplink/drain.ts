/** How fast readings go out and come in, over the last ten seconds, and what follows from that. */
import type { Clock } from '../ports.js';

const SECONDS = 10;

export class Drain {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #published = new Array<number>(SECONDS).fill(0);
  readonly #arrived = new Array<number>(SECONDS).fill(0);
  readonly #beganAt: number;
  /** The last second that is counted in. */
  #second: number;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
    this.#second = this.#now();
  }

  published(count: number): void {
    this.#forget();
    this.#published[this.#second % SECONDS] += count;
  }

  arrived(count: number): void {
    this.#forget();
    this.#arrived[this.#second % SECONDS] += count;
  }

  /** Readings acknowledged a second. */
  get ratePerSecond(): number {
    return this.#rate(this.#published);
  }

  /** Until so many are gone while others come in; undefined when they get no fewer. */
  secondsFor(backlog: number): number | undefined {
    const net = this.#rate(this.#published) - this.#rate(this.#arrived);
    return net > 0 ? Math.ceil(backlog / net) : undefined;
  }

  #rate(counts: readonly number[]): number {
    this.#forget();
    const seconds = Math.min(SECONDS, Math.max(1, (this.#clock.monotonic() - this.#beganAt) / 1000));
    return Math.round((10 * counts.reduce((sum, count) => sum + count, 0)) / seconds) / 10;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / 1000);
  }

  /** Empties what was counted longer ago. */
  #forget(): void {
    const now = this.#now();
    for (let second = Math.max(this.#second + 1, now - SECONDS + 1); second <= now; second++) {
      this.#published[second % SECONDS] = 0;
      this.#arrived[second % SECONDS] = 0;
    }
    this.#second = now;
  }
}
