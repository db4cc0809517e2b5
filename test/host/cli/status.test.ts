import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CONTROL_SOCKET } from '../../../host/cli/ask.js';
import { register as init } from '../../../host/cli/init.js';
import { register } from '../../../host/cli/status.js';
import { ControlServer } from '../../../host/control/server.js';
import type { NodeStatus } from '../../../host/control/status.js';
import { systemClock } from '../../../host/node/clock.js';
import { silentLog } from '../../../host/node/log.js';
import { UnixListener } from '../../../host/node/unix-socket.js';
import { handlersWith } from '../control/handlers.js';
import { emptyStatus } from '../control/status.js';
import { runCommand, temporary } from './commands.js';

const busy: NodeStatus = {
  ...emptyStatus,
  clock: { at: 1_780_000_061_000, synchronised: false },
  keyring: { devices: 2, fault: 'keyring.yaml has mode 0644\n  and a second line' },
  linkCount: 1,
  links: [{ name: 'tcp:192.0.2.7', devices: ['00000000000000aa'] }],
  devices: [
    {
      id: '00000000000000aa',
      name: 'probe',
      epoch: 3,
      seq: 17,
      readings: 1018,
      gaps: 1,
      heardAt: 1_780_000_060_000,
      silent: false,
      online: true,
      link: 'tcp:192.0.2.7',
      backlog: 5,
      counts: { next: 18 },
    },
    {
      id: '00000000000000bb',
      readings: 0,
      gaps: 0,
      silent: true,
      online: false,
      link: '\u001b[2Jx',
      counts: {},
    },
  ],
  journal: {
    state: 'stalled',
    fault: 'ENOSPC',
    oldestOffset: 0,
    durableOffset: 1019,
    segments: 1,
    entries: 1019,
    pendingBytes: 0,
    availableBytes: 3 * 1024 ** 3,
  },
  uplink: {
    state: 'waiting',
    broker: 'mqtt://127.0.0.1:1883',
    fault: 'connection refused',
    cursor: 1000,
    head: 1019,
    backlog: 19,
    drained: false,
    paused: false,
    inFlight: 0,
    window: 1000,
    published: 1000,
    ratePerSecond: 0,
    fetch: { requests: 3, refused: { json: 2 }, ranges: 70, waiting: 1, sent: 812, failed: 0 },
  },
  quarantine: { bytes: 2048, kept: 4, dropped: {}, reasons: { mac: 4 }, evidence: 1 },
};

async function setUp(t: ExecutionContext, status?: NodeStatus) {
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (status !== undefined) {
    const source = new UnixListener(join(data, CONTROL_SOCKET));
    const server = new ControlServer(
      { clock: systemClock, log: silentLog, source },
      handlersWith({ status: () => status }),
    );
    await server.start();
    t.teardown(() => server.stop());
  }
  return (...args: string[]) =>
    runCommand(register, ['status', '--config', join(directory, 'config.yaml'), ...args], {
      terminal: !args.includes('--json'),
      environment: { NO_COLOR: '1' },
    });
}

test('without a gateway it says that none runs, and what to do', async t => {
  const status = await setUp(t);
  const { fault, out } = await status();
  t.is(fault?.code, 'gateway-absent');
  t.regex(fault?.remedy ?? '', /sovereign gateway/);
  t.is(out, '');
});

test('--json prints the status as one object', async t => {
  const { json } = await (await setUp(t, busy))('--json');
  t.deepEqual(json(), [JSON.parse(JSON.stringify(busy))]);
});

test('people read what is wrong, and nothing from outside moves their cursor', async t => {
  const { out } = await (await setUp(t, busy))();
  for (const pattern of [
    /journal {4}stalled, durable to offset 1019, 1 segment, 3\.0 GiB free/,
    /ENOSPC/,
    /uplink {5}waiting to mqtt:\/\/127\.0\.0\.1:1883, backlog of 19, 1000 published/,
    /connection refused/,
    /812 readings sent again for 3 requests of subscribers, 1 range waiting, refused: json 2/,
    /clock.*not synchronised/,
    /not taken: keyring\.yaml has mode 0644; and a second line/,
    /refused: mac 4/,
    /1 fork kept as evidence/,
    /00000000000000aa {2}probe {2}online {3}3:17 +now {6}1018 {5}1 {8}5 {2}tcp:192\.0\.2\.7/,
    /00000000000000bb {2}- {6}removed/,
    /\\u001b\[2Jx/,
  ])
    t.regex(out, pattern);
  t.false(out.includes('\u001b'));
});

test('how large, how old, how worn, how fast; what is paused and what is unwell', async t => {
  const uplink = { ...busy.uplink!, state: 'online' as const, paused: true, inFlight: 3 };
  const status: NodeStatus = {
    ...busy,
    health: {
      ok: false,
      parts: { intake: { ok: true }, journal: { ok: false, fault: 'hangs \u001b[2J' }, uplink: { ok: true } },
    },
    deviceCount: 5000,
    lastBackupAt: busy.clock.at - 5 * 3_600_000,
    journal: {
      ...busy.journal,
      bytes: 5 * 1024 ** 2,
      oldestAt: busy.clock.at - 3 * 86_400_000,
      writes: { source: 'device', bytes: 1e9, bytesPerDay: 2 * 1024 ** 3, seconds: 7200, years: 12.5 },
    },
    uplink: { ...uplink, backlog: 19, ratePerSecond: 2.5, drainedInSeconds: 8 },
  };
  const { out, err } = await (await setUp(t, status))();
  for (const pattern of [
    /backup {5}the last is 5 h old/,
    /health {5}journal: hangs \\u001b/,
    /5\.0 MiB in about 1019 entries, the oldest 3 d old/,
    /2\.0 GiB a day written to its disk, measured over 2 h: 12\.5 years until its endurance is used up/,
    /paused, online to .*, backlog of 19 at 2\.5 a second, about 8 s to go, 1000 published, 3 of 1000 in flight/,
  ])
    t.regex(out, pattern);
  t.regex(err, /4998 more are not listed/);
});

test('a gateway that has heard nothing', async t => {
  t.regex((await (await setUp(t, emptyStatus))()).out, /no device has been heard yet/);
});
