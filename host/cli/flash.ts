/** `sovereign flash`: builds the firmware of a board with the Moddable SDK, and puts it onto the board. */
import { delimiter } from 'node:path';
import type { Command } from 'commander';
import { Fault } from '../fault.js';
import { shellWord } from '../keyring/file.js';
import { fileKind, hostPlatform, programOutput } from '../node/machine.js';
import { packageRoot } from '../node/package-root.js';
import { runProgram } from '../node/run-program.js';
import { NodeStorage } from '../node/storage.js';
import { systemTerminal } from '../node/terminal.js';
import { readTextFile } from '../node/text-file.js';
import { outputOf, usageFault } from './context.js';
import type { Finding } from './doctor/finding.js';
import { type BoardFolder, listBoards } from './flash/boards.js';
import {
  checkFamily,
  checkSdk,
  type Family,
  familyOf,
  type ToolMachine,
  toolsDirectory,
} from './flash/toolchain.js';
import { type Output, printable, type Terminal } from './output.js';

interface Options {
  readonly board?: string;
  readonly port?: string;
  readonly dryRun?: boolean;
  readonly buildOnly?: boolean;
}

export function register(program: Command, terminal: Terminal = systemTerminal): void {
  program
    .command('flash')
    .description('build the firmware of a board with the Moddable SDK, and put it onto the board')
    .option('--board <name>', 'a folder of boards/; without it, they are listed')
    .option('--port <port>', 'where the board is (ESP32; a Pico is found in its BOOTSEL mode)')
    .option('--build-only', 'build it and leave the board alone')
    .option('--dry-run', 'only say what would be run')
    .action((options: Options) => flash(options, outputOf({}, terminal), machineOf(terminal)));
}

/** The machine as the toolchain's checks want it. */
export function machineOf(terminal: Terminal): ToolMachine {
  return {
    environment: name => terminal.environment(name),
    platform: hostPlatform,
    fileKind,
    readText: readTextFile,
    programOutput,
  };
}

async function flash(options: Options, output: Output, machine: ToolMachine): Promise<void> {
  const root = await packageRoot();
  if (root === undefined)
    throw new Fault(
      'firmware-missing',
      'the firmware is not beside this program: boards/ and firmware/ are missing',
      'install the whole package, or run it from a checkout',
    );
  const boards = await listBoards(root, {
    list: path => new NodeStorage().list(path),
    readText: readTextFile,
  });
  const { board: name } = options;
  if (name === undefined) {
    for (const { name, target } of boards) await output.line(`${name}\t${target}`);
    if (boards.length > 0) await output.note('flash one of them with --board NAME');
    return;
  }
  const board = boards.find(one => one.name === name);
  if (board === undefined) {
    const known = boards.map(one => one.name).join(', ') || 'none';
    throw usageFault(`--board: no such board ${JSON.stringify(name)}; there are ${known}`);
  }
  const family = familyOf(board.target);
  if (family === undefined)
    throw new Fault(
      'target-unknown',
      `${board.manifest}: the target ${board.target} is neither a pico nor an esp32`,
      'set build.SOVEREIGN_TARGET there',
    );
  const run = await commandsOf(board, family, options, machine);
  const findings = [...(await checkSdk(machine)), ...(await checkFamily(machine, family))];
  const wrong = findings.filter(({ state }) => state === 'wrong');
  if (options.dryRun) {
    for (const line of run.lines) await output.line(line);
    for (const { text, remedy } of wrong) await output.note(`missing: ${printable(`${text}: ${remedy}`)}`);
    return;
  }
  if (wrong.length > 0) throw missingFault(name, wrong);
  if (options.port !== undefined && family === 'pico')
    await output.note('a Pico is found by itself: hold BOOTSEL while plugging it in; --port is not needed');
  for (const [index, args] of run.arguments.entries()) {
    await output.note(run.lines[index]!);
    let fatal = '';
    const code = await runProgram(
      run.mcconfig,
      args,
      { directory: root, environment: run.environment },
      line => {
        // The linker says so and ends with status 0; what it has made does not start.
        if (/\bFATAL\b/.test(line)) fatal ||= line;
      },
    );
    if (fatal !== '')
      throw new Fault(
        'flash-failed',
        `the image of ${name} would not start: ${printable(fatal)}`,
        'mend the firmware',
      );
    if (code !== 0)
      throw new Fault(
        'flash-failed',
        `mcconfig ${code === undefined ? 'could not be started' : `ended with status ${code}`} while it ${index === 0 ? `built ${name}` : `put ${name} onto the board`}`,
        index === 0
          ? 'what it said stands above; sovereign doctor checks the toolchain'
          : 'look at the cable and at --port; a Pico must be in BOOTSEL mode',
      );
  }
  if (!options.buildOnly) await output.note('done; give it its keys: sovereign device provision --port PORT');
}

interface Commands {
  readonly mcconfig: string;
  readonly arguments: readonly (readonly string[])[];
  readonly environment: Readonly<Record<string, string>>;
  /** The same as a shell would take them. */
  readonly lines: readonly string[];
}

/** Builds first and deploys then, so that a failed build never puts an older image onto the board. */
async function commandsOf(
  board: BoardFolder,
  family: Family,
  options: Options,
  machine: ToolMachine,
): Promise<Commands> {
  const moddable = machine.environment('MODDABLE') ?? '';
  const tools = moddable === '' ? '' : toolsDirectory(moddable, machine.platform);
  const path = machine.environment('PATH') ?? '';
  const port = family === 'esp32' ? options.port : undefined;
  const targets = options.buildOnly ? ['build'] : ['build', 'deploy'];
  const all = targets.map(target => ['-m', '-p', board.target, '-t', target, board.manifest]);
  const before = port === undefined ? '' : `UPLOAD_PORT=${shellWord(port)} `;
  return {
    mcconfig: tools === '' ? 'mcconfig' : `${tools}/mcconfig`,
    arguments: all,
    environment: {
      // mcconfig calls the SDK's other tools by name.
      ...(tools !== '' && { PATH: `${tools}${delimiter}${path}` }),
      ...(port !== undefined && { UPLOAD_PORT: port }),
      ...(await buildVariables(machine)),
    },
    lines: all.map(args => `${before}mcconfig ${args.map(shellWord).join(' ')}`),
  };
}

/** What the SDK's makefiles take for granted and Debian has otherwise. What the user has set stays. */
async function buildVariables(machine: ToolMachine): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  const unset = (name: string) => (machine.environment(name) ?? '') === '';
  const there = async (path: string) => (await machine.fileKind(path)) === 'file';
  // They use [[ ]], which /bin/sh is not bound to know.
  if (unset('MAKEFLAGS') && (await there('/bin/bash'))) variables.MAKEFLAGS = 'SHELL=/bin/bash';
  if (unset('PICO_GCC_ROOT') && (await there('/usr/bin/arm-none-eabi-gcc'))) variables.PICO_GCC_ROOT = '/usr';
  return variables;
}

function missingFault(board: string, wrong: readonly Finding[]): Fault {
  const list = wrong.map(({ text, remedy }) => `\n  ${text}\n    ${remedy}`).join('');
  return new Fault('toolchain', `${board} can't be built here:${list}`, 'then run this again');
}
