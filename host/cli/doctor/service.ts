/** Whether the gateway runs: by itself, as it answers, and by systemd, which starts it where it was installed. */
import { dirname, join } from 'node:path';
import { SYSTEM_CONFIG } from '../../config/load.js';
import type { Config } from '../../config.js';
import { callGateway } from '../../control/client.js';
import type { NodeStatus } from '../../control/status.js';
import { Fault } from '../../fault.js';
import { systemClock } from '../../node/clock.js';
import { isRoot, unitProperties, userName } from '../../node/machine.js';
import { connectUnix } from '../../node/unix-socket.js';
import { durationText } from '../../texts.js';
import { CONTROL_SOCKET } from '../ask.js';
import type { Finding } from './finding.js';

export const UNIT = 'sovereign';
const JOURNAL = `journalctl -u ${UNIT} -n 50 says why`;

/** The unit, as far as it is looked at. */
export interface Service {
  /** `active`, `activating`, `inactive`, `failed`, … */
  readonly state: string;
  /** Why it ended: `exit-code`, `watchdog`, `oom-kill`, …; `success` while nothing is wrong. */
  readonly result: string;
  /** Starts by systemd after it had ended. */
  readonly restarts: number;
  readonly user: string;
  /** The folders of the machine that it sees; absent: all. */
  readonly sees?: readonly string[];
}

const SIGHT = ['RootDirectory', 'BindPaths', 'BindReadOnlyPaths', 'StateDirectory'] as const;

/** Undefined where the gateway of this configuration is no service: the unit has that of the system. */
export async function serviceOf({ file }: Config): Promise<Service | undefined> {
  if (file !== SYSTEM_CONFIG) return undefined;
  const found = await unitProperties(UNIT, ['ActiveState', 'Result', 'NRestarts', 'User', ...SIGHT]);
  if (found === undefined) return undefined;
  const { ActiveState: state = '', Result: result = '', NRestarts: restarts, User: user = '' } = found;
  const sees = sightOf(found);
  return { state, result, restarts: Number(restarts) || 0, user: user || 'root', ...(sees && { sees }) };
}

/** A root of its own shows it what is bound into it, its state, and what every system has (`MountAPIVFS=`). */
export function sightOf(unit: Readonly<Record<string, string>>): string[] | undefined {
  if (!unit.RootDirectory || unit.RootDirectory === '/') return undefined;
  const words = (name: string) => (unit[name] ?? '').split(' ').filter(word => word !== '');
  // SOURCE:DESTINATION:OPTIONS, with a hyphen before what may be absent.
  const bound = [...words('BindPaths'), ...words('BindReadOnlyPaths')].map(word => {
    const [source = '', destination] = word.replace(/^-/, '').split(':');
    return destination || source;
  });
  return ['/dev', '/proc', '/sys', ...bound, ...words('StateDirectory').map(name => `/var/lib/${name}`)];
}

/** Files of the configuration that the unit does not let the gateway see. */
export function checkSight(config: Config, service: Service | undefined): Finding[] {
  const { sees } = service ?? {};
  if (sees === undefined) return [];
  const { uplink, links, web } = config;
  const files = [uplink, links.mqtt].flatMap(of => [of?.passwordFile, of?.ca, of?.cert, of?.key]);
  const paths = [config.dataDirectory, config.keyringFile, ...files, web?.tokenFile, web?.cert, web?.key];
  const hidden = paths.filter(
    (path): path is string =>
      path !== undefined && !sees.some(folder => path === folder || path.startsWith(`${folder}/`)),
  );
  return [...new Set(hidden)].map(path => ({
    check: 'gateway',
    state: 'wrong',
    text: `${UNIT}.service does not let the gateway see ${path}`,
    remedy: `systemctl edit ${UNIT} with [Service] BindPaths=${dirname(path)}, or move it below /var/lib/sovereign or /etc/sovereign`,
  }));
}

/** Whom permissions are looked at for: the user of the service, where we are him or root, who himself may do everything. */
export function userOf(service: Service | undefined): string | undefined {
  if (service === undefined || service.user === 'root') return undefined;
  return isRoot || service.user === userName() ? service.user : undefined;
}

/** What the gateway of this configuration answers; a Fault when it does not. */
export function askRunning(config: Config): Promise<NodeStatus | Fault> {
  const ports = { clock: systemClock, connect: connectUnix };
  return callGateway(ports, join(config.dataDirectory, CONTROL_SOCKET), 'status', {}).catch(error => {
    if (error instanceof Fault) return error;
    throw error;
  });
}

export function checkService(service: Service | undefined, running: NodeStatus | Fault | undefined): Finding {
  const finding = (state: Finding['state'], text: string, remedy = ''): Finding => ({
    check: 'gateway',
    state,
    text,
    ...(remedy && { remedy }),
  });
  if (running !== undefined && !(running instanceof Fault)) {
    const { pid, uptimeMs, version } = running;
    return finding('ok', `version ${version} runs as process ${pid} for ${durationText(uptimeMs)}`);
  }
  if (running?.code === 'permission')
    return finding('note', `runs, but does not answer ${userName()}`, 'sudo sovereign doctor sees more');
  if (running !== undefined && running.code !== 'gateway-absent')
    return finding('wrong', `does not answer: ${running.message}`, running.remedy || JOURNAL);
  if (service === undefined)
    return finding(
      'note',
      'does not run, and is no service here',
      'sovereign gateway starts it in this terminal; host/deploy/README.md has it started with the machine',
    );
  const { state, result, restarts } = service;
  if (state === 'failed') return finding('wrong', `${UNIT}.service has failed: ${result}`, JOURNAL);
  if (state === 'active')
    return finding(
      'wrong',
      `${UNIT}.service runs, but not with this data directory`,
      `systemctl restart ${UNIT} has it take the configuration as it is now`,
    );
  if (restarts > 0 || state === 'activating')
    return finding('wrong', `${UNIT}.service ends again and again (${restarts} times: ${result})`, JOURNAL);
  return finding('wrong', `${UNIT}.service is ${state}`, `systemctl enable --now ${UNIT}`);
}
