/** What the configuration names: keyring, data directory, links, broker. */
import { join } from 'node:path';
import type { Config } from '../../config.js';
import { Fault } from '../../fault.js';
import { shellWord } from '../../keyring/file.js';
import { accessCode, fileKind, freeBytes, tryConnecting, tryWriting, userName } from '../../node/machine.js';
import { CONTROL_SOCKET } from '../ask.js';
import { brokerAccessOf, keyringOf } from '../context.js';
import { bytesText } from '../output.js';
import type { Finding } from './finding.js';

const CONNECT_TIMEOUT_MS = 3000;
const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

export async function checkKeyring(config: Config): Promise<Finding> {
  try {
    const { size } = await keyringOf(config);
    const text = `${config.keyringFile} with ${size} device${size === 1 ? '' : 's'}`;
    if (size > 0) return { check: 'keyring', state: 'ok', text };
    return { check: 'keyring', state: 'note', text, remedy: 'sovereign device add gives a device its keys' };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { check: 'keyring', state: 'wrong', text: error.message, remedy: error.remedy };
  }
}

export async function checkData(config: Config): Promise<Finding[]> {
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
    const code = await tryWriting(path);
    const running =
      (await fileKind(join(path, CONTROL_SOCKET))) !== 'none' ? '; a gateway uses it or has used it' : '';
    if (code === '') findings.push({ check: 'data', state: 'ok', text: `${path} can be written${running}` });
    else
      findings.push({
        check: 'data',
        state: 'wrong',
        text: `${path} can't be written by ${userName()}: ${code}`,
        remedy:
          code === 'ENOSPC'
            ? 'make room on that disk'
            : `chown -R ${shellWord(userName())} ${shellWord(path)}`,
      });
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
  return findings;
}

export async function checkLinks(config: Config): Promise<Finding[]> {
  const { serial, tcp, sdk, mqtt } = config.links;
  const findings = await Promise.all(serial.map(({ port }) => checkSerial(port)));
  if (serial.length === 0 && tcp === undefined && sdk === undefined && mqtt === undefined)
    findings.push({
      check: 'links',
      state: 'wrong',
      text: 'the configuration has no link: no device can be heard',
      remedy: 'add links.serial, links.tcp, links.mqtt or links.sdk',
    });
  return findings;
}

async function checkSerial(port: string): Promise<Finding> {
  const check = 'serial';
  if ((await fileKind(port)) === 'none')
    return {
      check,
      state: 'wrong',
      text: `${port} is not there`,
      remedy: 'plug the board in; ls /dev/serial/by-id shows what is there',
    };
  const code = await accessCode(port, 'read-write');
  if (code === '') return { check, state: 'ok', text: `${port} can be used` };
  return {
    check,
    state: 'wrong',
    text: `${port} may not be used by ${userName()}: ${code}`,
    remedy: `usermod -aG dialout ${shellWord(userName())}, then log in again`,
  };
}

export async function checkBroker(config: Config): Promise<Finding[]> {
  const { uplink } = config;
  const check = 'broker';
  if (uplink === undefined)
    return [
      { check, state: 'note', text: 'the configuration has no uplink: nothing is published', remedy: '' },
    ];
  const findings: Finding[] = [];
  try {
    await brokerAccessOf(config);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    findings.push({ check, state: 'wrong', text: error.message, remedy: error.remedy });
  }
  const url = new URL(uplink.broker);
  const port = url.port === '' ? PORTS[url.protocol] : Number(url.port);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const why = await tryConnecting(host, port, CONNECT_TIMEOUT_MS);
  findings.push(
    why === ''
      ? { check, state: 'ok', text: `${host}:${port} answers` }
      : {
          check,
          state: 'wrong',
          text: `${host}:${port} can't be reached: ${why}`,
          remedy: 'start the broker (apt-get install mosquitto brings one), or mend uplink.broker',
        },
  );
  return findings;
}
