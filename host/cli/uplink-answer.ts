import type { UplinkAnswer } from '../control/calls.js';
import type { Output } from './output.js';

/** How the uplink stands after it was told something. */
export async function sayUplink(output: Output, answer: UplinkAnswer): Promise<void> {
  if (output.json) return output.object(answer);
  const left = answer.drained ? 'drained' : backlogText(answer.backlog);
  const doing = answer.paused ? output.style('yellow', 'paused') : answer.state;
  return output.line(`uplink ${doing}, ${left}`);
}

/** `backlog of 12` */
export const backlogText = (backlog: number) => `backlog of ${backlog}`;
