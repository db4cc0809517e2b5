/** What the running gateway has to complain of. */
import type { Config } from '../../config.js';
import type { DeviceStatus, NodeStatus } from '../../control/status.js';
import { durationText } from '../../texts.js';
import { version } from '../../version.js';
import { dayText, SOON_MS } from './certificates.js';
import type { Finding } from './finding.js';
import { UNIT } from './service.js';

const MAX_NAMES = 5;
const LEAST_YEARS = 2;
/** A gateway that has run so long has heard every device that can be heard. */
const HEARD_MS = 10 * 60_000;

export function checkRunning(config: Config, status: NodeStatus): Finding[] {
  return [
    ...checkVersion(status),
    ...checkParts(status),
    ...checkSerialLinks(config, status),
    ...checkDevices(status),
    ...checkRefused(status),
    ...checkWear(status),
    ...checkConnection(status),
  ];
}

function checkVersion({ version: running }: NodeStatus): Finding[] {
  if (running === version) return [];
  const text = `version ${running} runs, ${version} is installed`;
  return [{ check: 'version', state: 'note', text, remedy: `systemctl restart ${UNIT}` }];
}

function checkParts({ health, journal, keyring }: NodeStatus): Finding[] {
  const findings: Finding[] = [];
  for (const [part, { ok, fault = 'does not do its work' }] of Object.entries(health?.parts ?? {}))
    if (!ok)
      findings.push({
        check: part,
        state: 'wrong',
        text: fault,
        remedy: `journalctl -u ${UNIT} -n 50; dmesg tells of a disk that does not answer`,
      });
  if (journal.state === 'stalled')
    findings.push({
      check: 'journal',
      state: 'wrong',
      text: `stores nothing, devices keep their readings: ${journal.fault ?? 'no reason given'}`,
      remedy: 'make room on the disk; dmesg tells of one that is broken or read only',
    });
  if (keyring.fault !== undefined)
    findings.push({
      check: 'keyring',
      state: 'wrong',
      text: `the gateway goes on with the keys from before: ${keyring.fault}`,
      remedy: 'mend the file; the gateway notices',
    });
  return findings;
}

function checkSerialLinks({ links: { serial } }: Config, { links, linkCount }: NodeStatus): Finding[] {
  if (links.length < linkCount) return []; // it may be among those that are not listed
  const open = new Set(links.map(({ name }) => name));
  return serial
    .filter(({ port }) => !open.has(`serial:${port}`))
    .map(({ port }) => ({
      check: 'serial',
      state: 'wrong',
      text: `the gateway has not got ${port} open`,
      remedy: 'is the board plugged in, and no other program using it? fuser -v shows who does',
    }));
}

function checkDevices({ devices, deviceCount, keyring, uptimeMs, clock }: NodeStatus): Finding[] {
  const check = 'devices';
  const silent = devices.filter(({ name, silent }) => silent && name !== undefined);
  const findings: Finding[] = [];
  if (silent.length > 0)
    findings.push({
      check,
      state: 'note',
      text: `silent: ${names(silent, ({ heardAt }) => (heardAt ? ` for ${durationText(clock.at - heardAt)}` : ''))}`,
      remedy: 'look at their power, cable or Wi-Fi; a lamp on the board says more (boards/README.md)',
    });
  const gaps = devices.filter(device => device.gaps > 0);
  if (gaps.length > 0)
    findings.push({
      check,
      state: 'note',
      text: `gaps since the journal began: ${names(gaps, device => ` ${device.gaps}`)}`,
      remedy:
        'away for longer than their backlog holds, or without power meanwhile? sovereign journal cat names them',
    });
  const forked = devices.filter(({ counts }) => (counts.fork ?? 0) > 0);
  if (forked.length > 0)
    findings.push({
      check,
      state: 'wrong',
      text: `two different readings with one number: ${names(forked)}`,
      remedy:
        'their keys are on two boards or in wrong hands: sovereign device remove, then provision the board anew',
    });
  if (deviceCount > devices.length)
    findings.push({
      check,
      state: 'note',
      text: `${deviceCount - devices.length} of ${deviceCount} are not looked at: heard longest ago, and not silent`,
      remedy: 'sovereign devices NAME tells of each',
    });
  const heard = devices.some(({ heardAt }) => heardAt !== undefined);
  if (keyring.devices > 0 && !heard && uptimeMs > HEARD_MS)
    findings.push({
      check,
      state: 'wrong',
      text: `none of ${keyring.devices} has been heard since the gateway began`,
      remedy:
        'is links.tcp.listen an address that the boards reach (0.0.0.0:7683), and the right one on them?',
    });
  return findings;
}

const REFUSED: Readonly<Record<string, string>> = {
  'unknown-device':
    'sovereign device add or provision gives it keys here; sovereign quarantine release takes what has come',
  mac: 'a board with other keys than the keyring’s, or a forger: sovereign device resync, or provision it anew',
  'epoch-too-old': 'a board that was put back to an older state: sovereign device resync',
  'epoch-too-far': 'a board that has begun very often: sovereign device resync',
};

function checkRefused({ quarantine: { reasons } }: NodeStatus): Finding[] {
  return Object.entries(REFUSED)
    .filter(([reason]) => (reasons[reason] ?? 0) > 0)
    .map(([reason, remedy]) => ({
      check: 'refused',
      state: 'note',
      text: `${reasons[reason]} times ${reason}; sovereign quarantine list shows them`,
      remedy,
    }));
}

function checkWear({ journal: { writes } }: NodeStatus): Finding[] {
  if (writes?.years === undefined) return [];
  const enough = writes.years >= LEAST_YEARS;
  const text = `at this rate the flash lasts ${writes.years < 10 ? writes.years.toFixed(1) : Math.round(writes.years)} years`;
  const remedy = 'look at what else writes to it (iotop -a), and have a backup and a spare card';
  return [{ check: 'wear', state: enough ? 'ok' : 'note', text, ...(!enough && { remedy }) }];
}

/** The broker's certificate shows itself in a connection alone. */
function checkConnection({ uplink, clock }: NodeStatus): Finding[] {
  const ends = uplink?.certificateEndsAt;
  if (ends === undefined || ends - clock.at > SOON_MS) return [];
  const text = `the connection with ${uplink?.broker} was made with a certificate that ends on ${dayText(ends)}`;
  const remedy = 'have it renewed, the broker’s or ours (uplink.cert), and restart the gateway when it is';
  return [{ check: 'tls', state: 'note', text, remedy }];
}

function names(devices: readonly DeviceStatus[], more: (device: DeviceStatus) => string = () => ''): string {
  const shown = devices.slice(0, MAX_NAMES).map(device => (device.name ?? device.id) + more(device));
  const rest = devices.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
