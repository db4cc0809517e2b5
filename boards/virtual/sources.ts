import { type Label, label, type RecordWriter } from '../../firmware/seal/index.js';
import { Period } from '../../firmware/sensors/period.js';
import type { Source, SourceSettings } from '../../firmware/sensors/source.js';
import type { SeededRandom } from './random.js';

/** Periods that the gateway may set; a virtual sensor has no threshold. */
const MIN_PERIOD_MS = 10;
const MAX_PERIOD_MS = 86_400_000;

/** What the virtual sensors have in common: a period, a generator, no failures. */
abstract class VirtualSource implements Source {
  abstract readonly name: string;
  readonly kind: number = 0;
  protected readonly random: SeededRandom;
  readonly #periodMs: number;
  #period: Period;
  #nowMs = 0;

  constructor(random: SeededRandom, periodMs: number, firstMs: number) {
    this.random = random;
    this.#periodMs = periodMs;
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

  configure({ periodMs = this.#periodMs, threshold = 0 }: SourceSettings): string {
    if (periodMs !== this.#periodMs && !(periodMs >= MIN_PERIOD_MS && periodMs <= MAX_PERIOD_MS))
      return 'bad-period';
    if (threshold !== 0) return 'bad-threshold';
    this.#period = new Period(periodMs, this.#nowMs + periodMs);
    return '';
  }

  protected abstract sample(records: RecordWriter): void;
}

/** A temperature probe in a room: slow drift around 21 °C, noise of a few hundredths, steps of 0.01 °C. */
export class TemperatureProbe extends VirtualSource {
  readonly name = 'temperature';
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
  readonly name = 'supply';
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
  readonly name = 'running';
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
