import type { Companion } from './companion.js';
import type { Outgoing } from './fetch/outbox.js';
import type { FetchSource } from './publishing.js';

/** All that goes beside the readings, as the publisher takes it: what was asked for first. Each keeps to a rate of its own. */
export class Beside implements FetchSource {
  readonly #fetch: FetchSource | undefined;
  readonly #companion: Companion | undefined;

  constructor(fetch: FetchSource | undefined, companion: Companion | undefined) {
    this.#fetch = fetch;
    this.#companion = companion;
  }

  get answers(): boolean {
    return this.#fetch?.answers === true;
  }

  next(): Outgoing | undefined {
    return this.#fetch?.next() ?? this.#companion?.next();
  }

  stop(): void {
    this.#fetch?.stop();
    this.#companion?.disconnected();
  }
}
