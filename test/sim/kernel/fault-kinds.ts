/**
 * Every kind of fault that the simulation injects, with what it does. A scenario switches a random part of them on, so that
 * each is also seen without the others.
 *
 * The rate of a kind is a probability for each occasion (`Faults.hit`), or, where the text begins with "now and then", a
 * mean number an hour (`Faults.arrivals`).
 */
export const FAULT_KINDS = {
  'clock-jump': 'now and then: the gateway’s wall clock is set, forwards or backwards',
} as const;

export type FaultKind = keyof typeof FAULT_KINDS;
