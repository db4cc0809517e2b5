import { type FieldSettings, type SampledSettings, SampledSource } from './sampled.js';
import { Trouble } from './trouble.js';

/** What is used of an ECMA-419 PulseCount: a count that runs on, up or down. */
export interface PulseIo {
  read(): number | undefined;
  close?(): void;
}

export interface PulseSettings extends SampledSettings {
  /**
   * Opens the counter: `() => new PulseCount({ signal: 4, control: 5 })`, which in the SDK reads a quadrature
   * encoder, or `() => new DigitalPulses(…)` for a single wire.
   */
  readonly open: () => PulseIo;
  /** Codes of the counter for one count: 4 for a quadrature encoder on an ESP32. Default 1. */
  readonly codesPerCount?: number;
  /** The counter goes from its last code to its first after so many; default 2^32. */
  readonly wrapCodes?: number;
  /**
   * How often it is read between two samples, in ms; default 1,000. Of an ESP32's counter 32,767 codes fit
   * between two reads.
   */
  readonly gatherMs?: number;
}

/**
 * Counts pulses: `<name>` in counts since boot and `<name>/rate` in counts a second over the last period. The
 * total runs on over a failed counter and without what passed meanwhile; the reading after it says how long.
 */
export class Pulses extends SampledSource {
  readonly #settings: PulseSettings;
  readonly #gatherMs: number;
  readonly #wrapCodes: number;
  #io: PulseIo | undefined;
  #code = 0;
  /** Codes since boot. */
  #total = 0;
  #gatheredMs = 0;
  #sampledMs = 0;
  #sampledTotal = 0;
  #broken = false;

  constructor(settings: PulseSettings) {
    const { name } = settings;
    const gatherMs = settings.gatherMs ?? 1_000;
    const fields: FieldSettings[] = [
      { name, unit: 'count', min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER },
      { name: `${name}/rate`, unit: '1/s', min: -1e9, max: 1e9, perUnit: 1_000 },
    ];
    // The first rate is over that time.
    super(settings, fields, { settleMs: gatherMs });
    this.#settings = settings;
    this.#gatherMs = gatherMs;
    this.#wrapCodes = settings.wrapCodes ?? 2 ** 32;
  }

  override poll(nowMs: number): number {
    if (this.#io !== undefined && (nowMs - this.#gatheredMs >= this.#gatherMs || nowMs < this.#gatheredMs)) {
      this.#tryGather(nowMs);
    }
    const waitMs = super.poll(nowMs);
    return this.#io === undefined ? waitMs : Math.min(waitMs, this.#gatherMs);
  }

  protected override open(nowMs: number): Trouble {
    const io = this.#settings.open();
    this.#io = io;
    this.#broken = false;
    const code = io.read();
    if (!wholeNumber(code)) return Trouble.noValue;
    this.#code = code;
    this.#gatheredMs = nowMs;
    this.#sampledMs = nowMs;
    this.#sampledTotal = this.#total;
    return Trouble.none;
  }

  protected override close(): void {
    const io = this.#io;
    this.#io = undefined;
    io?.close?.();
  }

  protected override measure(nowMs: number): Trouble {
    if (!this.#broken) this.#tryGather(nowMs);
    if (this.#broken) return Trouble.noAnswer;
    const perCount = this.#settings.codesPerCount ?? 1;
    const spanMs = nowMs - this.#sampledMs;
    this.values[0] = Math.trunc(this.#total / perCount);
    this.values[1] = spanMs > 0 ? ((this.#total - this.#sampledTotal) / perCount / spanMs) * 1_000 : 0;
    this.#sampledMs = nowMs;
    this.#sampledTotal = this.#total;
    return Trouble.none;
  }

  #tryGather(nowMs: number): void {
    try {
      const code = this.#io!.read();
      if (!wholeNumber(code)) {
        this.#broken = true;
        return;
      }
      const wrap = this.#wrapCodes;
      let moved = code - this.#code;
      if (moved > wrap / 2) moved -= wrap;
      else if (moved < -wrap / 2) moved += wrap;
      this.#code = code;
      this.#total += moved;
      this.#gatheredMs = nowMs;
    } catch {
      this.#broken = true;
    }
  }
}

function wholeNumber(code: number | undefined): code is number {
  return typeof code === 'number' && Math.floor(code) === code && Math.abs(code) <= Number.MAX_SAFE_INTEGER;
}
