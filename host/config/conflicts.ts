/** Limits that hold between settings of `config.yaml`. */
import { deviceConflicts } from './devices.js';
import { type Path, pathText, valueAt } from './document.js';
import { homeAssistantConflicts, panelConflicts } from './panel.js';
import { configSchema } from './schema.js';
import { webConflicts } from './web.js';

export interface Conflict {
  readonly path: Path;
  readonly text: string;
}

/** Limits between settings; looks at raw values, so that it speaks even while other lines are wrong. */
export function conflicts(raw: unknown): Conflict[] {
  const found: Conflict[] = [];
  const check = (path: Path, wrong: boolean, text: string) => {
    if (wrong) found.push({ path, text });
  };
  const number = (path: Path, otherwise: number) => {
    const value = valueAt(raw, path);
    return typeof value === 'number' ? value : otherwise;
  };
  const has = (path: Path) => valueAt(raw, path) !== undefined;
  const defaults = configSchema.parse({
    site: 'x',
    gateway: 'x',
    links: { tcp: {}, sdk: {} },
    uplink: { broker: 'mqtt://x' },
    web: {},
    metrics: {},
  });

  const tcp = ['links', 'tcp'];
  const connections = number([...tcp, 'maxConnections'], defaults.links.tcp?.maxConnections ?? 0);
  const pending = number([...tcp, 'maxUnauthenticated'], defaults.links.tcp?.maxUnauthenticated ?? 0);
  check(
    has([...tcp, 'maxUnauthenticated']) ? [...tcp, 'maxUnauthenticated'] : [...tcp, 'maxConnections'],
    pending > connections,
    `maxUnauthenticated (${pending}) must not be above maxConnections (${connections})`,
  );
  const addressOf = (section: Path) => {
    const listen = [...section, 'listen'];
    return valueAt(raw, listen) ?? (has(section) ? valueAt(defaults, listen) : undefined);
  };
  for (const [index, listener] of LISTENERS.entries()) {
    const address = addressOf(listener);
    const taken = LISTENERS.slice(0, index).find(other => addressOf(other) === address);
    check(
      has([...listener, 'listen']) ? [...listener, 'listen'] : listener,
      address !== undefined && taken !== undefined && !String(address).endsWith(':0'),
      `must differ from ${pathText([...(taken ?? []), 'listen'])}; give each listener a port of its own`,
    );
  }

  const mqtt = ['links', 'mqtt'];
  const devices = number([...mqtt, 'maxDevices'], 1024);
  const strangers = number([...mqtt, 'maxUnauthenticated'], Math.min(128, devices));
  check(
    [...mqtt, 'maxUnauthenticated'],
    strangers > devices,
    `maxUnauthenticated (${strangers}) must not be above maxDevices (${devices})`,
  );
  if (has(mqtt) && !has([...mqtt, 'broker'])) {
    check(mqtt, !has(['uplink', 'broker']), 'needs a broker here, or an uplink whose broker it can use');
    for (const key of BROKER_KEYS)
      check(
        [...mqtt, key],
        has([...mqtt, key]),
        'goes with links.mqtt.broker; without it, the uplink’s settings hold',
      );
  }

  const serial = valueAt(raw, ['links', 'serial']);
  const ports = new Map<unknown, number>();
  for (const [index, entry] of (Array.isArray(serial) ? serial : []).entries()) {
    const port = valueAt(entry, ['port']);
    const first = ports.get(port);
    if (first === undefined) ports.set(port, index);
    else if (port !== undefined)
      check(['links', 'serial', index, 'port'], true, `the same port as links.serial[${first}]; remove one`);
  }

  const { journal, quarantine } = defaults;
  const segment = number(['journal', 'segmentBytes'], journal.segmentBytes);
  const queued = number(['journal', 'maxPendingBytes'], journal.maxPendingBytes);
  const retained = number(['journal', 'retainBytes'], journal.retainBytes);
  check(
    has(['journal', 'maxPendingBytes']) ? ['journal', 'maxPendingBytes'] : ['journal', 'segmentBytes'],
    queued > segment,
    `maxPendingBytes (${queued}) must not be above segmentBytes (${segment})`,
  );
  check(
    has(['journal', 'retainBytes']) ? ['journal', 'retainBytes'] : ['journal', 'segmentBytes'],
    retained > 0 && retained < 2 * segment,
    `retainBytes (${retained}) must be 0 or at least twice segmentBytes (${segment})`,
  );
  const whole = number(['quarantine', 'maxBytes'], quarantine.maxBytes);
  for (const part of ['perReasonBytes', 'perDeviceBytes', 'unauthenticatedPerDayBytes'] as const) {
    const bytes = number(['quarantine', part], quarantine[part]);
    check(
      has(['quarantine', part]) ? ['quarantine', part] : ['quarantine', 'maxBytes'],
      bytes > whole,
      `${part} (${bytes}) must not be above quarantine.maxBytes (${whole})`,
    );
  }
  brokerConflicts(['uplink'], raw, check, has);
  brokerConflicts(['links', 'mqtt'], raw, check, has);
  deviceConflicts(raw, check);
  webConflicts(raw, check);
  homeAssistantConflicts(raw, check);
  panelConflicts(raw, check);
  return found;
}

/** Sections with a `listen`. */
const LISTENERS: readonly Path[] = [['links', 'tcp'], ['links', 'sdk'], ['web'], ['metrics']];

const BROKER_KEYS = [
  'protocol',
  'username',
  'password',
  'passwordFile',
  'ca',
  'cert',
  'key',
  'keepAliveSeconds',
  'connectTimeoutMs',
] as const;

function brokerConflicts(
  base: Path,
  raw: unknown,
  check: (path: Path, wrong: boolean, text: string) => void,
  has: (path: Path) => boolean,
): void {
  const at = (key: string) => [...base, key];
  const section = pathText(base);
  const broker = valueAt(raw, at('broker'));
  const url = typeof broker === 'string' && URL.canParse(broker) ? new URL(broker) : undefined;
  if (typeof broker === 'string' && /^(mqtts?|wss?):\/\/\S/.test(broker)) {
    check(at('broker'), url === undefined || url.hostname === '', 'is no URL; expected mqtt://HOST:PORT');
  }
  check(
    at('broker'),
    url !== undefined && (url.username !== '' || url.password !== ''),
    `must not hold a user name or password; use ${section}.username and ${section}.passwordFile`,
  );
  const secure = url === undefined || ['mqtts:', 'wss:'].includes(url.protocol);
  for (const key of ['ca', 'cert', 'key']) {
    check(at(key), has(at(key)) && !secure, 'is for TLS only; make the broker mqtts:// or wss://');
  }
  check(at('cert'), has(at('cert')) && !has(at('key')), `needs ${section}.key as well`);
  check(at('key'), has(at('key')) && !has(at('cert')), `needs ${section}.cert as well`);
  check(
    at('password'),
    has(at('password')) && has(at('passwordFile')),
    'keep this or passwordFile, not both',
  );
  for (const key of ['password', 'passwordFile']) {
    check(at(key), has(at(key)) && !has(at('username')), `needs ${section}.username as well`);
  }
}
