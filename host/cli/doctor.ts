/** `sovereign doctor`: what is missing or wrong on this machine, and the remedy. */
import type { Command } from 'commander';
import type { Config } from '../config.js';
import { Fault } from '../fault.js';
import { systemTerminal } from '../node/terminal.js';
import { type ConfigOption, configOf, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import { checkBackups } from './doctor/backup.js';
import { checkBrokers } from './doctor/broker.js';
import { checkCertificates } from './doctor/certificates.js';
import type { Finding } from './doctor/finding.js';
import { checkFirmware, checkPorts } from './doctor/firmware.js';
import { checkData, checkKeyring, checkLinks } from './doctor/gateway.js';
import { checkListeners } from './doctor/listeners.js';
import { checkClock, checkNode, checkPrograms } from './doctor/machine.js';
import { checkPanel } from './doctor/panel.js';
import { checkRunning } from './doctor/running.js';
import { askRunning, checkService, checkSight, serviceOf, userOf } from './doctor/service.js';
import { exposedSecrets } from './exposed-secrets.js';
import type { ToolMachine } from './flash/toolchain.js';
import { machineOf } from './flash.js';
import { type Output, printable, type Style, type Terminal } from './output.js';

export function register(program: Command, terminal: Terminal = systemTerminal): void {
  withConfig(withJson(program.command('doctor')))
    .description(
      'what is missing or wrong on this machine, and the remedy; status 1 when something needed is',
    )
    .action((options: ConfigOption & JsonOption) =>
      doctor(options, outputOf(options, terminal), machineOf(terminal)),
    );
}

async function doctor(options: ConfigOption, output: Output, machine: ToolMachine): Promise<void> {
  const findings: Finding[] = [];
  const show = async (found: readonly Finding[]) => {
    for (const finding of found) {
      // A file that is wrong is found where it stands, and would be again where it is needed.
      if (findings.some(({ state, text }) => state === 'wrong' && text.endsWith(finding.text))) continue;
      findings.push(finding);
      await (output.json ? output.object(finding) : line(finding, output));
    }
  };
  await show([checkNode()]);
  await show(await checkPrograms());
  await show(await checkClock());
  const config = await configFinding(options);
  await show([config.finding]);
  if (config.value !== undefined) await checkGateway(config.value, show);
  await show(await checkFirmware(machine));
  await show(await checkPorts(config.value?.links.serial.map(({ port }) => port) ?? []));
  const wrong = findings.filter(({ state }) => state === 'wrong').length;
  if (wrong > 0)
    throw new Fault('doctor', `${wrong === 1 ? 'one thing is' : `${wrong} things are`} missing or wrong`);
  if (!output.json) await output.line(output.style('green', 'everything that is needed is there'));
}

async function checkGateway(
  config: Config,
  show: (findings: readonly Finding[]) => Promise<void>,
): Promise<void> {
  const [service, answer] = [await serviceOf(config), await askRunning(config)];
  const running = answer instanceof Fault ? undefined : answer;
  const user = userOf(service);
  await show([checkService(service, answer), ...checkSight(config, service)]);
  await show([...(await checkSecrets(config, user)), await checkKeyring(config, user)]);
  await show(await checkData(config, user));
  await show(await checkLinks(config, user));
  await show(await checkPanel(config, user));
  await show(running === undefined ? await checkListeners(config) : checkRunning(config, running));
  await show(await checkBackups(config, service !== undefined));
  await show(await checkCertificates(config));
  await show(await checkBrokers(config, running?.uplink?.state === 'online'));
}

async function checkSecrets(config: Config, user: string | undefined): Promise<Finding[]> {
  const exposed = await exposedSecrets(config, user);
  if (exposed === undefined) return [];
  return [{ check: 'config', state: 'note', text: exposed.message, remedy: exposed.remedy }];
}

async function configFinding(options: ConfigOption): Promise<{ finding: Finding; value?: Config }> {
  try {
    const value = await configOf(options);
    return { value, finding: { check: 'config', state: 'ok', text: value.file } };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { finding: { check: 'config', state: 'wrong', text: error.message, remedy: error.remedy } };
  }
}

const MARKS: Readonly<Record<Finding['state'], { word: string; style: Style }>> = {
  ok: { word: 'ok     ', style: 'green' },
  note: { word: 'note   ', style: 'yellow' },
  wrong: { word: 'WRONG  ', style: 'red' },
};

async function line({ check, state, text, remedy }: Finding, output: Output): Promise<void> {
  const { word, style } = MARKS[state];
  const [first, ...rest] = text.split('\n').map(printable);
  await output.line(`${output.style(style, word)}${check.padEnd(9)} ${first}`);
  for (const more of rest) await output.line(`${' '.repeat(17)}${more}`);
  if (remedy) await output.line(`${' '.repeat(17)}${output.style('cyan', printable(remedy))}`);
}
