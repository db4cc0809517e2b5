/** What the machine itself brings along. */
import { systemClock } from '../../node/clock.js';
import { clockSynchronised, nodeVersion, programOutput } from '../../node/machine.js';
import type { Finding } from './finding.js';

const LEAST_NODE = [20, 15] as const;
/** A clock before this has never been set: there was no such version yet. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

export function checkNode(version = nodeVersion): Finding {
  const [major, minor] = version.split('.').map(Number);
  const enough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (enough) return { check: 'node', state: 'ok', text: `Node ${version}` };
  const text = `Node ${version}, expected ${LEAST_NODE.join('.')} or later`;
  return {
    check: 'node',
    state: 'wrong',
    text,
    remedy: 'apt-get install nodejs on Debian 13, or nodejs.org',
  };
}

interface Wanted {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly needed: boolean;
  readonly purpose: string;
  readonly package: string;
}

const PROGRAMS: readonly Wanted[] = [
  {
    program: 'flock',
    arguments: ['--version'],
    needed: true,
    purpose: 'keeps a data directory and a keyring to one process',
    package: 'util-linux',
  },
  {
    program: 'mosquitto',
    arguments: ['-h'],
    needed: false,
    purpose: 'is a broker for this machine, unless another one is used',
    package: 'mosquitto',
  },
  {
    program: 'gcc',
    arguments: ['--version'],
    needed: false,
    purpose: 'is for the tests on the XS engine alone',
    package: 'gcc make',
  },
];

export function checkPrograms(): Promise<Finding[]> {
  return Promise.all(
    PROGRAMS.map(async ({ program, arguments: args, needed, purpose, package: name }): Promise<Finding> => {
      const found = await present(program, args);
      if (found) return { check: program, state: 'ok', text: 'is installed' };
      const state = needed ? 'wrong' : 'note';
      return {
        check: program,
        state,
        text: `is not installed; it ${purpose}`,
        remedy: `apt-get install ${name}`,
      };
    }),
  );
}

/** Mosquitto ends its help with a status of its own, so what counts is that the shell finds it. */
async function present(program: string, args: readonly string[]): Promise<boolean> {
  const found = await programOutput('sh', ['-c', 'command -v "$1"', 'sh', program]);
  return found !== undefined || (await programOutput(program, args)) !== undefined;
}

export async function checkClock(now = systemClock.now): Promise<Finding[]> {
  const at = new Date(now());
  if (at.getTime() < EARLIEST_MS)
    return [
      {
        check: 'clock',
        state: 'wrong',
        text: `says ${at.toISOString()}: it has not been set`,
        remedy: 'timedatectl set-ntp true, or connect the machine to a network with a time server',
      },
    ];
  const synchronised = await clockSynchronised();
  if (synchronised) return [{ check: 'clock', state: 'ok', text: 'is synchronised' }];
  const text =
    synchronised === false ? 'is not synchronised' : 'nothing here tells whether it is synchronised';
  return [{ check: 'clock', state: 'note', text, remedy: 'timedatectl set-ntp true' }];
}
