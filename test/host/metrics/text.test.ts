import { execFile } from 'node:child_process';
import test from 'ava';
import type { DeviceStatus, NodeStatus } from '../../../host/control/status.js';
import type { Family } from '../../../host/metrics/family.js';
import { families, metricsText as textOf } from '../../../host/metrics/text.js';
import { needs } from '../../support/needs.js';
import { emptyStatus } from '../control/status.js';

const turn = () => new Promise<void>(resolve => setImmediate(resolve));
const metricsText = (told: readonly Family[], status: NodeStatus) => textOf(told, status, turn);

const device = (id: number, more: Partial<DeviceStatus> = {}): DeviceStatus => ({
  id: id.toString(16).padStart(16, '0'),
  readings: 1000,
  gaps: 1,
  silent: false,
  online: true,
  counts: { next: 999, fork: 2 },
  ...more,
});

/** A gateway that has something to tell for every metric. */
const full: NodeStatus = {
  ...emptyStatus,
  clock: { at: 1_780_000_061_000, synchronised: false },
  handover: { from: 'gw-0', backupAt: 1, restoredAt: 1_779_900_000_000, offset: 7, replaces: ['gw-0'] },
  keyring: { devices: 3, fault: 'keyring.yaml: line 4 …' },
  health: { ok: false, parts: { intake: { ok: true }, journal: { ok: false }, uplink: { ok: true } } },
  links: [
    { name: 'serial:/dev/ttyACM0', devices: [], frames: 17, noiseBytes: 300, noiseFrames: 2 },
    { name: 'tcp:192.0.2.7', devices: [] },
    { name: 'tcp:192.0.2.8', devices: [] },
  ],
  linkCount: 5,
  lastBackupAt: 1_780_000_000_000,
  process: { residentBytes: 90_000_000, heapBytes: 30_000_000, cpuSeconds: 1.5 },
  deviceCount: 4,
  devices: [
    device(1, {
      name: 'probe',
      epoch: 3,
      seq: 41,
      heardAt: 1_780_000_060_000,
      link: 'tcp:192.0.2.7',
      clock: 'synchronised',
      signal: -61,
      backlog: 4,
      losses: 0,
      firmware: '0.1.0',
      settings: { version: 2, acknowledged: 1, supported: true, fault: 'no such source' },
    }),
    device(2, { online: false, silent: true, name: 'attic' }),
    device(3, { online: false, silent: true }),
    device(4, { online: false, name: 'spare' }),
  ],
  journal: {
    state: 'stalled',
    fault: 'no space',
    oldestOffset: 1,
    durableOffset: 3001,
    entries: 3000,
    bytes: 1_048_576,
    oldestAt: 1_779_000_000_000,
    segments: 2,
    pendingBytes: 77,
    availableBytes: 4096,
    writes: { source: 'device', bytes: 36_000_000, bytesPerDay: 864_000_000, seconds: 3600, years: 2 },
  },
  uplink: {
    state: 'online',
    broker: 'mqtts://broker',
    fault: 'gone',
    cursor: 2001,
    head: 3001,
    backlog: 1000,
    drained: false,
    paused: true,
    inFlight: 10,
    window: 1000,
    published: 2000,
    ratePerSecond: 12.5,
    drainedInSeconds: 80,
    certificateEndsAt: 1_781_000_000_000,
    fetch: { requests: 3, refused: { json: 1 }, ranges: 2, waiting: 1, sent: 40, failed: 0 },
  },
  quarantine: { bytes: 900, kept: 9, dropped: { day: 3 }, reasons: { mac: 12 }, evidence: 1 },
  counters: { next: 999, 'refused:mac': 12 },
};

/** Each sample's line by its name with labels. */
function samples(text: string): Map<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return new Map(lines.map(line => [line.replace(/ \S+$/, ''), Number(/\S+$/.exec(line)![0])]));
}

function promtool(program: string, text: string): Promise<{ code: number; said: string }> {
  return new Promise(resolve => {
    const child = execFile(program, ['check', 'metrics'], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, said: stdout + stderr }),
    );
    child.stdin!.end(text);
  });
}

test('every metric is told of a gateway that has it, and promtool finds nothing to say', async t => {
  const told = families(1000);
  const text = await metricsText(told, full);
  const found = samples(text);
  const names = new Set([...found.keys()].map(key => key.replace(/\{.*/, '')));
  t.deepEqual([...names].sort(), told.map(({ name }) => name).sort());
  const expected: Record<string, number> = {
    sovereign_gateway_uptime_seconds: 61,
    process_cpu_seconds_total: 1.5,
    sovereign_clock_synchronised: 0,
    sovereign_keyring_faulty: 1,
    'sovereign_part_working{part="journal"}': 0,
    'sovereign_links{kind="tcp"}': 2,
    'sovereign_links{kind="sdk"}': 0,
    'sovereign_links{kind="unlisted"}': 2,
    'sovereign_serial_noise_bytes_total{port="/dev/ttyACM0"}': 300,
    'sovereign_devices{state="online"}': 1,
    'sovereign_devices{state="silent"}': 1,
    'sovereign_devices{state="offline"}': 1,
    'sovereign_devices{state="removed"}': 1,
    'sovereign_device_info{device="0000000000000001",name="probe",firmware="0.1.0"}': 1,
    'sovereign_device_last_heard_timestamp_seconds{device="0000000000000001",name="probe"}': 1_780_000_060,
    'sovereign_device_signal_dbm{device="0000000000000001",name="probe"}': -61,
    'sovereign_device_settings_refused{device="0000000000000001",name="probe"}': 1,
    'sovereign_device_silent{device="0000000000000002",name="attic"}': 1,
    'sovereign_device_forks_total{device="0000000000000003",name=""}': 2,
    sovereign_journal_stalled: 1,
    'sovereign_disk_written_bytes_total{source="device"}': 36_000_000,
    sovereign_disk_life_seconds: 2 * 365.25 * 86_400,
    'sovereign_uplink_state{state="online"}': 1,
    'sovereign_uplink_state{state="waiting"}': 0,
    sovereign_uplink_backlog_readings: 1000,
    sovereign_uplink_certificate_expiry_timestamp_seconds: 1_781_000_000,
    'sovereign_fetch_refused_total{reason="json"}': 1,
    'sovereign_refused_total{reason="mac"}': 12,
    'sovereign_intake_events_total{event="refused:mac"}': 12,
  };
  for (const [key, value] of Object.entries(expected)) t.is(found.get(key), value, key);
  t.false(text.includes('no space') || text.includes('line 4'), 'texts of faults are no labels');

  const program = needs(t, 'promtool', 'prometheus');
  if (program === undefined) return;
  t.deepEqual(await promtool(program, text), { code: 0, said: '' });
  t.not((await promtool(program, text.replace(/# HELP sovereign_links .*\n/, ''))).said, '');
});

test('a gateway that has just begun tells what it knows and nothing else', async t => {
  const found = samples(await metricsText(families(1000), emptyStatus));
  t.is(found.get('sovereign_devices{state="online"}'), 0);
  for (const key of found.keys()) t.notRegex(key, /uplink|fetch|sovereign_device_|synchronised|available/);
});

test('what came before leaves nothing behind: each text is of its status alone', async t => {
  const told = families(1000);
  const before = await metricsText(told, emptyStatus);
  await metricsText(told, full);
  t.is(await metricsText(told, emptyStatus), before);
});

test('however many devices there are, so many are told one by one, always the same', async t => {
  const devices = Array.from({ length: 4096 }, (_, i) => device(i, { name: `d${i}` }));
  const told = families(50);
  const ids = async (of: readonly DeviceStatus[]) =>
    [...samples(await metricsText(told, { ...full, devices: of, deviceCount: of.length })).keys()]
      .filter(key => key.startsWith('sovereign_device_online'))
      .sort();
  const some = await ids(devices);
  t.is(some.length, 50);
  t.deepEqual(await ids([...devices].reverse()), some);
  const found = samples(await metricsText(told, { ...full, devices, deviceCount: 5000 }));
  t.is(found.get('sovereign_devices_unlisted'), 4950);
  t.is(found.get('sovereign_devices{state="online"}'), 4096);
  t.is(found.get('sovereign_devices{state="unlisted"}'), 904, 'the sum is of all');
  t.true(found.size < 50 * 20 + 200, `${found.size} series`);
});

test('names that are no names stay within their quotes; names without number are cut', async t => {
  const hostile = 'a"} 1\nevil_metric{x="\\';
  const devices = [device(1, { name: hostile, firmware: '\u0000\u2028'.repeat(400) })];
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`reason-${i}`, 1]));
  const status = { ...full, devices, quarantine: { ...full.quarantine, reasons: many } };
  const text = await metricsText(families(10), status);
  t.false(text.split('\n').some(line => line.startsWith('evil')));
  t.is(text.split('\n').filter(line => line.startsWith('sovereign_refused_total{')).length, 128);
  t.true(Math.max(...text.split('\n').map(line => line.length)) < 600);
  const program = needs(t, 'promtool', 'prometheus');
  if (program === undefined) return;
  t.deepEqual(await promtool(program, text), { code: 0, said: '' });
});

test('a thousand devices are told in pieces, between which others have their turn', async t => {
  const devices = Array.from({ length: 1000 }, (_, i) => device(i));
  let turns = 0;
  const status = { ...full, devices, deviceCount: 1000 };
  const told = families(1000);
  const text = await textOf(told, status, async () => {
    turns += 1;
  });
  t.true(turns > 4, `${turns} turns`);
  t.is(text, await metricsText(told, status));
});
