/** Buttons for what changes something at the gateway: it asks for the token when there was none yet. */
import type { ControlCalls } from '../../control/calls.js';
import { CallError } from './connection.js';
import { el } from './dom.js';
import type { Context } from './view.js';

type Action = 'drain' | 'pause' | 'resume' | 'quarantine-release' | 'log-level';

/** @throws CallError */
export async function change<A extends Action>(
  context: Context,
  call: A,
  args: ControlCalls[A]['args'],
  what: string,
): Promise<ControlCalls[A]['value'] | undefined> {
  if (!(await context.unlock(what))) return undefined;
  try {
    return await context.connection.call(call, args);
  } catch (error) {
    context.notice(faultText(error), 'bad');
    return undefined;
  }
}

export function faultText(error: unknown): string {
  if (!(error instanceof CallError)) return String(error);
  return error.remedy === '' ? error.message : `${error.message}: ${error.remedy}`;
}

export function actionButton<A extends Action>(
  context: Context,
  label: string,
  call: A,
  args: ControlCalls[A]['args'],
  done: (value: ControlCalls[A]['value']) => void,
): HTMLButtonElement {
  const button = el('button', { type: 'button' }, label);
  button.addEventListener('click', async () => {
    button.disabled = true;
    const value = await change(context, call, args, label);
    button.disabled = false;
    if (value !== undefined) done(value);
  });
  return button;
}
