/** `sovereign status`: what the running gateway says of itself. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { callGateway } from '../control/client.js';
import type { DeviceStatus, FetchStatus, NodeStatus } from '../control/status.js';
import { systemClock } from '../node/clock.js';
import { connectUnix } from '../node/unix-socket.js';
import { type ConfigOption, configOf, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import { bytesText, durationText, type Output, printable, type Style, type Terminal } from './output.js';

/** Of the data directory. */
export const CONTROL_SOCKET = 'control.sock';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('status')))
    .description('how the running gateway does: links, devices, journal, uplink, quarantine')
    .action(async (options: ConfigOption & JsonOption) => {
      const output = outputOf(options, terminal);
      const { dataDirectory } = await configOf(options);
      const path = join(dataDirectory, CONTROL_SOCKET);
      const status = await callGateway({ clock: systemClock, connect: connectUnix }, path, 'status', {});
      await (output.json ? output.object(status) : show(status, output));
    });
}

async function show(status: NodeStatus, output: Output): Promise<void> {
  const field = (name: string, value: string, style?: Style) =>
    output.line(`${output.style('dim', name.padEnd(11))}${style ? output.style(style, value) : value}`);
  const { journal, uplink, quarantine, clock } = status;

  await field('gateway', `${status.gateway} at ${status.site}, version ${status.version}`, 'bold');
  await field('running', `${durationText(status.uptimeMs)} as process ${status.pid}, ${status.runtime}`);
  await field('data', status.dataDirectory);
  const synchronised =
    clock.synchronised === undefined ? '' : clock.synchronised ? ', synchronised' : ', not synchronised';
  await field(
    'clock',
    new Date(clock.at).toISOString() + synchronised,
    clock.synchronised === false ? 'yellow' : undefined,
  );
  await field('keyring', count(status.keyring.devices, 'device'));
  if (status.keyring.fault !== undefined)
    await field('', `not taken: ${printable(status.keyring.fault.replace(/\s*\n\s*/g, '; '))}`, 'red');
  const free =
    journal.availableBytes === undefined ? '' : `, ${bytesText(journal.availableBytes)} free on the disk`;
  await field(
    'journal',
    `${journal.state}, durable to offset ${journal.durableOffset}, ${count(journal.segments, 'segment')}${free}`,
    journal.state === 'ok' ? 'green' : 'red',
  );
  if (journal.fault !== undefined) await field('', printable(journal.fault), 'red');
  if (uplink === undefined) await field('uplink', 'none in the configuration');
  else {
    const left = uplink.drained
      ? 'drained'
      : `${count(Math.max(0, uplink.head - uplink.cursor), 'offset')} behind`;
    await field(
      'uplink',
      `${uplink.state} to ${printable(uplink.broker)}, ${left}, ${uplink.published} published, ${uplink.inFlight} in flight`,
      uplink.state === 'online' ? 'green' : 'yellow',
    );
    if (uplink.fault !== undefined) await field('', printable(uplink.fault), 'yellow');
    if (uplink.fetch !== undefined && uplink.fetch.requests > 0) await field('', fetchText(uplink.fetch));
  }
  const refused = Object.entries(quarantine.reasons).map(([reason, times]) => `${reason} ${times}`);
  await field(
    'quarantine',
    `${quarantine.kept} kept in ${bytesText(quarantine.bytes)}${refused.length === 0 ? '' : `; refused: ${refused.join(', ')}`}`,
    refused.length === 0 ? undefined : 'yellow',
  );
  if (quarantine.evidence > 0)
    await field('', `${count(quarantine.evidence, 'fork')} kept as evidence: look at them`, 'red');
  await field('links', `${status.linkCount} open`);
  await devices(status, output);
}

function fetchText({ requests, sent, waiting, failed, refused }: FetchStatus): string {
  const parts = [`${count(sent, 'reading')} sent again for ${count(requests, 'request')} of subscribers`];
  if (waiting > 0) parts.push(`${count(waiting, 'range')} waiting`);
  if (failed > 0) parts.push(`the disk refused ${count(failed, 'time')}`);
  for (const [reason, times] of Object.entries(refused)) parts.push(`refused: ${reason} ${times}`);
  return parts.join(', ');
}

/** Devices that have not taken the settings that are meant for them. */
async function settings(status: NodeStatus, output: Output): Promise<void> {
  for (const { id, name, settings } of status.devices) {
    if (settings === undefined || settings.acknowledged === settings.version) continue;
    const { version, acknowledged, supported, fault } = settings;
    const why = !supported
      ? 'its firmware takes none'
      : `it has ${acknowledged === 0 ? 'its own' : `version ${acknowledged}`}${fault === undefined ? '' : `: ${printable(fault)}`}`;
    await output.note(`${printable(name ?? id)}: settings version ${version} are not in force, ${why}`);
  }
}

async function devices(status: NodeStatus, output: Output): Promise<void> {
  await output.line('');
  if (status.devices.length === 0) {
    await output.line('no device has been heard yet');
    return;
  }
  await output.table(
    [
      { title: 'DEVICE' },
      { title: 'NAME' },
      { title: 'STATE' },
      { title: 'LAST', align: 'right' },
      { title: 'HEARD', align: 'right' },
      { title: 'READINGS', align: 'right' },
      { title: 'GAPS', align: 'right' },
      { title: 'BACKLOG', align: 'right' },
      { title: 'LINK' },
    ],
    status.devices.map(device => row(device, status, output)),
  );
  await settings(status, output);
}

function row(device: DeviceStatus, status: NodeStatus, output: Output): string[] {
  const { epoch, seq, heardAt } = device;
  const state = device.silent ? 'silent' : device.online ? 'online' : 'away';
  const style = device.silent ? 'red' : device.online ? 'green' : 'yellow';
  return [
    device.id,
    printable(device.name ?? '-'),
    output.style(style, state),
    epoch === undefined || seq === undefined ? '-' : `${epoch}:${seq}`,
    heardAt === undefined ? '-' : `${durationText(status.clock.at - heardAt)} ago`,
    String(device.readings),
    device.gaps === 0 ? '0' : output.style('yellow', String(device.gaps)),
    String(device.backlog ?? '-'),
    printable(device.link ?? '-'),
  ];
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? '' : 's'}`;
