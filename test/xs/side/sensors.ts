/** Holds the sources against peripherals that fail as told: the checks that Node runs. */
import { CHECKS, runCheck } from '../../firmware/sensors/checks.js';
import { offer } from './exported.js';

offer({
  names: () => CHECKS.map(({ name }) => name),
  check: (index: number) => runCheck(CHECKS[index]),
});
