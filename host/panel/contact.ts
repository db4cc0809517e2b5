/**
 * What the switch of an enclosure means, from what its line does. A level counts once it has stayed for `debounceMs`, and then
 * from the moment when it began. Looked at when the line says that it has changed, and once a second, should that word be lost.
 */
import type { Clock, Timer } from '../ports.js';
import type { InputLine } from './ports.js';

const LOOK_MS = 1000;

export interface ContactEvents {
  /** The first settled level, then every other one. `sinceMs`: monotonic. */
  settled(open: boolean, sinceMs: number): void;
  /** The line can't be read; told once. It is looked at again. */
  failed(error: unknown): void;
}

export interface ContactOptions {
  readonly openWhen: 'high' | 'low';
  readonly debounceMs: number;
}

export class Contact {
  readonly #clock: Clock;
  readonly #line: InputLine;
  readonly #options: ContactOptions;
  readonly #events: ContactEvents;
  /** What was said last. */
  #told: boolean | undefined;
  #seen: boolean | undefined;
  #sinceMs = 0;
  #failed = false;
  #settle: Timer | undefined;
  #look: Timer | undefined;

  constructor(clock: Clock, line: InputLine, options: ContactOptions, events: ContactEvents) {
    this.#clock = clock;
    this.#line = line;
    this.#options = options;
    this.#events = events;
    line.watch(() => this.#changed(true));
    this.#every();
  }

  close(): void {
    this.#settle?.cancel();
    this.#look?.cancel();
    this.#line.close();
  }

  #every(): void {
    this.#changed(false);
    this.#look = this.#clock.after(LOOK_MS, () => this.#every());
  }

  /** @param edge a level that went and came back is a level that has just begun */
  #changed(edge: boolean): void {
    let open: boolean;
    try {
      open = this.#line.read() === (this.#options.openWhen === 'high');
    } catch (error) {
      this.#seen = undefined;
      this.#settle?.cancel();
      if (!this.#failed) this.#events.failed(error);
      this.#failed = true;
      // What it is when it can be read again is news, whatever it was.
      this.#told = undefined;
      return;
    }
    this.#failed = false;
    const nowMs = this.#clock.monotonic();
    if (open === this.#seen && !(edge && this.#settle !== undefined)) return;
    // A burst counts from its first edge, and is over when the line has rested.
    if (this.#settle === undefined) this.#sinceMs = nowMs;
    this.#seen = open;
    this.#settle?.cancel();
    this.#settle = this.#clock.after(this.#options.debounceMs, () => {
      this.#settle = undefined;
      if (this.#seen === undefined || this.#seen === this.#told) return;
      this.#told = this.#seen;
      this.#events.settled(this.#seen, this.#sinceMs);
    });
  }
}
