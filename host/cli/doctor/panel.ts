/** Whether the LED and the enclosure switch of the configuration can be there, and whether anybody could verify the switch. */
import { join } from 'node:path';
import type { Config } from '../../config.js';
import { Fault } from '../../fault.js';
import { nodeDigest } from '../../node/digest.js';
import { GPIO_CLASS, NodeGpio } from '../../node/gpio.js';
import { accessCodeAs, userName } from '../../node/machine.js';
import { systemRandom } from '../../node/random.js';
import { NodeStorage } from '../../node/storage.js';
import { OwnKeys } from '../../panel/own-keys.js';
import { keyringOf } from '../context.js';
import type { Finding } from './finding.js';

/** @param root instead of the kernel's */
export async function checkPanel(config: Config, user?: string, root = GPIO_CLASS): Promise<Finding[]> {
  const { panel } = config;
  if (panel === undefined) return [];
  const gpio = new NodeGpio({ chip: panel.chip, root });
  const findings: Finding[] = [];
  for (const part of ['led', 'enclosure'] as const) {
    const line = panel[part]?.gpio;
    if (line === undefined) continue;
    findings.push(
      await told(`panel.${part}`, async () => `GPIO ${line} is ${gpio.numberOf(line)} for the kernel`),
    );
  }
  if (findings.some(({ state }) => state === 'wrong')) return findings;
  // Which may be written and not read.
  const code = await accessCodeAs(user, join(root, 'export'), 'write');
  if (code !== '')
    findings.push({
      check: 'panel',
      state: 'wrong',
      text: `${user ?? userName()} may not use GPIO: ${code}`,
      remedy: `usermod -aG gpio ${user ?? userName()}`,
    });
  if (panel.enclosure !== undefined) findings.push(await told('panel', () => enrolled(config)));
  return findings;
}

/** @throws Fault when what the switch says could not be verified */
async function enrolled(config: Config): Promise<string> {
  const ports = { storage: new NodeStorage(), random: systemRandom, digest: nodeDigest };
  const keys = await OwnKeys.load(ports, join(config.dataDirectory, 'own-device'));
  if (keys === undefined) return 'the gateway makes its identity at its first start';
  const entry = (await keyringOf(config)).get(keys.id);
  if (entry !== undefined) return `the gateway is ${entry.name} in the keyring`;
  throw new Fault(
    'panel-not-in-keyring',
    `the gateway’s own device ${keys.id} is not in the keyring: what the enclosure says is not sealed`,
    'sovereign device own',
  );
}

async function told(name: string, look: () => Promise<string>): Promise<Finding> {
  try {
    return { check: 'panel', state: 'ok', text: `${name}: ${await look()}` };
  } catch (error) {
    if (!(error instanceof Fault))
      return { check: 'panel', state: 'note', text: `${name}: ${String(error)}` };
    return { check: 'panel', state: 'wrong', text: `${name}: ${error.message}`, remedy: error.remedy };
  }
}
