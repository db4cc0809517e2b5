/** What the commands print of a running gateway, for people and for programs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Command } from 'commander';
import { CONTROL_SOCKET } from '../../../host/cli/ask.js';
import { register as devices } from '../../../host/cli/devices.js';
import { register as drain } from '../../../host/cli/drain.js';
import { register as init } from '../../../host/cli/init.js';
import { register as log } from '../../../host/cli/log.js';
import type { Terminal } from '../../../host/cli/output.js';
import { register as pause } from '../../../host/cli/pause.js';
import { register as quarantine } from '../../../host/cli/quarantine.js';
import { register as resume } from '../../../host/cli/resume.js';
import type {
  ControlHandlers,
  DeviceDetail,
  QuarantineItem,
  QuarantineRelease,
} from '../../../host/control/calls.js';
import { ControlServer } from '../../../host/control/server.js';
import { Fault } from '../../../host/fault.js';
import { systemClock } from '../../../host/node/clock.js';
import { silentLog } from '../../../host/node/log.js';
import { UnixListener } from '../../../host/node/unix-socket.js';
import { handlersWith } from '../control/handlers.js';
import { emptyStatus } from '../control/status.js';
import { runCommand, temporary } from './commands.js';

async function gatewayWith(t: ExecutionContext, handlers: Partial<ControlHandlers>) {
  const directory = temporary(t);
  await runCommand(init, ['init', '--dir', directory]);
  const data = join(directory, 'data');
  mkdirSync(data, { mode: 0o700 });
  const source = new UnixListener(join(data, CONTROL_SOCKET));
  const server = new ControlServer({ clock: systemClock, log: silentLog, source }, handlersWith(handlers));
  await server.start();
  t.teardown(() => server.stop());
  return (register: (program: Command, terminal?: Terminal) => void, ...args: string[]) =>
    runCommand(register, [...args, '--config', join(directory, 'config.yaml')], {
      terminal: !args.includes('--json'),
      environment: { NO_COLOR: '1' },
    });
}

const HOSTILE = '<img onerror=x>\u001b[2J\n\u202e';
const hostile: DeviceDetail = {
  id: '00000000000000aa',
  name: HOSTILE,
  epoch: 3,
  seq: 17,
  readings: 18,
  gaps: 2,
  heardAt: emptyStatus.clock.at - 5000,
  silent: false,
  online: true,
  link: HOSTILE,
  clock: 'unsynchronised',
  signal: -61,
  firmware: HOSTILE,
  settings: { version: 2, acknowledged: 1, supported: true, fault: HOSTILE },
  counts: { next: 18 },
  last: {
    offset: 20,
    at: 1,
    device: '00000000000000aa',
    epoch: 3,
    seq: 17,
    link: 'x',
    records: [{ n: HOSTILE, vs: HOSTILE, u: 'Cel' }],
  },
};

/** Nothing of what devices say moves a cursor or begins a line. */
function harmless(t: ExecutionContext, text: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  t.notRegex(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
}

test('devices: a table, one with all about it, and objects', async t => {
  const run = await gatewayWith(t, {
    devices: () => ({ devices: [hostile], deviceCount: 1 }),
    device: ({ device }) => {
      if (device === 'aa') return hostile;
      throw new Fault('device-unknown', `no device is called ${device}`, 'sovereign devices lists them');
    },
  });
  const table = await run(devices, 'devices');
  t.regex(table.out, /00000000000000aa .* online .*3:17 .*5 s ago .*18 +2/);
  t.regex(table.err, /settings version 2 are not in force, it has version 1/);
  const one = await run(devices, 'devices', 'aa');
  t.regex(one.out, /last {7}epoch 3, sequence 17/);
  t.regex(one.out, /signal {5}-61 dBm/);
  t.regex(one.out, /clock {6}unsynchronised/);
  for (const { out, err } of [table, one]) harmless(t, out + err);
  t.deepEqual((await run(devices, 'devices', '--json')).json(), [JSON.parse(JSON.stringify(hostile))]);
  t.like((await run(devices, 'devices', 'aa', '--json')).json(), [{ id: '00000000000000aa' }]);
  t.is((await run(devices, 'devices', 'nobody')).fault?.code, 'device-unknown');
});

test('devices that are not listed are told of, beside a table and beside objects', async t => {
  const run = await gatewayWith(t, { devices: () => ({ devices: [hostile], deviceCount: 905 }) });
  for (const more of [[], ['--json']]) {
    const { lines, err } = await run(devices, 'devices', ...more);
    t.is(lines.length, more.length === 0 ? 2 : 1);
    t.regex(err, /904 more are not listed: those heard longest ago, and not silent/);
  }
});

test('quarantine: what is kept, one with its bytes, and the release of all of a kind, oldest first', async t => {
  const items: QuarantineItem[] = Array.from({ length: 230 }, (_, i) => ({
    id: `${i < 100 ? 9 : 10}-${i}`,
    at: 1_780_000_000_000 + i,
    reason: i % 2 === 0 ? 'mac' : 'unknown-device',
    detail: HOSTILE,
    link: HOSTILE,
    authentic: false,
    bytes: 3,
  })).reverse();
  const released: string[] = [];
  const run = await gatewayWith(t, {
    'quarantine-list': ({ limit = 20, after, reason }) => {
      const of = items.filter(item => reason === undefined || item.reason === reason);
      const from = after === undefined ? 0 : of.findIndex(({ id }) => id === after) + 1;
      return { items: of.slice(from, from + limit), more: from + limit < of.length };
    },
    'quarantine-show': ({ id }) => ({ ...items.find(item => item.id === id)!, hex: '0102ff', now: 'mac' }),
    'quarantine-release': ({ id }): QuarantineRelease => {
      released.push(id);
      if (id === '9-4') throw new Fault('quarantine-unknown', 'the quarantine holds nothing with the id 9-4');
      return released.length === 1
        ? { id, outcome: 'refused', reason: 'mac' }
        : { id, outcome: 'journalled', device: '00000000000000aa', epoch: 1, seq: 2 };
    },
  });
  const table = await run(quarantine, 'quarantine', 'list');
  t.is(table.lines.length, 21);
  t.regex(table.lines[1], /^10-229 +2026-/);
  harmless(t, table.out);
  const all = await run(quarantine, 'quarantine', 'list', '--limit', '1000', '--json');
  t.deepEqual(all.json(), JSON.parse(JSON.stringify(items)));
  const shown = await run(quarantine, 'quarantine', 'show', '9-4');
  t.regex(shown.out, /0102ff/);
  t.regex(shown.out, /gates now {2}refuse it: mac/);
  harmless(t, shown.out);
  const { fault, out } = await run(quarantine, 'quarantine', 'release', '--reason', 'mac', '10-229');
  t.is(fault?.code, 'not-released');
  t.regex(fault?.message ?? '', /2 of 116/);
  t.regex(out, /^9-4: no longer kept/m, 'which keeps nobody from releasing the rest');
  t.regex(out, /9-2: 00000000000000aa 1\/2: taken: it is durable/);
  t.is(released.length, 116);
  t.deepEqual(
    released.map(id => Number(id.split('-')[1])),
    [...Array.from({ length: 115 }, (_, i) => 2 * i), 229],
  );
  t.is((await run(quarantine, 'quarantine', 'release', '9-4')).fault?.code, 'quarantine-unknown');
  t.is((await run(quarantine, 'quarantine', 'release')).fault?.code, 'usage');
  t.is((await run(quarantine, 'quarantine', 'release', '--reason', 'Mac!')).fault?.code, 'bad-request');
});

test('nothing in quarantine is said in words', async t => {
  const run = await gatewayWith(t, { 'quarantine-list': () => ({ items: [], more: false }) });
  t.is((await run(quarantine, 'quarantine', 'list')).out, 'nothing is in quarantine\n');
  t.regex(
    (await run(quarantine, 'quarantine', 'release', '--reason', 'mac')).err,
    /nothing is in quarantine/,
  );
});

test('pause, resume, drain now and log level say how it stands', async t => {
  const answer = { state: 'online', paused: true, drained: false, backlog: 12 };
  const run = await gatewayWith(t, {
    pause: () => answer,
    resume: () => ({ ...answer, paused: false }),
    drain: () => ({ state: 'online', paused: false, drained: true, backlog: 0 }),
    'log-level': ({ level }) => ({ level, before: 'info' }),
    status: () => ({ ...emptyStatus, log: { level: 'warn' } }),
  });
  t.is((await run(pause, 'pause')).out, 'uplink paused, backlog of 12\n');
  t.is((await run(resume, 'resume')).out, 'uplink online, backlog of 12\n');
  t.is((await run(drain, 'drain', 'now')).out, 'uplink online, drained\n');
  t.deepEqual((await run(pause, 'pause', '--json')).json(), [answer]);
  t.is((await run(log, 'log', 'level')).out, 'warn\n');
  t.is((await run(log, 'log', 'level', 'debug')).out, 'log level debug, before info\n');
  t.deepEqual((await run(log, 'log', 'level', 'error', '--json')).json(), [
    { level: 'error', before: 'info' },
  ]);
});
