import test from 'ava';
import { parseConfig } from '../../../host/config.js';
import type { Fault } from '../../../host/fault.js';

const FILE = '/etc/sovereign/config.yaml';
const MINIMAL = 'site: cellar\ngateway: gw-1\n';

function problems(text: string): string[] {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    const fault = error as Fault;
    if (fault.code !== 'config-invalid') throw error;
    return fault.message.split('\n  ').slice(1);
  }
  return [];
}

test('metrics are off unless asked for, and on loopback when they are', t => {
  t.is(parseConfig(MINIMAL, '/c/config.yaml').metrics, undefined);
  t.deepEqual(parseConfig(`${MINIMAL}metrics: {}`, '/c/config.yaml').metrics, {
    listen: { host: '127.0.0.1', port: 9090 },
    maxDevices: 1000,
    names: [],
  });
});

test('a section with nothing in it is there with its defaults; what it needs is missing by name', t => {
  for (const section of ['journal', 'quarantine', 'metrics', 'web', 'panel', 'devices', 'log', 'links'])
    t.deepEqual(
      parseConfig(`${MINIMAL}${section}:\n`, FILE),
      parseConfig(`${MINIMAL}${section}: {}\n`, FILE),
      section,
    );
  const links = parseConfig(
    `${MINIMAL}links:\n  serial:\n  tcp:\n  # listen: 0.0.0.0:7683\n  sdk: # off?\n`,
    FILE,
  ).links;
  t.deepEqual(links, parseConfig(`${MINIMAL}links: { tcp: {}, sdk: {} }`, FILE).links);
  t.is(links.tcp?.listen.port, 7683);
  t.deepEqual(problems(`${MINIMAL}uplink:\n`), [
    `${FILE}:3: uplink.broker: is missing; expected a URL such as mqtt://127.0.0.1:1883, or one with mqtts://, ws:// or wss://`,
  ]);
  for (const off of ['~', 'null', '!!null null'])
    t.regex(problems(`${MINIMAL}links: { sdk: ${off} }\n`).join(), /links\.sdk: .*a map of keys/, off);
  t.deepEqual(problems(`${MINIMAL}links:\n  serial:\n    -\n`), [
    `${FILE}:5: links.serial[0].port: is missing; expected a device such as /dev/ttyACM0 or /dev/serial/by-id/…`,
  ]);
  // What is no section has no defaults of its own: whoever left out the value meant one.
  t.regex(
    problems(`${MINIMAL}web: { token: }\nlog: { level: }\n`).join(),
    /web\.token: .*got something else/,
  );
  t.deepEqual(problems(`${MINIMAL}web:\nmetrics: { listen: "127.0.0.1:8480" }\n`), [
    `${FILE}:4: metrics.listen: must differ from web.listen; give each listener a port of its own`,
  ]);
});

test('a minimal file gets the defaults, with paths relative to it', t => {
  const config = parseConfig(MINIMAL, FILE);
  t.is(config.file, FILE);
  t.is(config.dataDirectory, '/etc/sovereign/data');
  t.is(config.keyringFile, '/etc/sovereign/keyring.yaml');
  t.deepEqual(config.links, { serial: [] });
  t.is(config.uplink, undefined);
  t.is(config.journal.segmentBytes, 8 * 1024 * 1024);
  t.deepEqual(config.log, { level: 'info', format: 'auto' });
  t.is(config.journal.enduranceBytes, undefined);
  t.is(
    parseConfig(`${MINIMAL}journal: { enduranceBytes: 32000000000000 }`, FILE).journal.enduranceBytes,
    32e12,
  );
});

test('Home Assistant needs an uplink with readings that people can read; the panel, two lines', t => {
  const uplink = 'uplink: { broker: mqtt://127.0.0.1:1883 }\n';
  const config = parseConfig(
    `${MINIMAL}${uplink}homeAssistant: {}\npanel: { led: { gpio: 17 }, enclosure: { gpio: 27, openWhen: low } }\n`,
    FILE,
  );
  t.deepEqual(config.homeAssistant, { prefix: 'homeassistant' });
  t.deepEqual(parseConfig(`${MINIMAL}${uplink}homeAssistant:\n`, FILE).homeAssistant, config.homeAssistant);
  t.deepEqual(config.panel, {
    led: { gpio: 17, activeLow: false },
    enclosure: { gpio: 27, openWhen: 'low', debounceMs: 50 },
  });
  t.deepEqual(problems(`${MINIMAL}homeAssistant: { prefix: ha/home }\n`), [
    `${FILE}:3: homeAssistant: needs an uplink to Home Assistant’s broker`,
  ]);
  t.deepEqual(problems(`${MINIMAL}uplink: { broker: mqtt://b, readingTopic: false }\nhomeAssistant: {}\n`), [
    `${FILE}:4: homeAssistant: publishes readings that people can read, which uplink.readingTopic: false turns off; remove one of the two`,
  ]);
  t.deepEqual(problems(`${MINIMAL}${uplink}homeAssistant: { prefix: 'a/#' }\n`), [
    `${FILE}:4: homeAssistant.prefix: expected a topic without wildcards, such as homeassistant, got "a/#"`,
  ]);
  t.deepEqual(problems(`${MINIMAL}panel: { led: { gpio: 17 }, enclosure: { gpio: 17 } }\n`), [
    `${FILE}:3: panel.enclosure.gpio: must differ from panel.led.gpio; a line is an output or an input`,
  ]);
  t.deepEqual(problems(`${MINIMAL}panel: { led: { gpio: GPIO17 } }\n`), [
    `${FILE}:3: panel.led.gpio: expected a whole number from 0 to 1023 (a line of the GPIO chip: the BCM number on a Raspberry Pi), got "GPIO17"`,
  ]);
});

test('a full file', t => {
  const config = parseConfig(
    `${MINIMAL}data: /var/lib/sovereign
keyring: keys/keyring.yaml
links:
  serial: [{ port: /dev/ttyACM0 }, { port: /dev/ttyUSB0, baud: 9600 }]
  tcp: { listen: '[::1]:7683', maxUnauthenticated: 5 }
  sdk: {}
uplink:
  broker: mqtts://broker.example:8883
  protocol: 3.1.1
  username: gw
  passwordFile: mqtt-password
  ca: ca.pem
`,
    FILE,
  );
  t.is(config.dataDirectory, '/var/lib/sovereign');
  t.is(config.keyringFile, '/etc/sovereign/keys/keyring.yaml');
  t.deepEqual(config.links.serial, [
    { port: '/dev/ttyACM0', baud: 115_200 },
    { port: '/dev/ttyUSB0', baud: 9600 },
  ]);
  t.deepEqual(config.links.tcp, {
    listen: { host: '::1', port: 7683 },
    maxConnections: 1024,
    maxUnauthenticated: 5,
  });
  t.deepEqual(config.links.sdk?.listen, { host: '127.0.0.1', port: 7684 });
  t.like(config.uplink, {
    protocol: '3.1.1',
    passwordFile: '/etc/sovereign/mqtt-password',
    ca: '/etc/sovereign/ca.pem',
    readingTopic: true,
    window: 1000,
  });
  t.is(parseConfig(`${MINIMAL}uplink: { broker: mqtt://x, protocol: 5 }`, FILE).uplink?.protocol, '5');
});

test('five mistakes at once are all named, each with its line and what was expected', t => {
  const text = `site: cellar one
gateway: gw-1
links:
  tcp:
    listen: "7683"
    maxConections: 10
journal:
  segmentBytes: 8 MiB
uplink:
  broker: http://127.0.0.1
`;
  t.deepEqual(problems(text), [
    `${FILE}:1: site: expected a name of 1 to 64 letters, digits, "-", "_" or ".", such as cellar, got "cellar one"`,
    `${FILE}:5: links.tcp.listen: expected HOST:PORT such as 127.0.0.1:7683, got "7683"`,
    `${FILE}:6: links.tcp.maxConections: unknown key; did you mean maxConnections?`,
    `${FILE}:8: journal.segmentBytes: expected a whole number from 65536 to 1073741824 bytes, got "8 MiB"`,
    `${FILE}:10: uplink.broker: expected a URL such as mqtt://127.0.0.1:1883, or one with mqtts://, ws:// or wss://, got "http://127.0.0.1"`,
  ]);
});

const single: Record<string, [text: string, line: number, pattern: RegExp]> = {
  'an empty file': ['', 1, /site: is missing; expected a name/],
  'a list': ['- a\n', 1, /the document: expected a map of keys, got a list/],
  'a scalar': ['hello', 1, /the document: expected a map of keys, got "hello"/],
  'broken YAML': ['site: [a\ngateway: b\n', 2, /./],
  'a key twice': [`${MINIMAL}site: attic\n`, 3, /^site: stands twice/],
  'an unknown key at the top': [`${MINIMAL}uplnk: {}\n`, 3, /^uplnk: unknown key; did you mean uplink\?/],
  'an unknown key near nothing': [`${MINIMAL}journal:\n  colour: red\n`, 4, /known here: segmentBytes/],
  'an unknown key in a list': [
    `${MINIMAL}links:\n  serial:\n    - port: /dev/a\n      bauds: 1\n`,
    6,
    /^links\.serial\[0\]\.bauds: unknown key; did you mean baud\?/,
  ],
  'a fraction': [`${MINIMAL}uplink: { broker: mqtt://a, window: 1.5 }`, 3, /uplink\.window: .*got 1\.5/],
  infinity: [`${MINIMAL}journal: { retainBytes: .inf }`, 3, /retainBytes: .*got Infinity/],
  'a port too high': [`${MINIMAL}links: { tcp: { listen: 'a:70000' } }`, 3, /HOST:PORT/],
  'a section that is a list': [`${MINIMAL}uplink: []\n`, 3, /^uplink: expected a map of keys, got a list/],
  'a protocol of no broker': [
    `${MINIMAL}uplink: { broker: mqtt://a, protocol: 4 }`,
    3,
    /5 or 3\.1\.1, got 4/,
  ],
  'the same serial port twice': [
    `${MINIMAL}links:\n  serial:\n    - port: /dev/a\n    - port: /dev/a\n`,
    6,
    /same port as links\.serial\[0\]/,
  ],
  'two listeners on one port': [
    `${MINIMAL}links:\n  tcp: { listen: 'a:1' }\n  sdk: { listen: 'a:1' }`,
    5,
    /must differ/,
  ],
  'metrics where the page is': [
    `${MINIMAL}web: { listen: '127.0.0.1:9090' }\nmetrics: { listen: '127.0.0.1:9090' }`,
    4,
    /metrics\.listen: must differ from web\.listen/,
  ],
  'metrics where the page is by default': [
    `${MINIMAL}web: {}\nmetrics: { listen: '127.0.0.1:8480' }`,
    4,
    /metrics\.listen: must differ from web\.listen/,
  ],
  'more devices in the metrics than a status has': [
    `${MINIMAL}metrics: { maxDevices: 4097 }`,
    3,
    /metrics\.maxDevices: expected a whole number from 0 to 4096 devices, got 4097/,
  ],
  'more unauthenticated than connections': [
    `${MINIMAL}links:\n  tcp:\n    maxConnections: 10\n`,
    5,
    /maxUnauthenticated \(128\) must not be above maxConnections \(10\)/,
  ],
  'a segment smaller than what may pend': [
    `${MINIMAL}journal: { segmentBytes: 1000000 }`,
    3,
    /maxPendingBytes .* must not be above segmentBytes/,
  ],
  'retention below two segments': [`${MINIMAL}journal: { retainBytes: 9000000 }`, 3, /at least twice/],
  'an endurance that is none': [
    `${MINIMAL}journal: { enduranceBytes: 30 }`,
    3,
    /enduranceBytes: expected a whole/,
  ],
  'a form of the log that there is not': [
    `${MINIMAL}log: { format: xml }`,
    3,
    /expected one of auto, text, json/,
  ],
  'quarantine parts above the whole': [`${MINIMAL}quarantine: { maxBytes: 5000000 }`, 3, /perReasonBytes/],
  'credentials in the URL': [`${MINIMAL}uplink: { broker: 'mqtt://me:pw@a' }`, 3, /passwordFile/],
  'TLS files without TLS': [`${MINIMAL}uplink: { broker: mqtt://a, ca: ca.pem }`, 3, /mqtts/],
  'a certificate without its key': [
    `${MINIMAL}uplink: { broker: mqtts://a, cert: c.pem }`,
    3,
    /needs uplink\.key/,
  ],
  'a password without a name': [
    `${MINIMAL}uplink: { broker: mqtt://a, password: x }`,
    3,
    /needs uplink\.username/,
  ],
  'an alias bomb': [
    `${MINIMAL}a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n`,
    1,
    /alias/i,
  ],
  'a file of a megabyte': [`# ${'x'.repeat(1_000_000)}\n`, 1, /at most 262144 characters/],
};
for (const [name, [text, line, pattern]] of Object.entries(single))
  test(`refuses ${name}`, t => {
    const found = problems(text);
    t.true(
      found.some(
        problem =>
          problem.startsWith(`${FILE}:${line}: `) && pattern.test(problem.slice(`${FILE}:${line}: `.length)),
      ),
      found.join('\n') || 'accepted',
    );
  });

test('a limit between settings is named even while another line is wrong', t => {
  const found = problems(`${MINIMAL}links:\n  tcp: { maxConnections: 10 }\nlog: { level: loud }\n`);
  t.is(found.length, 2);
});

test('a password never stands in an error', t => {
  const found = problems(`${MINIMAL}uplink: { broker: mqtt://a, username: u, password: 12345678 }`);
  found.push(...problems(`${MINIMAL}uplink: { broker: 'http://u:12345678@a' }`));
  t.is(found.length, 3);
  t.notRegex(found.join(), /12345678/);
});

test('settings of devices: by name or id, ordered, and every problem with its line', t => {
  const config = parseConfig(
    `${MINIMAL}devices:
  cellar-probe:
    sources:
      voltage: { periodMs: 60000 }
      temperature: { periodMs: 1000, threshold: 0.25, maxIntervalMs: 600000 }
  "00000000000000a1": { sources: {} }
`,
    FILE,
  );
  t.deepEqual(
    [...config.devices],
    [
      [
        'cellar-probe',
        [
          { name: 'temperature', periodMs: 1000, threshold: 0.25, maxIntervalMs: 600_000 },
          { name: 'voltage', periodMs: 60_000 },
        ],
      ],
      ['00000000000000a1', []],
    ],
  );
  t.deepEqual(parseConfig(MINIMAL, FILE).devices.size, 0);
  const wrong = problems(`${MINIMAL}devices:
  probe:
    sources:
      a: { periodMs: 5 }
      b: { periodMs: 1000, maxIntervalMs: 999 }
      c: { threshold: -1 }
      d: { period: 1 }
  many:
    sources: { ${Array.from({ length: 20 }, (_, i) => `source-number-${i}: { periodMs: 1000 }`).join(', ')} }
`);
  t.deepEqual(wrong, [
    `${FILE}:6: devices.probe.sources.a.periodMs: expected a whole number from 10 to 86400000 ms, got 5`,
    `${FILE}:7: devices.probe.sources.b.maxIntervalMs: (999) must not be below periodMs (1000)`,
    `${FILE}:8: devices.probe.sources.c.threshold: expected a number from 0, in the unit of the source; 0: every sample, got -1`,
    `${FILE}:9: devices.probe.sources.d.period: unknown key; did you mean periodMs?`,
    `${FILE}:11: devices.many.sources: too many sources for one message: at most 32, and 240 bytes encoded`,
  ]);
  t.is(problems(`${MINIMAL}devices: { "two words": { sources: {} } }`).length, 1);
  t.is(problems(`${MINIMAL}devices: { probe: { sources: { "a b": {} } } }`).length, 1);
});

test('a text that nests without end is refused before it can end the process', t => {
  for (const deep of [
    '['.repeat(200_000),
    '{a: '.repeat(50_000),
    '- '.repeat(100_000),
    '? '.repeat(100_000),
  ]) {
    t.deepEqual(problems(deep), [`${FILE}:1: nested more deeply than anything here needs to be`]);
  }
});

test('a text of nothing but mistakes is told by the first hundred', t => {
  const unknown = Array.from({ length: 30_000 }, (_, i) => `k${i.toString(36)}:`).join('\n');
  for (const text of [unknown, 'a: 1\n'.repeat(40_000), 'a: "\n'.repeat(40_000), '!a '.repeat(50_000)]) {
    const found = problems(text);
    t.true(found.length >= 100 && found.length <= 102, `${found.length}`);
  }
});

test('keys are plain words, each once, and none that JavaScript reads in its own way', t => {
  t.deepEqual(problems(`${MINIMAL}devices: { __proto__: { sources: {} } }\n`), [
    `${FILE}:3: __proto__ is no key; expected a plain word`,
  ]);
  t.deepEqual(problems(`${MINIMAL}? [a]\n: 1\n`), [
    `${FILE}:3: a collection is no key; expected a plain word`,
  ]);
  t.deepEqual(problems(`${MINIMAL}site: two\n`), [
    `${FILE}:3: site: stands twice in this map; keep one of the two`,
  ]);
  t.deepEqual(problems(`${MINIMAL}---\nsite: two\n`), [
    `${FILE}:3: a second document begins here; expected one`,
  ]);
});

test('what YAML can not read is told without the piece of text, which may be a password', t => {
  const text = `${MINIMAL}uplink:\n  broker: mqtt://x\n  username: u\n  "password": "hunter2" "hunter2"\n`;
  const found = problems(text);
  t.true(found.length > 0);
  t.false(found.join().includes('hunter2'), found.join());
});
