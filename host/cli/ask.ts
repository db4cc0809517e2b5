/** Asking the gateway that runs with a configuration. */
import { join } from 'node:path';
import type { ControlCall, ControlCalls, ControlStream, ControlStreams } from '../control/calls.js';
import { callGateway, followGateway, type StreamReader } from '../control/client.js';
import { systemClock } from '../node/clock.js';
import { onStopSignal } from '../node/stop-signals.js';
import { connectUnix } from '../node/unix-socket.js';
import { type ConfigOption, configOf } from './context.js';

/** Of the data directory. */
export const CONTROL_SOCKET = 'control.sock';

const ports = { clock: systemClock, connect: connectUnix };

/** @throws Fault `gateway-absent`, or what the gateway says */
export async function ask<C extends ControlCall>(
  options: ConfigOption,
  call: C,
  args: ControlCalls[C]['args'],
): Promise<ControlCalls[C]['value']> {
  return callGateway(ports, await socketOf(options), call, args);
}

/** Follows a stream until the process is told to stop. @throws Fault as `ask`, and when the gateway goes */
export async function follow<S extends ControlStream>(
  options: ConfigOption,
  stream: S,
  args: ControlStreams[S]['args'],
  reader: StreamReader<ControlStreams[S]['item']>,
): Promise<void> {
  const path = await socketOf(options);
  let forget = () => {};
  const stopped = new Promise<void>(resolve => {
    forget = onStopSignal(resolve);
  });
  try {
    await followGateway(ports, path, stream, args, reader, stopped);
  } finally {
    forget();
  }
}

async function socketOf(options: ConfigOption): Promise<string> {
  return join((await configOf(options)).dataDirectory, CONTROL_SOCKET);
}
