/** Asks a running gateway. */
import { Fault } from '../fault.js';
import type { Clock, Link, LinkHandler } from '../ports.js';
import {
  type ControlAnswer,
  type ControlCall,
  type ControlCalls,
  encodeMessage,
  MAX_ANSWER_BYTES,
  MessageDecoder,
  readAnswer,
} from './protocol.js';

/** Opens the socket at a path; rejects with the system's error. */
export type Connect = (path: string, handler: (link: Link) => LinkHandler) => Promise<void>;

const ANSWER_MS = 10_000;

/**
 * One call, on a connection of its own.
 * @throws Fault `gateway-absent` when nobody listens there, `gateway-silent`, `gateway-failed`
 */
export async function callGateway<C extends ControlCall>(
  ports: { readonly clock: Clock; readonly connect: Connect },
  path: string,
  call: C,
): Promise<ControlCalls[C]> {
  const answer = await new Promise<ControlAnswer>((resolve, reject) => {
    let link: Link | undefined;
    const finish = (settle: () => void) => {
      timer.cancel();
      settle();
      link?.close();
    };
    const failed = (message: string) =>
      finish(() =>
        reject(new Fault('gateway-silent', `${path}: ${message}`, 'look at the log of the gateway')),
      );
    const timer = ports.clock.after(ANSWER_MS, () => failed(`no answer within ${ANSWER_MS / 1000} s`));
    const decoder = new MessageDecoder(MAX_ANSWER_BYTES, text => {
      const read = readAnswer(text);
      if (read === undefined) failed('the answer is not one of this version');
      else finish(() => resolve(read));
    });
    ports
      .connect(path, opened => {
        link = opened;
        opened.send(encodeMessage({ call }));
        return {
          data: bytes => void (decoder.push(bytes) || failed('the answer has a length out of bounds')),
          closed: reason => failed(`the gateway closed the connection: ${reason}`),
        };
      })
      .catch(error => finish(() => reject(error)));
  });
  if (!answer.ok) throw new Fault('gateway-failed', `the gateway says: ${answer.message}`, '');
  return answer.value as ControlCalls[C];
}
