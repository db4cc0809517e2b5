import type { Device } from './device.js';
import { DEVICE_LIMITS } from './limits.js';
import type { Uptime, Watchdog } from './ports.js';

/** What a heartbeat may be late by: a slow flash, a long sample. */
const SLACK_MS = 15_000;
/** How long a session may be open with readings held, and none of them go out. */
const STUCK_MS = 120_000;

export interface AliveLimits {
  /** The longest that a device that works goes without sealing anything. */
  readonly sealMs: number;
  readonly sendMs: number;
}

const LIMITS: AliveLimits = { sealMs: DEVICE_LIMITS.heartbeatMs + SLACK_MS, sendMs: STUCK_MS };

/**
 * Feeds the watchdog as long as the device does its work, and not merely because a timer fires. Progress is:
 *
 * - sealing: since boot or since the last reading, no more than `sealMs` have passed. A heartbeat is due each
 *   minute, so a loop that turns without sealing is broken, whatever its sensors say;
 * - sending: with a session open and readings held, a frame with a reading has gone out, or readings have been
 *   receipted, within the last `sendMs`. Without a session there is nobody to send to, and that is no fault.
 *
 * Called after each poll, so that a loop that hangs feeds nothing either.
 */
export class Alive {
  readonly #device: Device;
  readonly #watchdog: Watchdog;
  readonly #uptime: Uptime;
  readonly #limits: AliveLimits;
  #sealed = -1;
  #sealedMs = 0;
  #sent = -1;
  #receipts = -1;
  #sentMs = 0;

  constructor(device: Device, watchdog: Watchdog, uptime: Uptime, limits: Partial<AliveLimits> = {}) {
    this.#device = device;
    this.#watchdog = watchdog;
    this.#uptime = uptime;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** After each `device.poll()`. @returns whether the watchdog was fed */
  polled(): boolean {
    const nowMs = this.#uptime.nowMs();
    const { sealed, sender, session, retained } = this.#device;
    if (sealed !== this.#sealed || this.#device.quiet) {
      this.#sealed = sealed;
      this.#sealedMs = nowMs;
    }
    const { sent } = sender;
    const { receipts } = retained;
    if (sent !== this.#sent || receipts !== this.#receipts || retained.count === 0 || !session.open) {
      this.#sent = sent;
      this.#receipts = receipts;
      this.#sentMs = nowMs;
    }
    const { sealMs, sendMs } = this.#limits;
    if (nowMs - this.#sealedMs > sealMs || nowMs - this.#sentMs > sendMs) return false;
    this.#watchdog.feed();
    return true;
  }
}
