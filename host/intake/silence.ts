/**
 * Notices devices that have gone silent: nothing authentic for three heartbeats, from one that was heard
 * before, in this run or an earlier one. Said once when it begins and once when it ends. Sensors of
 * sovereign-sdk have no heartbeat, so their silence says nothing.
 */
import type { KeyringView } from '../keyring/entry.js';
import type { Clock, Log, Timer } from '../ports.js';
import type { Device, Devices } from './devices.js';

/** Three heartbeats of 60 s. */
export const SILENT_MS = 180_000;
const LOOK_MS = 10_000;

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #devices: Devices;
  readonly #keyring: KeyringView;
  readonly #beganMs: number;
  #timer: Timer | undefined;
  #rounds = 0;

  constructor(clock: Clock, log: Log, devices: Devices, keyring: KeyringView) {
    this.#clock = clock;
    this.#log = log;
    this.#devices = devices;
    this.#keyring = keyring;
    this.#beganMs = clock.monotonic();
    this.#later();
  }

  /** Looks taken. */
  get rounds(): number {
    return this.#rounds;
  }

  seen(device: Device): void {
    device.seenMs = this.#clock.monotonic();
    device.seenAt = this.#clock.now();
    if (!device.silent) return;
    device.silent = false;
    this.#log.info('device-heard-again', { device: device.id });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #later(): void {
    this.#timer = this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.#rounds++;
      this.#later();
    });
  }

  #look(): void {
    const now = this.#clock.monotonic();
    for (const device of this.#devices.all()) {
      const entry = this.#keyring.get(device.id);
      // Nobody waits any more for one that was removed.
      if (entry === undefined) device.silent = false;
      if (entry === undefined || entry.sdk !== undefined) continue;
      const sinceMs = device.seenMs < 0 ? this.#beganMs : device.seenMs;
      if (device.silent || now - sinceMs <= SILENT_MS) continue;
      device.silent = true;
      this.#log.warn('device-silent', { device: device.id, name: entry.name, seconds: SILENT_MS / 1000 });
    }
  }
}
