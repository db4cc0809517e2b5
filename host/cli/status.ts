/** `sovereign status`: what the running gateway says of itself. */
import type { Command } from 'commander';
import type { FetchStatus, JournalStatus, NodeStatus, UplinkStatus } from '../control/status.js';
import { bytesText, durationText } from '../texts.js';
import { ask } from './ask.js';
import { type ConfigOption, type JsonOption, outputOf, withConfig, withJson } from './context.js';
import { deviceTable, settingsNotes, unlistedNote } from './device-table.js';
import { type Output, printable, type Style, type Terminal } from './output.js';
import { backlogText } from './uplink-answer.js';

export function register(program: Command, terminal?: Terminal): void {
  withConfig(withJson(program.command('status')))
    .description('how the running gateway does: links, devices, journal, uplink, quarantine')
    .action(async (options: ConfigOption & JsonOption) => {
      const output = outputOf(options, terminal);
      const status = await ask(options, 'status', {});
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
  for (const [part, { ok, fault }] of Object.entries(status.health?.parts ?? {}))
    if (!ok) await field('health', `${part}: ${printable(fault ?? 'does not work')}`, 'red');
  const synchronised =
    clock.synchronised === undefined ? '' : clock.synchronised ? ', synchronised' : ', not synchronised';
  await field(
    'clock',
    new Date(clock.at).toISOString() + synchronised,
    clock.synchronised === false ? 'yellow' : undefined,
  );
  if (status.handover !== undefined) {
    const { from, backupAt } = status.handover;
    const text = `restored from the backup of ${printable(from)} of ${new Date(backupAt).toISOString()}`;
    await field('', text);
  }
  if (status.lastBackupAt !== undefined)
    await field('backup', `the last is ${durationText(clock.at - status.lastBackupAt)} old`);
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
  for (const text of [sizeText(journal, clock.at), wearText(journal)]) if (text !== '') await field('', text);
  if (uplink === undefined) await field('uplink', 'none in the configuration');
  else {
    const { published, inFlight, window, paused } = uplink;
    await field(
      'uplink',
      `${paused ? 'paused, ' : ''}${uplink.state} to ${printable(uplink.broker)}, ${drainText(uplink)}, ${published} published, ${inFlight} of ${window} in flight`,
      uplink.state === 'online' && !paused ? 'green' : 'yellow',
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
  await output.line('');
  await deviceTable(status.devices, clock.at, output);
  await unlistedNote(status.devices.length, status.deviceCount, output);
  await settingsNotes(status.devices, output);
}

/** How much the journal holds, and since when. */
function sizeText({ bytes, oldestAt, entries }: JournalStatus, now: number): string {
  if (bytes === undefined) return '';
  const age = oldestAt === undefined ? '' : `, the oldest ${durationText(now - oldestAt)} old`;
  return `${bytesText(bytes)} in about ${count(entries, 'entry', 'entries')}${age}`;
}

/** What is written to the disk, and how long flash bears it. */
function wearText({ writes }: JournalStatus): string {
  if (writes === undefined) return '';
  const { source, bytesPerDay, seconds, years } = writes;
  const whose = source === 'device' ? 'to its disk' : 'by this process';
  const life = years === undefined ? '' : `: ${years} years until its endurance is used up`;
  return `${bytesText(bytesPerDay)} a day written ${whose}, measured over ${durationText(seconds * 1000)}${life}`;
}

function drainText({ drained, backlog, ratePerSecond, drainedInSeconds }: UplinkStatus): string {
  if (drained) return 'drained';
  const rate = ratePerSecond > 0 ? ` at ${ratePerSecond} a second` : '';
  const until =
    drainedInSeconds === undefined ? '' : `, about ${durationText(drainedInSeconds * 1000)} to go`;
  return `${backlogText(backlog)}${rate}${until}`;
}

function fetchText({ requests, sent, waiting, failed, refused }: FetchStatus): string {
  const parts = [`${count(sent, 'reading')} sent again for ${count(requests, 'request')} of subscribers`];
  if (waiting > 0) parts.push(`${count(waiting, 'range')} waiting`);
  if (failed > 0) parts.push(`the disk refused ${count(failed, 'time')}`);
  for (const [reason, times] of Object.entries(refused)) parts.push(`refused: ${reason} ${times}`);
  return parts.join(', ');
}

const count = (number: number, noun: string, nouns = `${noun}s`) =>
  `${number} ${number === 1 ? noun : nouns}`;
