/** The command line of `sovereign device provision`: options to settings, a port to a board. */
import { resolve } from 'node:path';
import { type BoardSettings, encodeSettings } from '../../../firmware/seal/index.js';
import { Fault } from '../../fault.js';
import { NAME, NAME_RULE } from '../../keyring/entry.js';
import { systemClock } from '../../node/clock.js';
import { privateFiles } from '../../node/private-files.js';
import { systemRandom } from '../../node/random.js';
import { openSerial } from '../../node/serial.js';
import { readTextFile } from '../../node/text-file.js';
import { type ConfigOption, configOf, type JsonOption, usageFault } from '../context.js';
import { type Output, printable } from '../output.js';
import { BoardTalk } from './board-talk.js';
import { provisionBoard } from './provision.js';

export interface ProvisionCommandOptions extends ConfigOption, JsonOption {
  readonly port: string;
  readonly baud?: number;
  readonly name?: string;
  readonly wifiSsid?: string;
  readonly wifiPasswordFile?: string;
  readonly gateway?: string;
  readonly mqtt?: string;
  readonly mqttUser?: string;
  readonly mqttPasswordFile?: string;
}

const BAUD = 115_200;
const MAX_PASSWORD_BYTES = 1024;

export async function provision(options: ProvisionCommandOptions, output: Output): Promise<void> {
  const { keyringFile } = await configOf(options);
  if (options.name !== undefined && !NAME.test(options.name))
    throw usageFault(`--name: expected ${NAME_RULE}, got ${JSON.stringify(options.name)}`);
  const settings = await settingsOf(options);
  const talk = new BoardTalk(systemClock);
  const link = await openSerial({ port: options.port, baud: options.baud ?? BAUD }, opened =>
    talk.begin(opened),
  ).catch(error => {
    if (!(error instanceof Fault) || error.code !== 'port-busy') throw error;
    throw new Fault(
      error.code,
      error.message,
      'if that is the gateway, stop it while the board is provisioned; it takes the port again by itself when it runs',
      error,
    );
  });
  try {
    const step = (text: string) => void output.note(printable(text)).catch(() => {});
    const made = await provisionBoard(
      {
        port: options.port,
        keyringFile,
        settings,
        ...(options.name !== undefined && { name: options.name }),
      },
      { files: privateFiles, random: systemRandom, talk, step },
    );
    if (output.json) return await output.object(made);
    await output.line(`${made.device} (${made.name}) is provisioned; it starts its first epoch now`);
    return undefined;
  } finally {
    link.close();
  }
}

/** @throws Fault `usage` and why a file can't be read */
export async function settingsOf(
  options: Omit<ProvisionCommandOptions, 'port'>,
): Promise<Omit<BoardSettings, 'name'>> {
  const { wifiSsid, wifiPasswordFile, gateway, mqtt, mqttUser, mqttPasswordFile } = options;
  if (gateway !== undefined && mqtt !== undefined) throw usageFault('give --gateway or --mqtt, not both');
  if (wifiPasswordFile !== undefined && wifiSsid === undefined)
    throw usageFault('--wifi-password-file needs --wifi-ssid');
  if (wifiSsid !== undefined && gateway === undefined && mqtt === undefined)
    throw usageFault('--wifi-ssid needs --gateway HOST:PORT or --mqtt URL: where the board is to speak to');
  if ((mqttUser !== undefined || mqttPasswordFile !== undefined) && mqtt === undefined)
    throw usageFault('--mqtt-user and --mqtt-password-file go with --mqtt');
  const at = gateway === undefined ? undefined : hostPort('--gateway', gateway, /^/, 7683);
  const broker = mqtt === undefined ? undefined : hostPort('--mqtt', mqtt, /^mqtt:\/\//, 1883);
  const wifiPassword = await passwordIn('--wifi-password-file', wifiPasswordFile);
  const mqttPassword = await passwordIn('--mqtt-password-file', mqttPasswordFile);
  const settings = {
    ...(wifiSsid !== undefined && { ssid: wifiSsid }),
    ...(wifiPassword !== undefined && { wifiPassword }),
    ...(at && { gatewayHost: at.host, gatewayPort: at.port }),
    ...(broker && { mqttHost: broker.host, mqttPort: broker.port }),
    ...(mqttUser !== undefined && { mqttUser }),
    ...(mqttPassword !== undefined && { mqttPassword }),
  };
  const fault = encodeSettings({ name: 'x', ...settings });
  if (typeof fault === 'string') throw usageFault(fault);
  return settings;
}

function hostPort(
  option: string,
  text: string,
  prefix: RegExp,
  port: number,
): { host: string; port: number } {
  const [, six, host, digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?\/?$/.exec(text.replace(prefix, '')) ?? [];
  const found = six ?? host;
  const number = digits === undefined ? port : Number(digits);
  if (found === undefined || !prefix.test(text) || number < 1 || number > 65_535)
    throw usageFault(
      `${option}: expected ${option === '--mqtt' ? 'mqtt://HOST:PORT' : 'HOST:PORT'}, got ${JSON.stringify(text.replace(/\/\/[^/]*@/, '//…@'))}`,
    );
  return { host: found, port: number };
}

async function passwordIn(option: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const path = resolve(file);
  // An editor ends the file with a newline that is not part of the password.
  const text = (await readTextFile(path, MAX_PASSWORD_BYTES))?.replace(/\r?\n$/, '');
  if (text === undefined || text === '')
    throw new Fault(
      'password-file',
      `${option}: ${path} ${text === undefined ? 'is not there' : 'is empty'}`,
      'give a file that holds the password and nothing else',
    );
  return text;
}
