import type { Clock } from '../ports.js';

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
