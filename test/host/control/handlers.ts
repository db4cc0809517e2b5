import { CALLS, type ControlHandlers, isStream } from '../../../host/control/calls.js';
import { emptyStatus } from './status.js';

/** A gateway's handlers of which only some do anything; the others answer that they failed. */
export function handlersWith(some: Partial<ControlHandlers> = {}): ControlHandlers {
  const none = CALLS.map(call => [
    call,
    () => {
      throw new Error(`${isStream(call) ? 'stream' : 'call'} ${call} is not for this test`);
    },
  ]);
  return { ...Object.fromEntries(none), status: () => emptyStatus, ...some };
}
