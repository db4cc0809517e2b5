/**
 * Why a sensor gives no value. The numbers are for the device's own use; the words are what a fault reading
 * says, and they stay what they are. Numbers, because comparing strings costs memory on XS.
 */
export const Trouble = Object.freeze({
  none: 0,
  notFound: 1,
  wrongDevice: 2,
  noAnswer: 3,
  driverError: 4,
  noValue: 5,
  outOfRange: 6,
  stuck: 7,
  reset: 8,
  railLow: 9,
  railHigh: 10,
  openCircuit: 11,
  shortCircuit: 12,
  unsteady: 13,
  badAnswer: 14,
} as const);
export type Trouble = (typeof Trouble)[keyof typeof Trouble];

/** In the order of the numbers. */
export const TROUBLE_WORDS: readonly string[] = Object.freeze([
  'none',
  'not-found',
  'wrong-device',
  'no-answer',
  'driver-error',
  'no-value',
  'out-of-range',
  'stuck',
  'reset',
  'rail-low',
  'rail-high',
  'open-circuit',
  'short-circuit',
  'unsteady',
  'bad-answer',
]);
