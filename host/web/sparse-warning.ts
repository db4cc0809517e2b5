/** A warning about what others do: told at once, and then once a minute with how often, so that nobody can fill the log with it. */
import type { Clock, Log, LogFields } from '../ports.js';

const TELL_MS = 60_000;

export class SparseWarning {
  readonly #ports: { readonly clock: Clock; readonly log: Log };
  readonly #event: string;
  #times = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(ports: { readonly clock: Clock; readonly log: Log }, event: string) {
    this.#ports = ports;
    this.#event = event;
  }

  /** @param fields of this time; those of times that are not told are left out */
  tell(fields: LogFields): void {
    const now = this.#ports.clock.monotonic();
    this.#times += 1;
    if (now - this.#toldMs < TELL_MS) return;
    this.#ports.log.warn(this.#event, { ...fields, times: this.#times });
    this.#toldMs = now;
    this.#times = 0;
  }
}
