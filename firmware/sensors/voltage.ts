import { AnalogInput, type AnalogSettings } from './analog-input.js';
import { type SampledSettings, SampledSource } from './sampled.js';
import { Trouble } from './trouble.js';

export interface VoltageSettings extends SampledSettings, AnalogSettings {
  /** Of the divider before the pin: (upper + lower resistor) / lower; default 1, no divider. */
  readonly ratio?: number;
  /** Calibration: volts = gain × (codes × full scale × ratio) + offset. Defaults 1 and 0. */
  readonly gain?: number;
  readonly offsetVolts?: number;
  /** A sample at or below this code is a fault `rail-low`. Default -1: none is, since 0 V may be true. */
  readonly lowCode?: number;
  /** A sample at or above this code is a fault `rail-high`. Default: the highest, behind which may be any voltage. */
  readonly highCode?: number;
  /** Rounded to 1/perUnit V; default 1,000. */
  readonly perUnit?: number;
}

/** A voltage at an analog input, behind a divider: `<name>` in V. */
export class Voltage extends SampledSource {
  readonly #input: AnalogInput;
  readonly #gain: number;
  readonly #offsetVolts: number;
  readonly #lowCode: number;
  readonly #highCode: number;

  constructor(settings: VoltageSettings) {
    const gain = (settings.gain ?? 1) * (settings.ratio ?? 1);
    const offsetVolts = settings.offsetVolts ?? 0;
    const full = settings.fullScaleVolts * gain + offsetVolts;
    const min = Math.min(full, offsetVolts);
    const max = Math.max(full, offsetVolts);
    super(settings, [{ name: settings.name, unit: 'V', min, max, perUnit: settings.perUnit ?? 1_000 }]);
    this.#input = new AnalogInput(settings);
    this.#gain = gain;
    this.#offsetVolts = offsetVolts;
    this.#lowCode = settings.lowCode ?? -1;
    this.#highCode = settings.highCode ?? Number.POSITIVE_INFINITY;
  }

  protected override open(): Trouble {
    return this.#input.open();
  }

  protected override close(): void {
    this.#input.close();
  }

  protected override measure(): Trouble {
    const input = this.#input;
    const trouble = input.take();
    if (trouble !== Trouble.none) return trouble;
    // One sample that was cut off makes the mean wrong.
    if (input.least <= this.#lowCode) return Trouble.railLow;
    if (input.most >= Math.min(this.#highCode, input.top)) return Trouble.railHigh;
    this.values[0] = input.volts * this.#gain + this.#offsetVolts;
    return Trouble.none;
  }
}
