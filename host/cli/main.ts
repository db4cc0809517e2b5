/**
 * `sovereign`: registers the commands and turns what they throw into exit statuses.
 *
 * Half of a start is loading modules, so the module of one command is loaded when the first argument names it, and
 * all of them only where all are to be listed: for help, and for a word that is none of them.
 */
import { Command, CommanderError } from 'commander';
import { Fault } from '../fault.js';
import { systemTerminal } from '../node/terminal.js';
import { version } from '../version.js';
import { printable } from './output.js';

const FAILED = 1;
const WRONG_USAGE = 2;

const COMMANDS: Readonly<Record<string, () => Promise<{ register(program: Command): void }>>> = {
  init: () => import('./init.js'),
  gateway: () => import('./gateway.js'),
  device: () => import('./device.js'),
  flash: () => import('./flash.js'),
  simulate: () => import('./simulate.js'),
  subscribe: () => import('./subscribe.js'),
  verify: () => import('./verify.js'),
  journal: () => import('./journal.js'),
  status: () => import('./status.js'),
  devices: () => import('./devices.js'),
  tail: () => import('./tail.js'),
  drain: () => import('./drain.js'),
  pause: () => import('./pause.js'),
  resume: () => import('./resume.js'),
  quarantine: () => import('./quarantine.js'),
  log: () => import('./log.js'),
  backup: () => import('./backup.js'),
  restore: () => import('./restore.js'),
  doctor: () => import('./doctor.js'),
  start: () => import('./start.js'),
};

const program = new Command('sovereign')
  .description('Sealed sensor readings, from the pin to the subscriber, without loss')
  .version(version)
  .showHelpAfterError('(--help tells what is expected)');

const named = process.argv[2] ?? '';
for (const name of Object.hasOwn(COMMANDS, named) ? [named] : Object.keys(COMMANDS)) {
  const { register } = await COMMANDS[name]();
  register(program);
}
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
