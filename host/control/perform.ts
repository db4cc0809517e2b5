/** From a request to its answer, for whoever takes requests: the control socket, the page. */
import { Fault } from '../fault.js';
import type { Log } from '../ports.js';
import {
  ACCESS,
  type BadRequest,
  type BeginStream,
  type CallRequest,
  type ControlAnswer,
  type ControlHandlers,
  type ControlRequest,
  type StreamRequest,
} from './calls.js';
import { AUDIT } from './log-book.js';

/**
 * The answer to a call. Never rejects.
 * @param peer who asks, where that is not the owner of the socket
 */
export async function perform(
  handlers: ControlHandlers,
  request: ControlRequest | BadRequest,
  log: Log,
  peer?: string,
): Promise<ControlAnswer> {
  if ('fault' in request) return { ok: false, code: request.fault, message: request.message };
  const { call, args } = request as CallRequest;
  try {
    const handler = handlers[call] as (given: typeof args) => unknown;
    const value = await handler(args);
    // Who looks after a gateway wants to know later what others have told it.
    if (ACCESS[call] === 'write') log.info(AUDIT, { call, what: Object.values(args).join(' '), peer });
    return { ok: true, value };
  } catch (error) {
    return failure(call, error, log);
  }
}

/** The answer to a request for a stream, which has to be sent first, and what begins it; without that, `answer` says why not. */
export function openStream(
  handlers: ControlHandlers,
  { call, args }: StreamRequest,
  log: Log,
): { readonly answer: ControlAnswer; readonly begin?: BeginStream<unknown> } {
  try {
    const handler = handlers[call] as (given: typeof args) => BeginStream<unknown>;
    return { begin: handler(args), answer: { ok: true, value: { stream: call } } };
  } catch (error) {
    return { answer: failure(call, error, log) };
  }
}

/** A Fault is for who asked; anything else is for the log as well. */
function failure(call: string, error: unknown, log: Log): ControlAnswer {
  if (error instanceof Fault) {
    const { code, message, remedy } = error;
    return { ok: false, code, message, ...(remedy !== '' && { remedy }) };
  }
  log.error('control-failed', { call, error: String(error) });
  return { ok: false, code: 'failed', message: error instanceof Error ? error.message : String(error) };
}
