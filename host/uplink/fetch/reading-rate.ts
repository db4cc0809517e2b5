import type { Clock, Timer } from '../../ports.js';

/** Reading runs ahead of its rate by no more. */
const BURST_MS = 100;

/** Keeps what is read of the journal for others to a rate, whether anything of it is sent or not. */
export class ReadingRate {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #until = 0;
  #resting: { timer: Timer; end: () => void } | undefined;
  #stopped = false;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Resolves when the next may be read, or nothing more will be. One call at a time. */
  rest(entries: number): Promise<void> {
    const now = this.#clock.monotonic();
    this.#until = Math.max(this.#until, now - BURST_MS) + (entries * 1000) / this.#perSecond;
    const pauseMs = this.#until - now;
    if (pauseMs < 1 || this.#stopped) return Promise.resolve();
    return new Promise(resolve => {
      const end = () => {
        this.#resting = undefined;
        resolve();
      };
      this.#resting = { timer: this.#clock.after(Math.ceil(pauseMs), end), end };
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#resting?.timer.cancel();
    this.#resting?.end();
  }
}
