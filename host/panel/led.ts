/**
 * The status LED, for whoever stands before the case:
 *
 *   off      the gateway does not run
 *   steady   readings come in, are kept and published
 *   slow     one second on, one off: readings are kept but not published; the broker is away, the uplink is paused or a backlog
 *            is being published
 *   fast     five times a second: readings can't be kept, or a part of the gateway hangs; devices keep theirs. Look at the
 *            log and at the disk
 */
import type { Clock, Log, Timer } from '../ports.js';
import type { OutputLine } from './ports.js';

export type Condition = 'steady' | 'slow' | 'fast';

/** The part of a gateway's state that the LED shows. */
export interface Conditions {
  readonly healthy: boolean;
  /** The journal takes readings. */
  readonly storing: boolean;
  /** Absent: nothing is to be published. */
  readonly uplink?:
    | { readonly online: boolean; readonly paused: boolean; readonly backlog: number }
    | undefined;
}

/** Readings: there is a short backlog for a moment whenever some come in. */
const MAX_STEADY_BACKLOG = 1000;

export function conditionOf({ healthy, storing, uplink }: Conditions): Condition {
  if (!healthy || !storing) return 'fast';
  if (uplink === undefined) return 'steady';
  return uplink.online && !uplink.paused && uplink.backlog <= MAX_STEADY_BACKLOG ? 'steady' : 'slow';
}

/** It is looked no more often how things are. */
const LOOK_MS = 500;
/** Half a period. */
const TURN_MS: Readonly<Record<Condition, number>> = { steady: 500, slow: 1000, fast: 100 };

export class StatusLed {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #line: OutputLine;
  readonly #conditions: () => Conditions;
  #condition: Condition = 'slow';
  #lookedMs = Number.NEGATIVE_INFINITY;
  #on = false;
  #timer: Timer | undefined;

  constructor(ports: { clock: Clock; log: Log }, line: OutputLine, conditions: () => Conditions) {
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#line = line;
    this.#conditions = conditions;
    this.#turn();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#line.close();
  }

  #turn(): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lookedMs >= LOOK_MS) {
      this.#condition = conditionOf(this.#conditions());
      this.#lookedMs = nowMs;
    }
    this.#on = this.#condition === 'steady' || !this.#on;
    try {
      this.#line.write(this.#on);
    } catch (error) {
      // A line that was taken away does not come back by itself.
      this.#log.warn('panel-led-lost', { error: String(error) });
      return;
    }
    this.#timer = this.#clock.after(TURN_MS[this.#condition], () => this.#turn());
  }
}
