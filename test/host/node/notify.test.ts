import test from 'ava';
import type { HealthStatus } from '../../../host/control/status.js';
import { SystemdNotifier, systemdNotifier } from '../../../host/node/notify.js';
import { FakeClock } from '../../support/fake-clock.js';

const well: HealthStatus = {
  ok: true,
  parts: { intake: { ok: true }, journal: { ok: true }, uplink: { ok: true } },
};
const hung: HealthStatus = {
  ok: false,
  parts: { intake: { ok: true }, journal: { ok: false, fault: 'the disk …' }, uplink: { ok: true } },
};

function rig(send?: (text: string) => void) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const log = { debug: note, info: note, warn: note, error: note };
  const notifier = new SystemdNotifier({ clock, log, send: send ?? (text => sent.push(text)) }, 30_000);
  return { clock, sent, logged, notifier };
}

test('the watchdog hears three times in its time from a gateway that is well, and nothing from one that hangs', t => {
  const { clock, sent, logged, notifier } = rig();
  let health = well;
  notifier.ready(() => health);
  t.deepEqual(sent.splice(0), ['READY=1', 'WATCHDOG=1\nSTATUS=working']);
  clock.advance(30_000);
  t.deepEqual(sent.splice(0), ['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  health = hung;
  clock.advance(60_000);
  t.deepEqual(sent.splice(0), ['STATUS=hangs: the disk …'], 'once, and no WATCHDOG=1');
  health = well;
  clock.advance(10_000);
  t.deepEqual(sent.splice(0), ['WATCHDOG=1\nSTATUS=working']);
  t.deepEqual(logged, ['health-lost', 'health-back']);
  notifier.stopping();
  clock.advance(60_000);
  t.deepEqual(sent, ['STOPPING=1\nSTATUS=stopping']);
});

test('a systemd that takes nothing for a while harms nobody', t => {
  const { clock, logged, notifier } = rig(() => {
    throw Object.assign(new Error('full'), { code: 'EAGAIN' });
  });
  notifier.ready(() => well);
  clock.advance(60_000);
  t.deepEqual(logged, ['notify-failed'], 'said once');
});

test('without the descriptor nothing is told; that systemd waits is logged', t => {
  const logged: string[] = [];
  const note = (event: string) => void logged.push(event);
  const log = { debug: note, info: note, warn: note, error: note };
  t.is(systemdNotifier(new FakeClock(), log, {}), undefined);
  t.deepEqual(logged, []);
  const environment = { NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '1', HOME: '/' };
  t.is(systemdNotifier(new FakeClock(), log, environment), undefined);
  t.deepEqual(logged, ['notify-unavailable']);
  t.deepEqual(environment as object, { HOME: '/' }, 'children hear nothing of it');
});

test('the watchdog is meant for the process that it names', t => {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const of = (variables: NodeJS.ProcessEnv) =>
    systemdNotifier(new FakeClock(), log, { SOVEREIGN_NOTIFY_FD: '3', ...variables })?.watchdogMs;
  t.is(of({ WATCHDOG_USEC: '30000000' }), 30_000);
  t.is(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: `${process.pid}` }), 30_000);
  t.is(of({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '1' }), undefined);
  t.is(of({}), undefined);
});
