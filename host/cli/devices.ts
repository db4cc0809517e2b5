/** `sovereign devices`: what the running gateway knows of its devices. */
import type { Command } from 'commander';
import type { DeviceDetail } from '../control/calls.js';
import { deviceState } from '../control/device-state.js';
import { agoText } from '../texts.js';
import { ask } from './ask.js';
import { type ConfigOption, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import { deviceTable, settingsNotes, unlistedNote } from './device-table.js';
import { type Output, printable, type Terminal } from './output.js';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('devices')))
    .description('the devices: last heard, how far, gaps, backlog; one of them with everything about it')
    .argument('[device]', 'its id or its name; all when absent')
    .action((device: string | undefined, options: ConfigOption & JsonOption) => {
      const output = outputOf(options, terminal);
      return device === undefined ? all(options, output) : one(device, options, output);
    });
}

async function all(options: ConfigOption, output: Output): Promise<void> {
  const { devices, deviceCount } = await ask(options, 'devices', {});
  if (output.json) {
    for (const device of devices) await output.object(device);
    return unlistedNote(devices.length, deviceCount, output);
  }
  const { clock } = await ask(options, 'status', {});
  await deviceTable(devices, clock.at, output);
  await unlistedNote(devices.length, deviceCount, output);
  await settingsNotes(devices, output);
}

async function one(name: string, options: ConfigOption, output: Output): Promise<void> {
  const device = await ask(options, 'device', { device: name });
  if (output.json) return output.object(device);
  const { clock } = await ask(options, 'status', {});
  for (const [title, value] of rows(device, clock.at))
    await output.line(`${output.style('dim', title.padEnd(10))} ${printable(value)}`);
  return settingsNotes([device], output);
}

function rows(device: DeviceDetail, now: number): [title: string, value: string][] {
  const { epoch, seq, heardAt, last } = device;
  const counts = Object.entries(device.counts).map(([what, count]) => `${what} ${count}`);
  const told = (value: unknown) => (value === undefined || value === '' ? '-' : String(value));
  return [
    ['device', device.id],
    ['name', told(device.name)],
    ['state', `${deviceState(device)}${device.link === undefined ? '' : ` over ${device.link}`}`],
    ['heard', heardAt === undefined ? 'not since the gateway began' : agoText(heardAt, now)],
    ['last', epoch === undefined ? '-' : `epoch ${epoch}, sequence ${seq}`],
    ['journal', `${device.readings} readings, ${device.gaps} gaps`],
    ['backlog', told(device.backlog)],
    ['losses', told(device.losses)],
    ['clock', told(device.clock)],
    ['signal', device.signal === undefined ? '-' : `${device.signal} dBm`],
    ['firmware', told(device.firmware)],
    ['restart', told(device.restart)],
    ['verdicts', counts.length === 0 ? 'none since the gateway began' : counts.join(', ')],
    ...(last?.records ?? []).map((record, i): [string, string] => [
      i === 0 ? 'values' : '',
      `${record.n} ${record.v ?? record.vs ?? record.vb ?? record.vd ?? ''} ${record.u ?? ''}`.trimEnd(),
    ]),
  ];
}
