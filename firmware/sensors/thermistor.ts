import { AnalogInput, type AnalogSettings } from './analog-input.js';
import { type SampledSettings, SampledSource } from './sampled.js';
import { Trouble } from './trouble.js';

/** R = nominal × e^(beta × (1/T − 1/T₂₅)): two numbers of every datasheet, good to a degree over some 50. */
export interface BetaCurve {
  /** At 25 °C. */
  readonly nominalOhms: number;
  readonly betaKelvin: number;
}

/** 1/T = a + b·ln R + c·(ln R)³: better than 0.1 °C over 100, from three calibration points. */
export interface SteinhartHartCurve {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export interface ThermistorSettings extends SampledSettings, AnalogSettings {
  readonly curve: BetaCurve | SteinhartHartCurve;
  /** The fixed resistor of the divider. */
  readonly seriesOhms: number;
  /** Where the thermistor is: between the pin and ground (default), or between the supply and the pin. */
  readonly side?: 'ground' | 'supply';
  /** Over the whole divider; default: the full scale, which then cancels out. */
  readonly supplyVolts?: number;
  /** Closer than so many codes to either end, the wire is open or shorted; default 1 % of the range. */
  readonly marginCodes?: number;
  /** Added to the value. */
  readonly offsetCel?: number;
  /** What the probe is made for; default -40 to 125. */
  readonly minCel?: number;
  readonly maxCel?: number;
  /** Rounded to 1/perUnit °C; default 100. */
  readonly perUnit?: number;
}

const KELVIN = 273.15;
const NOMINAL_KELVIN = 298.15;

/** An NTC thermistor in a divider at an analog input: `<name>` in Cel. */
export class Thermistor extends SampledSource {
  readonly #input: AnalogInput;
  readonly #settings: ThermistorSettings;
  readonly #toGround: boolean;
  /** The divider's supply over the full scale. */
  readonly #supply: number;
  // A Beta curve is a Steinhart–Hart one without its third term.
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;

  constructor(settings: ThermistorSettings) {
    const { name, curve, minCel = -40, maxCel = 125, perUnit = 100 } = settings;
    super(settings, [{ name, unit: 'Cel', min: minCel, max: maxCel, perUnit }]);
    this.#input = new AnalogInput(settings);
    this.#settings = settings;
    this.#toGround = settings.side !== 'supply';
    this.#supply = (settings.supplyVolts ?? settings.fullScaleVolts) / settings.fullScaleVolts;
    const steinhart = 'a' in curve;
    this.#a = steinhart ? curve.a : 1 / NOMINAL_KELVIN - Math.log(curve.nominalOhms) / curve.betaKelvin;
    this.#b = steinhart ? curve.b : 1 / curve.betaKelvin;
    this.#c = steinhart ? curve.c : 0;
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
    const { top } = input;
    const margin = this.#settings.marginCodes ?? top / 100;
    // What the pin reads when the whole supply is on it; the converter may end before that.
    const whole = Math.min(top, top * this.#supply);
    const toGround = this.#toGround;
    if (input.least <= margin) return toGround ? Trouble.shortCircuit : Trouble.openCircuit;
    if (input.most >= whole - margin) return toGround ? Trouble.openCircuit : Trouble.shortCircuit;
    const part = input.mean / (top * this.#supply);
    const series = this.#settings.seriesOhms;
    const ohms = toGround ? (series * part) / (1 - part) : (series * (1 - part)) / part;
    const ln = Math.log(ohms);
    const kelvin = 1 / (this.#a + this.#b * ln + this.#c * ln * ln * ln);
    this.values[0] = kelvin - KELVIN + (this.#settings.offsetCel ?? 0);
    return Trouble.none;
  }
}
