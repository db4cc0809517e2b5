import test from 'ava';
import { CHECKS, runCheck } from './checks.js';

for (const check of CHECKS) {
  test(check.name, t => t.deepEqual(runCheck(check), []));
}
