/** Secrets that stand in the configuration itself, where everybody on the machine may read it. */
import { secretsIn } from '../config/files.js';
import { type Config, MAX_CONFIG_BYTES } from '../config.js';
import { Fault } from '../fault.js';
import { shellWord } from '../keyring/file.js';
import { userName } from '../node/machine.js';
import { exposedFile, readTextFile } from '../node/text-file.js';

/**
 * What is said of it; undefined while there is nothing to say. It is a warning and no refusal, as a secret in a file of its
 * own gets it: that configuration has run so far, and a gateway that does not start loses more than it protects.
 * @param user who runs the gateway, if not we
 */
export async function exposedSecrets(
  { file }: Pick<Config, 'file'>,
  user?: string,
): Promise<Fault | undefined> {
  const exposed = await exposedFile(file);
  if (exposed === undefined) return undefined;
  const settings = secretsIn((await readTextFile(file, MAX_CONFIG_BYTES)) ?? '');
  if (settings.length === 0) return undefined;
  const path = shellWord(file);
  // Whoever reads a file as one of the others is locked out when it is closed to them.
  const whose =
    exposed.ours && user === undefined ? '' : `chown ${shellWord(`${user ?? userName()}:`)} ${path} && `;
  return new Fault(
    'config-readable',
    `everybody on this machine may use ${settings.join(', ')} in ${file}: its mode is ${exposed.mode}`,
    `${whose}chmod 600 ${path} (640 where a group is to read it), or put the secret into a file of its own ` +
      `(${settings.map(setting => `${setting}File`).join(', ')}); and change it if others may have seen it`,
  );
}
