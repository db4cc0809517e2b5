/** `sovereign`: registers the commands and turns what they throw into exit statuses. */
import { Command, CommanderError } from 'commander';
import { Fault } from '../fault.js';
import { systemTerminal } from '../node/terminal.js';
import { version } from '../version.js';
import { register as device } from './device.js';
import { register as doctor } from './doctor.js';
import { register as flash } from './flash.js';
import { register as gateway } from './gateway.js';
import { register as init } from './init.js';
import { register as journal } from './journal.js';
import { printable } from './output.js';
import { register as simulate } from './simulate.js';
import { register as start } from './start.js';
import { register as status } from './status.js';
import { register as subscribe } from './subscribe.js';
import { register as verify } from './verify.js';

const FAILED = 1;
const WRONG_USAGE = 2;

const program = new Command('sovereign')
  .description('Sealed sensor readings, from the pin to the subscriber, without loss')
  .version(version)
  .showHelpAfterError('(--help tells what is expected)');

for (const register of [
  init,
  gateway,
  device,
  flash,
  simulate,
  subscribe,
  verify,
  journal,
  status,
  doctor,
  start,
])
  register(program);
overrideExit(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = await report(error);
}

/** Commander would leave the process by itself; its own status for wrong usage is 1. */
function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child as Command);
}

async function report(error: unknown): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // commander has said it
  if (!(error instanceof Fault)) throw error;
  if (error.code === 'output-closed') return FAILED; // nobody is listening
  const lines = [
    ...`sovereign: ${error.message}`.split('\n'),
    ...(error.remedy === '' ? [] : [`  ${error.remedy}`]),
  ];
  await systemTerminal.err.write(lines.map(line => `${printable(line)}\n`).join('')).catch(() => {});
  return error.code === 'usage' ? WRONG_USAGE : FAILED;
}
