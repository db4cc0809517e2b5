/**
 * What `config.yaml` may hold. Every leaf's message says what it expects, as it ends the sentence
 * "expected …, got …". Defaults and limits stand here and nowhere else.
 */
import { z } from 'zod';
import { NAME, NAME_RULE } from '../keyring/entry.js';
import { MAX_PERIOD_MS, MIN_PERIOD_MS } from './devices.js';
import { DEFAULT_PREFIX } from './panel.js';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

const whole = (min: number, max: number, unit = '') => {
  const error = `a whole number from ${min} to ${max}${unit}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
};
const flag = () => z.boolean({ error: 'true or false' });
const text = (what: string, pattern: RegExp) => z.string({ error: what }).regex(pattern, { error: what });

/** One level of an MQTT topic, and a file name. */
const name = (example: string) =>
  text(
    `a name of 1 to 64 letters, digits, "-", "_" or ".", such as ${example}`,
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
  );
/** Whatever names a file is known by this: a backup takes those files along. */
const files = z.registry<{ readonly example: string }>();
export const isFile = (schema: z.ZodType) => files.has(schema);
const file = (example: string) =>
  text(`a path such as ${example}`, /^[^\0]{1,4096}$/).register(files, { example });

/** Whatever holds a secret itself: the configuration is then a file to be kept from others. */
const secrets = z.registry<object>();
export const isSecret = (schema: z.ZodType) => secrets.has(schema);
const secret = (what: string, pattern: RegExp) => text(what, pattern).register(secrets, {});

export const LISTEN = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.]+)?)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/;
const listen = (example: string) => {
  const error = `HOST:PORT such as ${example}`;
  return z
    .string({ error })
    .refine(value => Number(LISTEN.exec(value)?.[3] ?? 65_536) <= 65_535, { error, abort: true })
    .default(example);
};

const broker = () => {
  const error = 'a URL such as mqtt://127.0.0.1:1883, or one with mqtts://, ws:// or wss://';
  return text(error, /^(mqtts?|wss?):\/\/[^\s]+$/);
};

const serial = z.strictObject({
  port: text('a device such as /dev/ttyACM0 or /dev/serial/by-id/…', /^\/[^\0]{1,4095}$/),
  baud: whole(300, 4_000_000, ' bits a second').default(115_200),
});

const tcp = z.strictObject({
  listen: listen('127.0.0.1:7683'),
  maxConnections: whole(1, 65_536).default(1024),
  maxUnauthenticated: whole(1, 65_536).default(128),
});

const sdk = z.strictObject({
  listen: listen('127.0.0.1:7684'),
  maxConnections: whole(1, 65_536).default(256),
});

/** What a connection to a broker takes, whatever it is for. */
const access = {
  protocol: z
    .union([z.literal(5), z.literal('5'), z.literal('3.1.1')], { error: '5 or 3.1.1' })
    .default('5')
    .transform(value => (value === '3.1.1' ? '3.1.1' : '5')),
  username: text('a user name', /^[^\0]{1,1024}$/).optional(),
  password: secret('a text; put it in quotes when it looks like a number', /^[^\0]{1,1024}$/).optional(),
  passwordFile: file('/etc/sovereign/mqtt-password').optional(),
  ca: file('/etc/sovereign/ca.pem').optional(),
  cert: file('/etc/sovereign/client.pem').optional(),
  key: file('/etc/sovereign/client.key').optional(),
  keepAliveSeconds: whole(5, 65_535, ' seconds').default(30),
  connectTimeoutMs: whole(100, 600_000, ' ms').default(10_000),
};

const mqtt = z.strictObject({
  broker: broker().optional(),
  ...access,
  maxDevices: whole(1, 65_536).default(1024),
  maxUnauthenticated: whole(1, 65_536).default(128),
});

const journal = z.strictObject({
  segmentBytes: whole(64 * 1024, GiB, ' bytes').default(8 * MiB),
  maxPendingBytes: whole(64 * 1024, GiB, ' bytes').default(4 * MiB),
  reserveBytes: whole(0, 1024 * GiB, ' bytes, 0: until the disk is full').default(0),
  retainDays: whole(0, 36_500, ' days, 0 for ever').default(90),
  retainBytes: whole(0, 1024 * GiB, ' bytes, 0 for no limit').default(2 * GiB),
  enduranceBytes: whole(GiB, 1024 * 1024 * GiB, ' bytes').optional(),
});

const uplink = z.strictObject({
  broker: broker(),
  ...access,
  window: whole(1, 65_535, ' messages in flight').default(1000),
  replayPerSecond: whole(0, 10_000_000, ' messages a second, 0 for no limit').default(0),
  fetchPerSecond: whole(0, 1_000_000, ' messages a second, 0 for none').default(500),
  readingTopic: flag().default(true),
  order: z
    .enum(['oldest-first', 'live-first'], { error: 'oldest-first or live-first' })
    .default('oldest-first'),
  batch: flag().default(false),
});

const quarantine = z.strictObject({
  maxBytes: whole(0, 1024 * GiB, ' bytes').default(64 * MiB),
  perReasonBytes: whole(0, 1024 * GiB, ' bytes').default(8 * MiB),
  perDeviceBytes: whole(0, 1024 * GiB, ' bytes').default(MiB),
  unauthenticatedPerDayBytes: whole(0, 1024 * GiB, ' bytes').default(MiB),
  evidenceBytes: whole(64 * 1024, 1024 * GiB, ' bytes').default(16 * MiB),
  reserveBytes: whole(0, 1024 * GiB, ' bytes').default(64 * MiB),
});

const hostNames = () =>
  z
    .array(text('a host name such as gateway.lan', /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/))
    .max(16, { error: 'at most 16 names' })
    .default([]);

const metrics = z.strictObject({
  listen: listen('127.0.0.1:9090'),
  maxDevices: whole(0, 4096, ' devices').default(1000),
  names: hostNames(),
});

/** One or more levels of an MQTT topic. */
const homeAssistant = z.strictObject({
  prefix: text(
    'a topic without wildcards, such as homeassistant',
    /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+){0,7}$/,
  ).default(DEFAULT_PREFIX),
});

const gpio = () => whole(0, 1023, ' (a line of the GPIO chip: the BCM number on a Raspberry Pi)');
const panel = z.strictObject({
  chip: text('the label of a GPIO chip, such as pinctrl-rp1', /^[\x21-\x7e]{1,64}$/).optional(),
  led: z.strictObject({ gpio: gpio(), activeLow: flag().default(false) }).optional(),
  enclosure: z
    .strictObject({
      gpio: gpio(),
      openWhen: z.enum(['high', 'low'], { error: 'high or low' }).default('high'),
      debounceMs: whole(0, 10_000, ' ms').default(50),
    })
    .optional(),
});

const web = z.strictObject({
  listen: listen('127.0.0.1:8480'),
  token: secret('a text of 16 to 256 signs without spaces', /^[!-~]{16,256}$/).optional(),
  tokenFile: file('/etc/sovereign/web-token').optional(),
  cert: file('/etc/sovereign/web.pem').optional(),
  key: file('/etc/sovereign/web.key').optional(),
  insecure: flag().default(false),
  names: hostNames(),
});

const levels = ['debug', 'info', 'warn', 'error'] as const;
const formats = ['auto', 'text', 'json'] as const;

const links = z.strictObject({
  serial: z.array(serial).max(64, { error: 'at most 64 serial ports' }).default([]),
  tcp: tcp.optional(),
  mqtt: mqtt.optional(),
  sdk: sdk.optional(),
});

const ms = () => whole(MIN_PERIOD_MS, MAX_PERIOD_MS, ' ms').optional();
const threshold = () => {
  const error = 'a number from 0, in the unit of the source; 0: every sample';
  return z.number({ error }).min(0, { error }).optional();
};
const source = z.strictObject({ periodMs: ms(), threshold: threshold(), maxIntervalMs: ms() });
/** As the device names its source, which stands in its readings. */
const sourceName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9:./_-]{0,63}$/, {
  error: 'the name of a source: letters, digits, "-", "_", ".", ":" or "/", such as temperature',
});
const deviceName = z.string().refine(name => NAME.test(name) || /^[0-9a-f]{16}$/.test(name), {
  error: `an id of 16 hex digits, or ${NAME_RULE}`,
});
const devices = z.record(deviceName, z.strictObject({ sources: z.record(sourceName, source) }));

export const configSchema = z.strictObject({
  site: name('cellar'),
  gateway: name('gw-1a2b3c4d'),
  data: file('data').default('data'),
  keyring: file('keyring.yaml').default('keyring.yaml'),
  links: links.prefault({}),
  journal: journal.prefault({}),
  uplink: uplink.optional(),
  quarantine: quarantine.prefault({}),
  metrics: metrics.optional(),
  web: web.optional(),
  homeAssistant: homeAssistant.optional(),
  panel: panel.optional(),
  devices: devices.default({}),
  log: z
    .strictObject({
      level: z.enum(levels, { error: `one of ${levels.join(', ')}` }).default('info'),
      format: z.enum(formats, { error: `one of ${formats.join(', ')}` }).default('auto'),
    })
    .prefault({}),
});

export type ConfigDocument = z.output<typeof configSchema>;
