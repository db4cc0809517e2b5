/** Everything that holds of the sources, for whoever runs it: Node, and XS. */
import { ANALOG_CHECKS } from './analog-checks.js';
import { type Check, Findings } from './bench.js';
import { DIGITAL_CHECKS } from './digital-checks.js';
import { DRIVER_CHECKS } from './driver-checks.js';
import { MEASUREMENT_CHECKS } from './measurement-checks.js';

export const CHECKS: readonly Check[] = [
  ...MEASUREMENT_CHECKS,
  ...DRIVER_CHECKS,
  ...ANALOG_CHECKS,
  ...DIGITAL_CHECKS,
];

/** @returns what is not as expected */
export function runCheck(check: Check): string[] {
  const found = new Findings();
  check.run(found);
  return found.list;
}
