import { type Label, label, type RecordWriter } from '../../firmware/seal/index.js';
import { Period } from '../../firmware/sensors/period.js';
import type { Source } from '../../firmware/sensors/source.js';
import type { SeededRandom } from './random.js';

/** What the virtual sensors have in common: a period, a generator, no failures. */
abstract class VirtualSource implements Source {
  readonly kind: number = 0;
  protected readonly random: SeededRandom;
  readonly #period: Period;
  #nowMs = 0;

  constructor(random: SeededRandom, periodMs: number, firstMs: number) {
    this.random = random;
    this.#period = new Period(periodMs, firstMs);
  }

  poll(nowMs: number): number {
    this.#nowMs = nowMs;
    return this.#period.waitMs(nowMs);
  }

  write(records: RecordWriter): void {
    this.sample(records);
    this.#period.taken(this.#nowMs);
  }

  protected abstract sample(records: RecordWriter): void;
}

/** A temperature probe in a room: slow drift around 21 °C, noise of a few hundredths, steps of 0.01 °C. */
export class TemperatureProbe extends VirtualSource {
  readonly #label: Label = label('temperature', 'Cel');
  #drift = 0;

  protected override sample(records: RecordWriter): void {
    this.#drift += 0.02 * this.random.normal() - 0.002 * this.#drift;
    const celsius = 21 + this.#drift + 0.03 * this.random.normal();
    records.number(this.#label, Math.round(celsius * 100) / 100);
  }
}

/** A supply of 3.3 V that sags a little under load; steps of 1 mV. */
export class SupplyVoltage extends VirtualSource {
  readonly #label: Label = label('supply', 'V');
  #loadVolts = 0;

  protected override sample(records: RecordWriter): void {
    this.#loadVolts = 0.95 * this.#loadVolts + 0.004 * this.random.unit();
    const volts = 3.3 - this.#loadVolts + 0.001 * this.random.normal();
    records.number(this.#label, Math.round(volts * 1000) / 1000);
  }
}

/** A machine that is switched on or off at random, about every tenth sample. */
export class MachineState extends VirtualSource {
  readonly #label: Label = label('running');
  #running = false;

  protected override sample(records: RecordWriter): void {
    if (this.random.below(10) === 0) this.#running = !this.#running;
    records.bool(this.#label, this.#running);
  }
}

/**
 * The three sources of the virtual board, taking turns so that together they give `ratePerSecond` readings
 * a second, evenly spread.
 */
export function virtualSources(random: SeededRandom, ratePerSecond: number): Source[] {
  const gapMs = 1000 / ratePerSecond;
  return [
    new TemperatureProbe(random, 3 * gapMs, gapMs),
    new SupplyVoltage(random, 3 * gapMs, 2 * gapMs),
    new MachineState(random, 3 * gapMs, 3 * gapMs),
  ];
}
