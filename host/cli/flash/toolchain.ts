/**
 * What building firmware needs on this machine: the Moddable SDK, a TypeScript that it can use, and the chip's own
 * toolchain. Each thing that is missing has its remedy; `flash` stops at them, `doctor` only mentions them.
 */
import { join } from 'node:path';
import type { Finding } from '../doctor/finding.js';

/** Questions to the machine; `host/node/` has the answers. */
export interface ToolMachine {
  environment(name: string): string | undefined;
  readonly platform: string;
  fileKind(path: string): Promise<'file' | 'directory' | 'device' | 'other' | 'none'>;
  /** Undefined when there is none. */
  readText(path: string, maxBytes: number): Promise<string | undefined>;
  /** Output of a program; undefined when it is not there or fails. */
  programOutput(program: string, args: readonly string[]): Promise<string | undefined>;
}

export type Family = 'pico' | 'esp32';

/** The release of the SDK that the firmware is written for. */
const SDK_RELEASE = '8.2';
const LEAST_TSC = 6;
const INSTALL = 'npm i -g xs-dev && xs-dev setup, then open a new shell';

/** The chip family of a target such as `esp32/esp32c3`. */
export function familyOf(target: string): Family | undefined {
  if (/^pico(\/|$)/.test(target)) return 'pico';
  return /^esp32(\/|$)/.test(target) ? 'esp32' : undefined;
}

/** Where the SDK's tools lie on this machine. */
export function toolsDirectory(moddable: string, platform: string): string {
  return join(moddable, 'build', 'bin', platform === 'darwin' ? 'mac' : 'lin', 'release');
}

/** SDK and TypeScript. */
export async function checkSdk(machine: ToolMachine): Promise<Finding[]> {
  const moddable = machine.environment('MODDABLE');
  if (moddable === undefined || moddable === '')
    return [missing('sdk', 'the Moddable SDK is not installed: MODDABLE is not set', INSTALL)];
  if ((await machine.fileKind(moddable)) !== 'directory')
    return [missing('sdk', `MODDABLE is ${moddable}, which is no directory`, INSTALL)];
  const findings: Finding[] = [];
  const version = await sdkVersion(machine, moddable);
  if (version === undefined)
    findings.push(missing('sdk', `${moddable} does not say which Moddable SDK it is`, INSTALL));
  else if (version !== SDK_RELEASE && !version.startsWith(`${SDK_RELEASE}.`))
    findings.push(
      missing(
        'sdk',
        `the Moddable SDK in ${moddable} is ${version}, expected ${SDK_RELEASE}`,
        `xs-dev update, or check out the tag ${SDK_RELEASE}.0 or a later one of that release there and build its tools`,
      ),
    );
  else findings.push({ check: 'sdk', state: 'ok', text: `Moddable SDK ${version}` });
  const mcconfig = join(toolsDirectory(moddable, machine.platform), 'mcconfig');
  if ((await machine.fileKind(mcconfig)) !== 'file')
    findings.push(
      missing('mcconfig', `${mcconfig} is not there: the SDK's tools are not built`, 'xs-dev setup'),
    );
  findings.push(await checkTsc(machine));
  return findings;
}

async function sdkVersion(machine: ToolMachine, moddable: string): Promise<string | undefined> {
  const stated = (await machine.readText(join(moddable, 'tools', 'VERSION'), 256))?.trim();
  if (stated !== undefined && /^\d+\.\d+/.test(stated)) return stated;
  const typings = await machine.readText(join(moddable, 'typings', 'package.json'), 65_536);
  return /"version":\s*"(\d+\.\d+[^"]*)"/.exec(typings ?? '')?.[1];
}

async function checkTsc(machine: ToolMachine): Promise<Finding> {
  const remedy = 'npm i -g typescript@6';
  const said = await machine.programOutput('tsc', ['--version']);
  const version = /Version (\d+)\.(\S+)/.exec(said ?? '');
  if (version === null) return missing('tsc', 'tsc is not on the PATH; the SDK compiles with it', remedy);
  const text = `tsc ${version[1]}.${version[2]}`;
  if (Number(version[1]) >= LEAST_TSC) return { check: 'tsc', state: 'ok', text };
  return missing('tsc', `${text}, expected ${LEAST_TSC} or later`, remedy);
}

/** The toolchain of one chip family. */
export function checkFamily(machine: ToolMachine, family: Family): Promise<Finding[]> {
  return family === 'pico' ? checkPico(machine) : checkEsp32(machine);
}

async function checkPico(machine: ToolMachine): Promise<Finding[]> {
  const setup = 'xs-dev setup --device=pico, then open a new shell';
  const sdk = machine.environment('PICO_SDK_DIR') ?? '';
  const root = machine.environment('PICO_GCC_ROOT') ?? '';
  const gcc = root === '' ? 'arm-none-eabi-gcc' : join(root, 'bin', 'arm-none-eabi-gcc');
  const has = (await machine.programOutput(gcc, ['--version'])) !== undefined;
  const there = sdk !== '' && (await machine.fileKind(sdk)) === 'directory';
  return [
    there
      ? { check: 'pico-sdk', state: 'ok', text: sdk }
      : missing(
          'pico-sdk',
          sdk === '' ? 'PICO_SDK_DIR is not set' : `PICO_SDK_DIR is ${sdk}, which is no directory`,
          setup,
        ),
    has
      ? { check: 'pico-gcc', state: 'ok', text: `${gcc} answers` }
      : missing('pico-gcc', `${gcc} is not there`, `apt-get install gcc-arm-none-eabi, or ${setup}`),
  ];
}

async function checkEsp32(machine: ToolMachine): Promise<Finding[]> {
  const setup = 'xs-dev setup --device=esp32, then open a new shell';
  const idf = machine.environment('IDF_PATH') ?? '';
  if (idf === '' || (await machine.fileKind(idf)) !== 'directory')
    return [
      missing(
        'esp-idf',
        idf === '' ? 'IDF_PATH is not set' : `IDF_PATH is ${idf}, which is no directory`,
        setup,
      ),
    ];
  const findings: Finding[] = [{ check: 'esp-idf', state: 'ok', text: idf }];
  if ((await machine.programOutput('idf.py', ['--version'])) === undefined)
    findings.push(
      missing('idf.py', 'idf.py is not on the PATH', `. ${join(idf, 'export.sh')} in this shell`),
    );
  return findings;
}

const missing = (check: string, text: string, remedy: string): Finding => ({
  check,
  state: 'wrong',
  text,
  remedy,
});
