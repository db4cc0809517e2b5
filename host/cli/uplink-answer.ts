import type { UplinkAnswer } from '../control/calls.js';
import type { Output } from './output.js';

/** How the uplink stands after it was told something. */
export async function sayUplink(output: Output, answer: UplinkAnswer): Promise<void> {
  if (output.json) return output.object(answer);
  const left = answer.drained ? 'nothing is waiting' : `${answer.behind} offsets are waiting`;
  const doing = answer.paused ? output.style('yellow', 'paused') : answer.state;
  return output.line(`uplink ${doing}, ${left}`);
}
