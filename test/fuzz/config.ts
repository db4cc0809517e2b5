/** The configuration file: `parseConfig`, on YAML that may be anything. */
import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { type BrokerConfig, type Config, MAX_CONFIG_BYTES, parseConfig } from '../../host/config.js';
import { Fault } from '../../host/fault.js';
import { alteredText } from './alter.js';
import { ensure, mutated, type Target } from './core.js';
import { type Dice, words } from './mutate.js';

const KEYS = [
  'site',
  'gateway',
  'links',
  'tcp',
  'sdk',
  'mqtt',
  'serial',
  'listen',
  'port',
  'broker',
  'mqtt://x',
  '127.0.0.1:7683',
  'uplink',
  'username',
  'password',
  'passwordFile',
  'cert',
  'key',
  'devices',
  'sources',
  'periodMs',
  'maxIntervalMs',
  'segmentBytes',
  'maxPendingBytes',
  'retainBytes',
  '__proto__',
  'constructor',
];

function anyConfig(dice: Dice): string {
  const lines = ['site: cellar', `gateway: ${dice.pick(['gw-1', '"1e5"', 'a.b'])}`];
  const some = (...more: string[]) => {
    if (dice.oneIn(3)) lines.push(...more);
  };
  some('data: data', 'keyring: ../keys.yaml');
  const links: string[] = [];
  if (dice.oneIn(2))
    links.push('  tcp: { listen: "127.0.0.1:7683", maxConnections: 10, maxUnauthenticated: 5 }');
  if (dice.oneIn(4)) links.push('  sdk:', '    listen: "[::1]:0"');
  if (dice.oneIn(2))
    links.push('  serial:', '    - port: /dev/ttyACM0', '    - { port: /dev/ttyUSB1, baud: 9600 }');
  if (links.length > 0) lines.push('links:', ...links);
  some(
    'journal:',
    `  segmentBytes: ${65_536 + dice.below(1000)}`,
    '  maxPendingBytes: 65536',
    '  retainDays: 0',
  );
  if (dice.oneIn(3)) {
    lines.push('uplink:', '  broker: mqtts://broker:8883', '  protocol: 3.1.1', '  ca: ca.pem');
    some('  username: u', '  passwordFile: p', '  window: 7', '  readingTopic: false');
  }
  some('quarantine: { maxBytes: 67108864, perReasonBytes: 0 }');
  some('devices:', '  probe:', '    sources:', '      temperature: { periodMs: 1000, threshold: 0.5 }');
  some('log: { level: debug }');
  return `${lines.join('\n')}\n`;
}

const WORDS = words(
  'links:\n',
  '  tcp:\n',
  '  mqtt: { broker: mqtt://x }\n',
  '  mqtt: {}\n',
  'uplink:\n',
  '  broker: mqtt://user:secret@h\n',
  '  broker: "wss://"\n',
  '    listen: 1:99999\n',
  'devices:\n',
  '  __proto__: { sources: {} }\n',
  '  constructor: { sources: { toString: {} } }\n',
  '    sources: { v: { periodMs: 10, maxIntervalMs: 9 } }\n',
  '__proto__: 1\n',
  '&a ',
  '*a',
  '<<: *a\n',
  '!!binary ',
  '!x ',
  '? ',
  '- ',
  '[',
  '{',
  '}',
  ']',
  '"',
  "'",
  ': ',
  ' ',
  '\n',
  '\t',
  '#',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '|\n',
  '>-',
  '\\x',
  'null',
  'true',
  '~',
  '-1',
  '.inf',
  '.nan',
  '0o7',
  '1e400',
  '\u0000',
  '\u2028',
  [0xff],
  [0xef, 0xbb, 0xbf],
);

function broker({ file: _, ...access }: BrokerConfig & { file?: string }): object {
  return access;
}

/** The document that says in full what a configuration holds. */
function written(config: Config): string {
  const { file: _, dataDirectory, keyringFile, links, uplink, devices, ...rest } = config;
  const listen = ({ host, port }: { host: string; port: number }) =>
    `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return JSON.stringify({
    ...rest,
    data: dataDirectory,
    keyring: keyringFile,
    links: {
      serial: links.serial,
      ...(links.tcp && { tcp: { ...links.tcp, listen: listen(links.tcp.listen) } }),
      ...(links.sdk && { sdk: { ...links.sdk, listen: listen(links.sdk.listen) } }),
      ...(links.mqtt && { mqtt: broker(links.mqtt) }),
    },
    ...(uplink && { uplink: broker(uplink) }),
    devices: Object.fromEntries(
      [...devices].map(([name, sources]) => [
        name,
        { sources: Object.fromEntries(sources.map(({ name, ...settings }) => [name, settings])) },
      ]),
    ),
  });
}

function parsed(text: string): Config | undefined {
  try {
    return parseConfig(text, '/etc/sovereign/config.yaml');
  } catch (error) {
    ensure(error instanceof Fault && error.code === 'config-invalid', `throws ${error}`);
    ensure(error.message.length < 64 * 1024, `a message of ${error.message.length} characters`);
    const lines = text.split('\n').length;
    for (const [, line] of error.message.matchAll(/^ {2}\/etc\/sovereign\/config.yaml:(\d+): /gm))
      ensure(Number(line) >= 1 && Number(line) <= lines + 1, `line ${line} of ${lines}`);
    return undefined;
  }
}

const files = mutated('any text: what is wrong with it, or a configuration that can be written in full', {
  pool: dice =>
    Array.from({ length: 100 }, () => {
      const text = anyConfig(dice);
      // YAML is a superset of JSON, and JSON can be altered by its values.
      return Buffer.from(dice.oneIn(2) ? text : JSON.stringify(parseYaml(text)));
    }),
  mixed: true,
  words: WORDS,
  maxBytes: 3000,
  check(bytes, dice) {
    const given = Buffer.from(bytes).toString('utf8');
    const text = (dice.oneIn(2) && alteredText(given, dice, KEYS)) || given;
    ensure(text.length <= MAX_CONFIG_BYTES, 'too long for this test');
    const config = parsed(text);
    if (config === undefined) return false;
    const { journal, links } = config;
    ensure(journal.maxPendingBytes <= journal.segmentBytes, 'more may wait than a segment takes');
    for (const one of [links.mqtt, config.uplink])
      ensure(one === undefined || one.broker !== '', 'no broker');
    ensure(
      links.tcp === undefined || links.tcp.maxUnauthenticated <= links.tcp.maxConnections,
      'connections',
    );
    for (const one of [links.tcp, links.sdk])
      ensure(one === undefined || one.listen.port <= 65_535, 'a port');
    if (!dice.oneIn(4)) return true;
    const full = written(config);
    const again = parsed(full);
    ensure(again !== undefined && isDeepStrictEqual(again, config), `is another one in full: ${full}`);
    return true;
  },
});

export const config: Target = { name: 'config', properties: [files], slowness: 8 };
