/** What the configuration names: keyring, data directory, links. `user`: whom permissions are looked at for, if not for us. */
import type { Config } from '../../config.js';
import { Fault } from '../../fault.js';
import { shellWord } from '../../keyring/file.js';
import {
  accessCodeAs,
  type Flash,
  fileKind,
  flashOf,
  freeBytes,
  tryWriting,
  userName,
} from '../../node/machine.js';
import { bytesText } from '../../texts.js';
import { keyringOf } from '../context.js';
import type { Finding } from './finding.js';
import { UNIT } from './service.js';

/** Of its life that a flash may have spent before it is spoken of. */
const WORN_PERCENT = 80;

export async function checkKeyring(config: Config, user?: string): Promise<Finding> {
  try {
    const { size } = await keyringOf(config);
    const { keyringFile: path } = config;
    if ((await accessCodeAs(user, path, 'read')) !== '')
      return {
        check: 'keyring',
        state: 'wrong',
        text: `${path} can't be read by the gateway, which runs as ${user}`,
        remedy: `chown ${shellWord(`${user}:`)} ${shellWord(path)}`,
      };
    const text = `${config.keyringFile} with ${size} device${size === 1 ? '' : 's'}`;
    if (size > 0) return { check: 'keyring', state: 'ok', text };
    return { check: 'keyring', state: 'note', text, remedy: 'sovereign device add gives a device its keys' };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { check: 'keyring', state: 'wrong', text: error.message, remedy: error.remedy };
  }
}

export async function checkData(config: Config, user?: string): Promise<Finding[]> {
  const { dataDirectory: path } = config;
  const kind = await fileKind(path);
  const findings: Finding[] = [];
  if (kind === 'none')
    findings.push({ check: 'data', state: 'ok', text: `${path} is made by the gateway's first start` });
  else if (kind !== 'directory')
    findings.push({
      check: 'data',
      state: 'wrong',
      text: `${path} is no directory`,
      remedy: 'move it away, or choose another data: in the configuration',
    });
  else {
    const code = (await tryWriting(path)) || (await accessCodeAs(user, path, 'read-write'));
    const who = user ?? userName();
    findings.push(
      code === ''
        ? { check: 'data', state: 'ok', text: `${path} can be written` }
        : {
            check: 'data',
            state: 'wrong',
            text: `${path} can't be written by ${who}: ${code}`,
            remedy: writeRemedy(code, who, path),
          },
    );
  }
  const free = await freeBytes(path);
  const { reserveBytes, segmentBytes } = config.journal;
  if (free === undefined) return findings;
  const enough = free > reserveBytes + 2 * segmentBytes;
  findings.push({
    check: 'space',
    state: enough ? 'ok' : 'wrong',
    text: `${bytesText(free)} free for the journal, ${bytesText(reserveBytes)} of it in reserve`,
    ...(!enough && { remedy: 'make room on that disk, or lower journal.reserveBytes' }),
  });
  return [...findings, ...(await checkFlash(config))];
}

function writeRemedy(code: string, user: string, path: string): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on that disk';
  if (code === 'EROFS')
    return 'mount -o remount,rw makes it writable; dmesg says whether it became read only because the card fails';
  if (code === 'EIO') return 'the disk does not work: dmesg says more; put the backup onto another one';
  return `chown -R ${shellWord(user)} ${shellWord(path)}`;
}

/** Cards say nothing of their wear, so what is written is counted against what the maker promises. */
async function checkFlash({ dataDirectory, journal }: Config): Promise<Finding[]> {
  const flash = await flashOf((await fileKind(dataDirectory)) === 'none' ? '/' : dataDirectory);
  return flash === undefined ? [] : flashFindings(flash, journal.enduranceBytes);
}

export function flashFindings({ kind, usedPercent }: Flash, enduranceBytes: number | undefined): Finding[] {
  const check = 'flash';
  if (usedPercent !== undefined && usedPercent > WORN_PERCENT)
    return [
      {
        check,
        state: usedPercent > 100 ? 'wrong' : 'note',
        text: `the eMMC has spent ${usedPercent > 100 ? 'all' : `up to ${usedPercent} %`} of its life`,
        remedy: 'have a backup, and move data: to another disk',
      },
    ];
  if (usedPercent !== undefined)
    return [{ check, state: 'ok', text: `the eMMC has spent up to ${usedPercent} % of its life` }];
  if (enduranceBytes !== undefined) return [];
  return [
    {
      check,
      state: 'note',
      text: `the data is on ${kind === 'SD' ? 'an SD card' : 'an eMMC'}, which does not tell how worn it is`,
      remedy: 'with journal.enduranceBytes, as its maker gives it, status and metrics say how long it lasts',
    },
  ];
}

export async function checkLinks(config: Config, user?: string): Promise<Finding[]> {
  const { serial, tcp, sdk, mqtt } = config.links;
  const findings = await Promise.all(serial.map(({ port }) => checkSerial(port, user)));
  if (serial.length === 0 && tcp === undefined && sdk === undefined && mqtt === undefined)
    findings.push({
      check: 'links',
      state: 'wrong',
      text: 'the configuration has no link: no device can be heard',
      remedy: 'add links.serial, links.tcp, links.mqtt or links.sdk',
    });
  return findings;
}

async function checkSerial(port: string, user?: string): Promise<Finding> {
  const check = 'serial';
  if ((await fileKind(port)) === 'none')
    return {
      check,
      state: 'wrong',
      text: `${port} is not there`,
      remedy: 'plug the board in; ls /dev/serial/by-id shows what is there',
    };
  const code = await accessCodeAs(user, port, 'read-write');
  if (code === '') return { check, state: 'ok', text: `${port} can be used` };
  const who = user ?? userName();
  return {
    check,
    state: 'wrong',
    text: `${port} may not be used by ${who}: ${code}`,
    remedy: `usermod -aG dialout ${shellWord(who)}, then ${user ? `systemctl restart ${UNIT}` : 'log in again'}`,
  };
}
