/** What building and provisioning boards needs. A gateway works without all of it, so nothing here is wrong. */

import { shellWord } from '../../keyring/file.js';
import { accessCode, serialPorts, userName } from '../../node/machine.js';
import { checkFamily, checkSdk, type ToolMachine } from '../flash/toolchain.js';
import type { Finding } from './finding.js';

export async function checkFirmware(machine: ToolMachine): Promise<Finding[]> {
  const sdk = await checkSdk(machine);
  // Who has no SDK doesn't build firmware here: one line says how to begin, and no more.
  if (sdk.length === 1 && sdk[0]!.state === 'wrong') return sdk.map(asNote);
  const families = await Promise.all([checkFamily(machine, 'pico'), checkFamily(machine, 'esp32')]);
  return [...sdk, ...families.flat()].map(asNote);
}

function asNote(finding: Finding): Finding {
  if (finding.state !== 'wrong') return finding;
  return { ...finding, state: 'note', text: `${finding.text}; it is for building firmware alone` };
}

/** Ports that are there and that this user may not use, the configured ones apart. */
export async function checkPorts(
  configured: readonly string[],
  ports?: readonly string[],
): Promise<Finding[]> {
  const found = (ports ?? (await serialPorts())).filter(port => !configured.includes(port));
  return Promise.all(
    found.map(async (port): Promise<Finding> => {
      const code = await accessCode(port, 'read-write');
      if (code === '') return { check: 'port', state: 'ok', text: `${port} can be used` };
      return {
        check: 'port',
        state: 'note',
        text: `${port} may not be used by ${userName()}: ${code}`,
        remedy: `usermod -aG dialout ${shellWord(userName())}, then log in again`,
      };
    }),
  );
}
