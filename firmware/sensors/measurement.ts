import { type ClassOf, Keeper, type SensorOptions } from './keeper.js';
import { type FieldSettings, type SampledSettings, SampledSource, type SampledTraits } from './sampled.js';
import { Trouble } from './trouble.js';

/** What is used of an ECMA-419 sensor driver. */
export interface SensorDriver<S> {
  /** Some drivers answer later: they are given a function. */
  sample(answer?: (error: unknown, sample?: S) => void): S | undefined;
  configure?(options: object): void;
  close?(): void;
}

/** A field of a driver's samples. */
export interface Field<S> extends FieldSettings {
  /** Finds it in a sample; scales it to the unit when the driver has another. */
  readonly read: (sample: S) => number | undefined;
}

export interface MeasurementSettings<S, I extends object> extends SampledSettings {
  readonly driver: ClassOf<SensorDriver<S>>;
  readonly sensor: SensorOptions<I>;
  readonly fields: readonly Field<S>[];
  /** For the driver's constructor, besides `sensor` and `onError`. */
  readonly options?: object;
  /** For the driver's `configure`, each time that it is made. */
  readonly configuration?: object;
  /** The driver's `sample` takes a callback; it fails when that is not called within so many ms. */
  readonly answerMs?: number;
}

/** What only one type of sensor knows. Each gets an open IO, may throw, and may allocate only in `present`. */
export interface SensorChecks<I> extends SampledTraits {
  /** For `present` to open an IO where `sensor` says nothing. */
  readonly address?: number;
  readonly hz?: number;
  /** Before the driver is made: is this sensor there? Some drivers leave memory behind when it is not. */
  readonly present?: (io: I) => boolean;
  /** After each sample: was that the sensor, set up as the driver left it, or a bus that answers anything? */
  readonly intact?: (io: I) => Trouble;
}

const WAIT_MS = 10;

/** Any ECMA-419 sensor driver as a source. */
export class Measurement<S, I extends object> extends SampledSource {
  readonly #settings: MeasurementSettings<S, I>;
  readonly #checks: SensorChecks<I>;
  readonly #keeper: Keeper<I>;
  readonly #onError = () => {
    this.#complained = true;
  };
  #driver: SensorDriver<S> | undefined;
  /** The present driver's own: what one that is closed answers late goes nowhere. */
  #answer: ((error: unknown, sample?: S) => void) | undefined;
  #complained = false;
  #askedMs = -1;
  #answered = false;
  #sample: S | undefined;

  constructor(settings: MeasurementSettings<S, I>, checks: SensorChecks<I> = {}) {
    super(settings, settings.fields, checks);
    this.#settings = settings;
    this.#checks = checks;
    this.#keeper = new Keeper(settings.sensor.io);
  }

  protected override open(): Trouble {
    const { driver, sensor, options, configuration } = this.#settings;
    const { present, address, hz } = this.#checks;
    const keeper = this.#keeper;
    if (present !== undefined) {
      const Io = keeper.io as new (options: unknown) => I;
      const there = present(new Io({ hz: hz ?? 100_000, address, ...sensor }));
      keeper.close();
      if (!there) return Trouble.wrongDevice;
    }
    this.#complained = false;
    this.#askedMs = -1;
    const Driver = driver as new (options: unknown) => SensorDriver<S>;
    const made = new Driver({
      ...options,
      sensor: { ...sensor, io: keeper.io },
      onError: this.#onError,
    });
    this.#driver = made;
    if (this.#settings.answerMs !== undefined) {
      this.#answer = (error, sample) => {
        if (this.#driver === made) this.#take(error, sample);
      };
    }
    if (configuration !== undefined) made.configure?.(configuration);
    return this.#complained ? Trouble.wrongDevice : Trouble.none;
  }

  protected override close(): void {
    const driver = this.#driver;
    this.#driver = undefined;
    this.#sample = undefined;
    this.#askedMs = -1;
    try {
      driver?.close?.();
    } finally {
      this.#keeper.close();
    }
  }

  protected override measure(nowMs: number): number {
    const driver = this.#driver!;
    const { answerMs } = this.#settings;
    let sample: S | undefined;
    if (answerMs === undefined) sample = driver.sample();
    else {
      if (this.#askedMs < 0) {
        this.#askedMs = nowMs;
        this.#answered = false;
        driver.sample(this.#answer);
      }
      if (!this.#answered) return nowMs - this.#askedMs < answerMs ? -WAIT_MS : Trouble.noAnswer;
      this.#askedMs = -1;
      sample = this.#sample;
      this.#sample = undefined;
    }
    if (this.#complained) return Trouble.driverError;
    const { intact } = this.#checks;
    const io = this.#keeper.last;
    if (intact !== undefined && io !== undefined) {
      const trouble = intact(io);
      if (trouble !== Trouble.none) return trouble;
    }
    if (sample === undefined || sample === null) return Trouble.noValue;
    return this.#read(sample);
  }

  #read(sample: S): Trouble {
    const { fields } = this.#settings;
    try {
      for (let i = 0; i < fields.length; i++) {
        const value = fields[i].read(sample);
        if (typeof value !== 'number') return Trouble.noValue;
        this.values[i] = value;
      }
    } catch {
      return Trouble.noValue;
    }
    return Trouble.none;
  }

  #take(error: unknown, sample: S | undefined): void {
    if (this.#askedMs < 0) return;
    this.#answered = true;
    this.#sample = sample;
    if (error) this.#complained = true;
  }
}
