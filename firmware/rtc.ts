/**
 * A clock chip behind a driver of the SDK (ECMA-419 RTC). The drivers keep whole seconds, so what is read may be two
 * seconds behind what was set: good enough to start with, as the gateway's word replaces it.
 */
import type { Rtc } from './ports.js';

/** What this needs of an ECMA-419 RTC. */
export interface RtcDriver {
  /** Unix time in ms; undefined while the chip is stopped or knows that it lost its time. Throws when it is silent. */
  time: number | undefined;
  close(): void;
}

export class RtcChip implements Rtc {
  readonly #open: () => RtcDriver;
  #driver: RtcDriver | undefined;

  /** @param open opens the driver; may throw. Called at the first use, and anew after each failure. */
  constructor(open: () => RtcDriver) {
    this.#open = open;
  }

  read(): number {
    try {
      this.#driver ??= this.#open();
      const { time } = this.#driver;
      return time !== undefined && time >= 0 ? time : -1;
    } catch {
      this.#drop();
      return -1;
    }
  }

  set(unixMs: number): void {
    try {
      this.#driver ??= this.#open();
      this.#driver.time = unixMs;
    } catch {
      // The gateway's next word sets it.
      this.#drop();
    }
  }

  #drop(): void {
    const driver = this.#driver;
    this.#driver = undefined;
    try {
      driver?.close();
    } catch {
      // It is gone either way.
    }
  }
}
