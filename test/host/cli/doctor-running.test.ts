import test from 'ava';
import { checkRunning } from '../../../host/cli/doctor/running.js';
import { checkService, checkSight, type Service, sightOf } from '../../../host/cli/doctor/service.js';
import { parseConfig } from '../../../host/config.js';
import type { DeviceStatus, NodeStatus } from '../../../host/control/status.js';
import { Fault } from '../../../host/fault.js';
import { version } from '../../../host/version.js';
import { emptyStatus } from '../control/status.js';

const config = parseConfig(
  'site: s\ngateway: g\nlinks: { serial: [{ port: /dev/ttyACM0 }] }',
  '/c/config.yaml',
);
const open = { name: 'serial:/dev/ttyACM0', devices: [] };
const healthy: NodeStatus = { ...emptyStatus, version, links: [open], linkCount: 1 };
const device = (more: Partial<DeviceStatus>): DeviceStatus => ({
  id: '00000000000000a1',
  readings: 1,
  gaps: 0,
  silent: false,
  online: true,
  counts: {},
  heardAt: healthy.clock.at - 7_200_000,
  ...more,
});

const says = (status: Partial<NodeStatus>) =>
  checkRunning(config, { ...healthy, ...status }).map(({ check, state, text, remedy }) => {
    if (state !== 'ok' && !remedy) throw new Error(`no remedy: ${text}`);
    return `${state} ${check}: ${text}`;
  });

test('a gateway that does its work has nothing to complain of', t => {
  t.deepEqual(says({}), []);
  t.deepEqual(says({ devices: [device({})] }), []);
});

const { journal } = healthy;
const cases: Record<string, [Partial<NodeStatus>, RegExp]> = {
  'another version': [{ version: '0.0.9' }, /^note version: version 0\.0\.9 runs, .* is installed$/],
  'a part that hangs': [
    {
      health: {
        ok: false,
        parts: { intake: { ok: true }, journal: { ok: false, fault: 'a write hangs' }, uplink: { ok: true } },
      },
    },
    /^wrong journal: a write hangs$/,
  ],
  'a full disk': [
    { journal: { ...journal, state: 'stalled', fault: 'no space' } },
    /^wrong journal: stores nothing, devices keep their readings: no space$/,
  ],
  'a keyring that is not taken': [
    { keyring: { devices: 1, fault: 'line 3' } },
    /^wrong keyring: the gateway goes on with the keys from before: line 3$/,
  ],
  'a serial port that is not open': [{ links: [], linkCount: 0 }, /^wrong serial: .* \/dev\/ttyACM0 open$/],
  'more devices than are listed': [
    { devices: [device({ name: 'probe' })], deviceCount: 905 },
    /^note devices: 904 of 905 are not looked at: heard longest ago, and not silent$/,
  ],
  'a silent device': [
    { devices: [device({ silent: true, name: 'probe' })] },
    /^note devices: silent: probe for 2 h$/,
  ],
  'many silent devices': [
    { devices: Array.from({ length: 7 }, (_, i) => device({ silent: true, name: `d${i}` })) },
    /^note devices: silent: d0 for 2 h, .* and 2 more$/,
  ],
  'readings that are missing': [
    { devices: [device({ gaps: 3, name: 'probe' })] },
    /^note devices: gaps since the journal began: probe 3$/,
  ],
  'a fork': [
    { devices: [device({ counts: { fork: 1 } })] },
    /^wrong devices: two different readings with one number: 00000000000000a1$/,
  ],
  'nobody heard': [
    { keyring: { devices: 4 }, uptimeMs: 700_000 },
    /^wrong devices: none of 4 has been heard since the gateway began$/,
  ],
  'an unknown device': [
    { quarantine: { ...healthy.quarantine, reasons: { 'unknown-device': 3 } } },
    /^note refused: 3 times unknown-device; /,
  ],
  'flash that wears out': [
    {
      journal: { ...journal, writes: { source: 'device', bytes: 1, bytesPerDay: 1, seconds: 1, years: 0.5 } },
    },
    /^note wear: at this rate the flash lasts 0\.5 years$/,
  ],
  'a certificate that ends soon': [
    {
      uplink: {
        state: 'online',
        broker: 'mqtts://b',
        cursor: 1,
        head: 1,
        backlog: 0,
        drained: true,
        paused: false,
        inFlight: 0,
        window: 1000,
        published: 0,
        ratePerSecond: 0,
        certificateEndsAt: healthy.clock.at + 86_400_000,
      },
    },
    /^note tls: the connection with mqtts:\/\/b was made with a certificate that ends on 2026-/,
  ],
  'flash that lasts': [
    {
      journal: { ...journal, writes: { source: 'device', bytes: 1, bytesPerDay: 1, seconds: 1, years: 42 } },
    },
    /^ok wear: at this rate the flash lasts 42 years$/,
  ],
};
for (const [name, [status, line]] of Object.entries(cases))
  test(`told with its remedy: ${name}`, t => {
    const lines = says(status);
    t.is(lines.length, 1);
    t.regex(lines[0], line);
  });

test('whether it runs, by what it answers and what systemd says', t => {
  const absent = new Fault('gateway-absent', 'nobody there');
  const unit = (more: Partial<Service>): Service => ({
    state: 'active',
    result: 'success',
    restarts: 0,
    user: 'sovereign',
    ...more,
  });
  const table: [Service | undefined, NodeStatus | Fault, RegExp][] = [
    [undefined, healthy, /^ok version .* runs as process 42 for 1 min/],
    [undefined, absent, /^note does not run, and is no service here/],
    [undefined, new Fault('permission', 'no'), /^note runs, but does not answer/],
    [undefined, new Fault('gateway-silent', 'no answer within 10 s'), /^wrong does not answer: no answer/],
    [
      unit({ state: 'failed', result: 'exit-code' }),
      absent,
      /^wrong sovereign\.service has failed: exit-code/,
    ],
    [unit({ state: 'inactive' }), absent, /^wrong sovereign\.service is inactive/],
    [
      unit({ state: 'activating', restarts: 9, result: 'watchdog' }),
      absent,
      /^wrong sovereign\.service ends again and again \(9 times: watchdog\)/,
    ],
    [unit({}), absent, /^wrong sovereign\.service runs, but not with this data directory/],
  ];
  for (const [service, answer, line] of table) {
    const { state, text, remedy } = checkService(service, answer);
    t.regex(`${state} ${text}`, line);
    t.true(state === 'ok' || Boolean(remedy), text);
  }
});

test('what the unit hides from the gateway', t => {
  const unit = {
    RootDirectory: '/opt/sovereign/root',
    BindPaths: '/media/ssd:/media/ssd:rbind',
    BindReadOnlyPaths: '/usr:/usr:rbind -/etc:/etc:rbind /run /opt/sovereign:/opt/sovereign:rbind',
    StateDirectory: 'sovereign',
  };
  const sees = sightOf(unit);
  t.is(sightOf({ ...unit, RootDirectory: '' }), undefined);
  const hidden = (data: string, cert: string) => {
    const uplink = `uplink: { broker: "mqtts://b", ca: ${cert} }`;
    const text = `site: s\ngateway: g\ndata: ${data}\n${uplink}\n`;
    const service = { state: 'active', result: 'success', restarts: 0, user: 'sovereign' };
    const parsed = parseConfig(text, '/etc/sovereign/config.yaml');
    t.deepEqual(checkSight(parsed, service), [], 'a unit that hides nothing');
    return checkSight(parsed, { ...service, ...(sees && { sees }) }).map(finding => finding.text);
  };
  t.deepEqual(hidden('/var/lib/sovereign', 'ca.pem'), []);
  t.deepEqual(hidden('/media/ssd/sovereign', '/etc/ssl/ca.pem'), []);
  t.deepEqual(hidden('/media/ssd2', '/home/pi/ca.pem'), [
    'sovereign.service does not let the gateway see /media/ssd2',
    'sovereign.service does not let the gateway see /home/pi/ca.pem',
  ]);
});
