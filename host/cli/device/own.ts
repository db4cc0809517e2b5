import { join } from 'node:path';
import { Fault } from '../../fault.js';
import { nodeDigest } from '../../node/digest.js';
import { privateFiles } from '../../node/private-files.js';
import { systemRandom } from '../../node/random.js';
import { NodeStorage } from '../../node/storage.js';
import { enrolOwn } from '../../panel/enrol.js';
import { OwnKeys } from '../../panel/own-keys.js';
import { type ConfigOption, configOf, type JsonOption } from '../context.js';
import type { Output } from '../output.js';

/** For a gateway that may not change its keyring itself; it notices, and begins. */
export async function own(options: ConfigOption & JsonOption, output: Output): Promise<void> {
  const { dataDirectory, gateway, keyringFile } = await configOf(options);
  const directory = join(dataDirectory, 'own-device');
  const ports = { storage: new NodeStorage(), random: systemRandom, digest: nodeDigest };
  const keys = await OwnKeys.load(ports, directory);
  if (keys === undefined)
    throw new Fault(
      'own-device-absent',
      `this gateway is no device: there is nothing in ${directory}`,
      'configure panel.enclosure and start the gateway, which makes it',
    );
  const name = await enrolOwn(privateFiles, keyringFile, gateway, {
    id: keys.id,
    ...(await keys.base()),
    down: keys.down,
  });
  if (output.json) return output.object({ device: keys.id, name });
  await output.line(`${output.style('green', 'in the keyring')} ${keys.id} ${name}`);
  return undefined;
}
