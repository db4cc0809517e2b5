import type { Clock, Timer } from '../ports.js';
import { clockSynchronised } from './machine.js';

/** The longest that a timer of Node runs; longer waits are made of several. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      timer = setTimeout(
        () => (left > MAX_TIMER_MS ? wait(left - MAX_TIMER_MS) : run()),
        Math.min(Math.max(0, left), MAX_TIMER_MS),
      );
    };
    wait(ms);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** The system is asked so often while its clock is not known to be right, and so often afterwards. */
const ASK_MS = 10_000;
const ASK_AGAIN_MS = 600_000;

/** The machine's clock that also says whether it is synchronised, for as long as it is not stopped. */
export class WatchedClock implements Clock {
  readonly now = systemClock.now;
  readonly monotonic = systemClock.monotonic;
  readonly after = systemClock.after;
  synchronised: boolean | undefined;
  #timer: Timer | undefined;
  #stopped = false;

  /** The first answer is there when this resolves. */
  async start(): Promise<void> {
    this.synchronised = await clockSynchronised();
    // Where nothing tells now, nothing will.
    if (this.#stopped || this.synchronised === undefined) return;
    this.#timer = this.after(this.synchronised ? ASK_AGAIN_MS : ASK_MS, () => void this.start());
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}
