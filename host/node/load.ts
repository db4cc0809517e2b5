import { availableParallelism } from 'node:os';

/** How many processes this machine runs at a time. */
export const CORES = availableParallelism();

/** Gives, at each call, the share of the time since the call before in which this process was not idle: 0 to 1. */
export function busyShares(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
