/**
 * What systemd is told by a service of `Type=notify` (sd_notify(3)): lines `NAME=value`, a datagram each time, to the socket
 * that `NOTIFY_SOCKET` names. Node has no datagram sockets of the Unix family. So `host/deploy/systemd/start` connects one
 * before it becomes this process, and names its descriptor; on a connected datagram socket each write is a datagram, and it
 * comes from the service's main process, as systemd wants it.
 */
import { writeSync } from 'node:fs';
import type { HealthStatus } from '../control/status.js';
import { systemCode } from '../fault.js';
import type { Clock, Log, Timer } from '../ports.js';

const DESCRIPTOR = 'SOVEREIGN_NOTIFY_FD';
/** So often within the watchdog's time: one round that comes late is no reason to be killed. */
const ROUNDS = 3;

export interface NotifyPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Sends one datagram, without waiting. @throws the system's error */
  send(text: string): void;
}

export class SystemdNotifier {
  /** What systemd kills this process after when it hears nothing; absent: it does not watch. */
  readonly watchdogMs: number | undefined;
  readonly #ports: NotifyPorts;
  #timer: Timer | undefined;
  #status = '';
  #failing = false;

  constructor(ports: NotifyPorts, watchdogMs?: number) {
    this.#ports = ports;
    this.watchdogMs = watchdogMs;
  }

  /**
   * Says that the service is up, and from now on that it works, for as long as `health` says so. When it doesn't, systemd
   * hears nothing more than why, and ends the process in due time.
   */
  ready(health: () => HealthStatus): void {
    this.#send('READY=1');
    this.#round(health);
  }

  stopping(): void {
    this.#timer?.cancel();
    this.#send('STOPPING=1\nSTATUS=stopping');
  }

  #round(health: () => HealthStatus): void {
    const { ok, parts } = health();
    const faults = Object.values(parts).flatMap(({ fault }) => fault ?? []);
    const status = ok ? 'working' : `hangs: ${faults.join('; ')}`;
    if (status.startsWith('hangs') !== this.#status.startsWith('hangs')) {
      if (ok) this.#ports.log.info('health-back');
      else this.#ports.log.error('health-lost', { faults: faults.join('; ') });
    }
    const lines = [...(ok ? ['WATCHDOG=1'] : []), ...(status === this.#status ? [] : [`STATUS=${status}`])];
    this.#status = status;
    if (lines.length > 0) this.#send(lines.join('\n'));
    if (this.watchdogMs !== undefined)
      this.#timer = this.#ports.clock.after(this.watchdogMs / ROUNDS, () => this.#round(health));
  }

  /** What can't be sent now is left out: the next round comes soon, and the watchdog bears one that is missing. */
  #send(text: string): void {
    try {
      this.#ports.send(text);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#ports.log.warn('notify-failed', { error: systemCode(error) || String(error) });
      this.#failing = true;
    }
  }
}

/** The notifier of this process, if systemd has started it; the variables are taken away from its children. */
export function systemdNotifier(
  clock: Clock,
  log: Log,
  environment: NodeJS.ProcessEnv = process.env,
): SystemdNotifier | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = environment;
  const descriptor = environment[DESCRIPTOR];
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', DESCRIPTOR]) delete environment[name];
  if (descriptor === undefined || !/^\d{1,4}$/.test(descriptor)) {
    if (socket !== undefined)
      log.warn('notify-unavailable', {
        remedy: 'let ExecStart= begin with host/deploy/systemd/start, or make the service Type=exec',
      });
    return undefined;
  }
  const fd = Number(descriptor);
  const watchdogMs = Number(usec) / 1000;
  const watched = watchdogMs > 0 && (pid === undefined || Number(pid) === process.pid);
  return new SystemdNotifier(
    { clock, log, send: text => void writeSync(fd, text) },
    watched ? watchdogMs : undefined,
  );
}
