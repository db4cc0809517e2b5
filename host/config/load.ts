/** From files to what the program uses: the configuration, and what the broker wants to see. */
import { resolve } from 'node:path';
import { type BrokerConfig, type Config, MAX_CONFIG_BYTES, parseConfig } from '../config.js';
import { Fault } from '../fault.js';

/**
 * Reads a text file of at most so many bytes; undefined when there is none; throws a Fault otherwise, also for a `secret` one
 * that everybody may read.
 */
export type ReadText = (
  path: string,
  maxBytes: number,
  confidence?: 'public' | 'secret',
) => Promise<string | undefined>;

export const SYSTEM_CONFIG = '/etc/sovereign/config.yaml';
const MAX_SECRET_BYTES = 256 * 1024;

/**
 * Reads the configuration: the file that was named, else `config.yaml` in the working directory, else
 * `/etc/sovereign/config.yaml`.
 * @throws Fault `config-missing`, `config-invalid`, or why it can't be read
 */
export async function loadConfig(
  readText: ReadText,
  workingDirectory: string,
  file?: string,
): Promise<Config> {
  const candidates =
    file === undefined
      ? [resolve(workingDirectory, 'config.yaml'), SYSTEM_CONFIG]
      : [resolve(workingDirectory, file)];
  for (const path of candidates) {
    const text = await readText(path, MAX_CONFIG_BYTES);
    if (text !== undefined) return parseConfig(text, path);
  }
  throw new Fault(
    'config-missing',
    `there is no configuration ${candidates.join(' and no ')}`,
    'sovereign init makes one, --config FILE names one',
  );
}

/** What the broker is shown, read from the files that the configuration names. */
export interface BrokerAccess {
  readonly username?: string;
  readonly password?: string;
  /** PEM texts. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** @throws Fault `uplink-file` when one of the files is missing or empty, or why it can't be read or is no secret */
export async function readBrokerAccess(
  readText: ReadText,
  uplink: BrokerConfig,
  section = 'uplink',
): Promise<BrokerAccess> {
  const read = async (setting: 'passwordFile' | 'ca' | 'cert' | 'key') => {
    const path = uplink[setting];
    if (path === undefined) return undefined;
    const secret = setting === 'passwordFile' || setting === 'key';
    const text = await readText(path, MAX_SECRET_BYTES, secret ? 'secret' : 'public');
    if (text === undefined || text.trim() === '')
      throw new Fault(
        'uplink-file',
        `${section}.${setting}: ${path} ${text === undefined ? 'is not there' : 'is empty'}`,
        `put the ${setting === 'passwordFile' ? 'password' : 'PEM text'} there or mend the path`,
      );
    return text;
  };
  // An editor ends the file with a newline that is not part of the password.
  const password = uplink.password ?? (await read('passwordFile'))?.replace(/\r?\n$/, '');
  const [ca, cert, key] = [await read('ca'), await read('cert'), await read('key')];
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    ...(uplink.username !== undefined && { username: uplink.username }),
    ...(password !== undefined && { password }),
    ...(Object.keys(tls).length > 0 && { tls }),
  };
}
