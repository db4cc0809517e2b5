/** What is well and what is not, in words: of one device, and of everything. Knows no document, so that it can be tested alone. */
import { deviceState } from '../../control/device-state.js';
import { agoText, bytesText, durationText } from '../../texts.js';
import type { FleetDevice, FleetStatus } from '../messages.js';
import { countText, plural } from './format.js';

/** `off`: nothing is wrong, and nothing is there. */
export type Level = 'ok' | 'warn' | 'bad' | 'off';

export interface Condition {
  readonly level: Level;
  readonly word: string;
}

export interface Concern {
  readonly level: 'bad' | 'warn';
  readonly text: string;
  /** Where to read on: a view of the page. */
  readonly href: string;
}

/** What a person calls it: its name in the keyring, else its id. */
export const nameOf = (device: { readonly id: string; readonly name?: string }) => device.name ?? device.id;

export function deviceCondition(device: FleetDevice): Condition {
  const state = deviceState(device);
  if (state === 'removed') return { level: 'off', word: state };
  if (state === 'silent') return { level: 'bad', word: state };
  if (forks(device) > 0) return { level: 'bad', word: 'fork' };
  const level = refusals(device).length > 0 || device.gaps > 0 || (device.losses ?? 0) > 0 ? 'warn' : 'ok';
  return { level: device.heardAt === undefined ? 'off' : level, word: state };
}

export const forks = (device: FleetDevice) => device.counts.fork ?? 0;

/** What of a device's readings was not taken, and why. Repetitions are no refusals: a device repeats until it is receipted. */
export function refusals(device: FleetDevice): string[] {
  const told: string[] = [];
  const { fork = 0, stale = 0, busy = 0, 'sequence-reset': reset = 0 } = device.counts;
  if (fork > 0)
    told.push(`${plural(fork, 'fork')}: another reading bears the same number; a clone, or a stolen key`);
  if (stale > 0) told.push(`${plural(stale, 'reading')} older than what is remembered`);
  if (busy > 0) told.push(`${plural(busy, 'reading')} while the disk took nothing; the device keeps them`);
  if (reset > 0) told.push(`${plural(reset, 'reading')} with a counter that fell back`);
  if (device.settings?.fault !== undefined) told.push(`its settings: ${device.settings.fault}`);
  return told;
}

/** Higher: look at this first. */
export function urgency(device: FleetDevice): number {
  const { level } = deviceCondition(device);
  return (
    (level === 'bad' ? 8 : 0) +
    (refusals(device).length > 0 ? 4 : 0) +
    (device.gaps > 0 ? 2 : 0) +
    ((device.losses ?? 0) > 0 ? 1 : 0)
  );
}

/** Why bytes are in quarantine, by the reason's name. */
const REASONS: Readonly<Record<string, string>> = {
  malformed: 'not in the form of the format',
  version: 'of another version of the format',
  'unknown-device': 'of devices that are not in the keyring',
  'epoch-too-old': 'of an epoch before the one in the keyring',
  'epoch-too-far': 'of an epoch further on than a device can be',
  budget: 'too many unknown epochs at once',
  mac: 'with a wrong seal (altered, forged, or under another key)',
  nonce: 'an answer to a question that was not asked',
  'frame-type': 'a message that only a gateway sends',
  'sequence-reset': 'with a counter that fell back',
};

export const reasonText = (reason: string) =>
  Object.hasOwn(REASONS, reason)
    ? REASONS[reason]!
    : reason.startsWith('journal-')
      ? 'damaged on the disk, kept aside from the journal'
      : reason;

/** All that came and was not taken. */
export const refusedCount = ({ quarantine }: FleetStatus) =>
  Object.values(quarantine.reasons).reduce((sum, count) => sum + count, 0);

const MAX_REASONS = 2;

/** The most frequent reasons. */
function whyText(reasons: FleetStatus['quarantine']['reasons']): string {
  const sorted = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const told = sorted
    .slice(0, MAX_REASONS)
    .map(([reason, count]) => `${countText(count)} ${reasonText(reason)}`);
  return told.join(', ') + (sorted.length > MAX_REASONS ? ' and more' : '');
}

/** As the alert and `sovereign doctor` have it. */
const LEAST_YEARS = 2;

/** Of the gateway itself, worst first. */
export function gatewayConcerns(status: FleetStatus): Concern[] {
  const { journal, uplink, quarantine, keyring, clock, health } = status;
  const found: Concern[] = [];
  const add = (level: Concern['level'], text: string, href: string) => found.push({ level, text, href });
  for (const [part, { ok, fault }] of Object.entries(health?.parts ?? {}))
    if (!ok) add('bad', `The ${part} does not work${fault === undefined ? '' : `: ${fault}`}`, '#/gateway');
  if (journal.state === 'stalled')
    add(
      'bad',
      `Nothing can be stored, so devices keep their readings: ${journal.fault ?? 'the journal is stalled'}`,
      '#/gateway',
    );
  if (quarantine.evidence > 0)
    add(
      'bad',
      `${plural(quarantine.evidence, 'fork')}: two readings with one number, a clone or a stolen key`,
      '#/quarantine',
    );
  if (keyring.fault !== undefined)
    add('warn', `The keyring as it is now is not used: ${keyring.fault}`, '#/gateway');
  if (uplink?.paused) add('warn', 'Publishing is paused', '#/uplink');
  else if (uplink?.state === 'waiting')
    add('warn', `Not connected to the broker: ${uplink.fault ?? uplink.broker}`, '#/uplink');
  const refused = refusedCount(status);
  if (refused > 0)
    add(
      'warn',
      `${plural(refused, 'message was', 'messages were')} refused: ${whyText(quarantine.reasons)}`,
      '#/quarantine',
    );
  if (clock.synchronised === false) add('warn', 'The clock of the gateway is not synchronised', '#/gateway');
  const years = journal.writes?.years;
  if (years !== undefined && years < LEAST_YEARS)
    add('warn', `At this rate of writing the disk is worn out in ${years.toFixed(1)} years`, '#/gateway');
  return found;
}

const MAX_NAMED = 3;

/** Of the fleet: one line for each thing that is wrong, with the first few names. */
export function fleetConcerns(devices: Iterable<FleetDevice>): Concern[] {
  const silent: FleetDevice[] = [];
  const forked: FleetDevice[] = [];
  const refused: FleetDevice[] = [];
  const gapped: FleetDevice[] = [];
  const lossy: FleetDevice[] = [];
  for (const device of devices) {
    if (device.silent) silent.push(device);
    if (forks(device) > 0) forked.push(device);
    else if (refusals(device).length > 0) refused.push(device);
    if (device.gaps > 0) gapped.push(device);
    if ((device.losses ?? 0) > 0) lossy.push(device);
  }
  const found: Concern[] = [];
  const add = (level: Concern['level'], list: FleetDevice[], text: string, filter: string) => {
    if (list.length === 0) return;
    const named = list.slice(0, MAX_NAMED).map(nameOf).join(', ');
    const more = list.length > MAX_NAMED ? ` and ${countText(list.length - MAX_NAMED)} more` : '';
    const href = list.length === 1 ? `#/device/${list[0]!.id}` : `#/fleet/${filter}`;
    found.push({ level, text: `${plural(list.length, 'device')} ${text}: ${named}${more}`, href });
  };
  add('bad', silent, 'silent', 'silent');
  add('bad', forked, 'with forked readings', 'refused');
  add('warn', refused, 'with readings that were not taken', 'refused');
  add('warn', gapped, 'with missing readings', 'gaps');
  add('warn', lossy, 'had to give up readings', 'gaps');
  return found;
}

/** Readings and gaps that are still to be published, at most. */
export const backlogOf = (status: FleetStatus) => status.uplink?.backlog ?? 0;

export function uplinkCondition(status: FleetStatus): Condition {
  const { uplink } = status;
  if (uplink === undefined) return { level: 'off', word: 'none' };
  if (uplink.paused) return { level: 'warn', word: 'paused' };
  if (uplink.state !== 'online')
    return { level: uplink.state === 'waiting' ? 'warn' : 'off', word: uplink.state };
  return uplink.drained ? { level: 'ok', word: 'drained' } : { level: 'ok', word: 'draining' };
}

/** `backlog of 1,204, drained in 2 min`. */
export function uplinkText(status: FleetStatus): string {
  const { uplink } = status;
  if (uplink === undefined) return 'nothing is published';
  if (uplink.drained) return `drained, ${countText(uplink.published)} published since the start`;
  const left = uplink.drainedInSeconds;
  const eta = left === undefined ? '' : `, drained in ${durationText(left * 1000)}`;
  return `backlog of ${countText(backlogOf(status))}${eta}`;
}

/** The same in few words, beside the number. */
export function uplinkDetail(status: FleetStatus): string {
  const { uplink } = status;
  if (uplink === undefined) return 'nothing is published';
  if (uplink.drained) return `${countText(uplink.published)} published since the start`;
  const { word } = uplinkCondition(status);
  const left = uplink.drainedInSeconds;
  return left === undefined ? word : `${word}, drained in ${durationText(left * 1000)}`;
}

export function journalText(status: FleetStatus): string {
  const { journal } = status;
  const free = journal.availableBytes === undefined ? '' : `${bytesText(journal.availableBytes)} free`;
  const years = journal.writes?.years;
  const wear =
    years === undefined
      ? ''
      : `, flash lasts ${years >= 100 ? '> 100' : years.toFixed(years < 10 ? 1 : 0)} years`;
  return `${free}${wear}` || `durable to offset ${countText(journal.durableOffset)}`;
}

export function heardText(device: FleetDevice, now: number): string {
  if (device.heardAt !== undefined) return agoText(device.heardAt, now);
  return device.readings > 0 ? 'not since the start' : 'never';
}
