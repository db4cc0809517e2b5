import { Trouble } from './trouble.js';

/** What is used of an ECMA-419 Analog. */
export interface AnalogIo {
  /** Bits. */
  readonly resolution: number;
  read(): number | undefined;
  close?(): void;
}

export interface AnalogSettings {
  /** Opens the input: `() => new Analog({ pin: 26 })`. */
  readonly open: () => AnalogIo;
  /** Volts that the highest code stands for: 3.3 on a Pico, 2.45 with the ESP32's default attenuation. */
  readonly fullScaleVolts: number;
  /** Samples averaged for a value, 1 to 256; default 16. */
  readonly samples?: number;
  /**
   * When one sample of a value is farther than so many codes from another, the input is not connected: a pin
   * in the air wanders. Default: not looked at.
   */
  readonly maxSpreadCodes?: number;
}

const MAX_SAMPLES = 256;

/** Reads an analog input several times at once. Allocates nothing. */
export class AnalogInput {
  /** Of the last `take`, in codes. */
  mean = 0;
  least = 0;
  most = 0;
  /** The highest code. */
  top = 0;
  readonly #settings: AnalogSettings;
  readonly #samples: number;
  #io: AnalogIo | undefined;

  /** @throws RangeError when the settings are out of bounds */
  constructor(settings: AnalogSettings) {
    const samples = settings.samples ?? 16;
    if (!(samples >= 1 && samples <= MAX_SAMPLES) || Math.floor(samples) !== samples) {
      throw new RangeError(`samples: a whole number from 1 to ${MAX_SAMPLES}, not ${samples}`);
    }
    if (!(settings.fullScaleVolts > 0)) throw new RangeError('fullScaleVolts: volts, above 0');
    this.#settings = settings;
    this.#samples = samples;
  }

  /** Of the last `take`, as volts at the pin. */
  get volts(): number {
    return (this.mean / this.top) * this.#settings.fullScaleVolts;
  }

  open(): Trouble {
    this.#io = this.#settings.open();
    const { resolution } = this.#io;
    this.top = 2 ** resolution - 1;
    return resolution >= 1 && resolution <= 32 ? Trouble.none : Trouble.wrongDevice;
  }

  close(): void {
    const io = this.#io;
    this.#io = undefined;
    io?.close?.();
  }

  take(): Trouble {
    const io = this.#io!;
    let sum = 0;
    let least = this.top;
    let most = 0;
    for (let i = 0; i < this.#samples; i++) {
      const code = io.read();
      // An ESP32 gives undefined when its converter fails.
      if (code === undefined || !(code >= 0 && code <= this.top)) return Trouble.noValue;
      sum += code;
      if (code < least) least = code;
      if (code > most) most = code;
    }
    this.mean = sum / this.#samples;
    this.least = least;
    this.most = most;
    const { maxSpreadCodes } = this.#settings;
    return maxSpreadCodes !== undefined && most - least > maxSpreadCodes ? Trouble.unsteady : Trouble.none;
  }
}
