import type { Uptime } from '../ports.js';
import type { DigitalIo } from './machine-state.js';
import type { PulseIo } from './pulses.js';

export interface DigitalPulsesSettings {
  readonly uptime: Uptime;
  /**
   * Opens the input so that it calls `onReadable` at both edges:
   * `onReadable => new Digital({ pin: 4, mode: Digital.InputPullUp, edge: Digital.Rising | Digital.Falling, onReadable })`
   */
  readonly open: (onReadable: () => void) => DigitalIo;
  /** A pulse is a time at 0 instead of at 1. */
  readonly activeLow?: boolean;
  /** A pulse begins after so long without any edge; sooner, an edge is contact bounce. Default 5; 0 for electronics. */
  readonly deadMs?: number;
}

/**
 * Counts the pulses of a single wire, such as a flow meter's or an energy meter's S0, by the edges that a
 * Digital tells. Good for as many pulses as JavaScript is called in time for: 100 a second, and none while a
 * driver blocks (SHT3x: 150 ms). Two edges that come as one call are counted as the one pulse that they were
 * at least.
 */
export class DigitalPulses implements PulseIo {
  readonly #settings: DigitalPulsesSettings;
  readonly #active: number;
  readonly #deadMs: number;
  readonly #io: DigitalIo;
  #count = 0;
  #pin: number | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(settings: DigitalPulsesSettings) {
    this.#settings = settings;
    this.#active = settings.activeLow === true ? 0 : 1;
    this.#deadMs = settings.deadMs ?? 5;
    this.#io = settings.open(() => this.#edge());
    this.#pin = this.#io.read();
  }

  /** Also reads the pin: one that can't be read counts nothing, and throws here. */
  read(): number | undefined {
    const pin = this.#io.read();
    return pin === 0 || pin === 1 ? this.#count : undefined;
  }

  close(): void {
    this.#io.close?.();
  }

  #edge(): void {
    const nowMs = this.#settings.uptime.nowMs();
    let pin: number | undefined;
    try {
      pin = this.#io.read();
    } catch {
      return; // `read` throws too
    }
    // At the same level as before there were two edges, a pulse among them or the gap between two.
    const began = pin === this.#active || pin === this.#pin;
    const quiet = nowMs - this.#lastMs >= this.#deadMs || nowMs < this.#lastMs;
    if (began && quiet) this.#count++;
    this.#pin = pin;
    this.#lastMs = nowMs;
  }
}
