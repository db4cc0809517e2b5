import { Kind, type Label, label, type RecordWriter } from '../seal/index.js';
import { Outage, type RetrySettings } from './outage.js';
import type { Source, SourceSettings } from './source.js';
import { Trouble } from './trouble.js';
import { Tuning } from './tuning.js';
import type { SenmlUnit } from './units.js';

/** One value of a sample and what may be believed of it. */
export interface FieldSettings {
  /** The record's name, as SenML allows it. */
  readonly name: string;
  readonly unit: SenmlUnit;
  /** What the sensor can give at all; anything outside is a fault, not a value. */
  readonly min: number;
  readonly max: number;
  /** Values are rounded to 1/perUnit of the unit; absent: not rounded. */
  readonly perUnit?: number;
  /** Of fields after the first: a change that makes a reading due. The first one's is the source's own. */
  readonly threshold?: number;
}

export interface SampledSettings extends SourceSettings, RetrySettings {
  /** Names the source in settings and faults; names its record too when it has one only. */
  readonly name: string;
  readonly periodMs: number;
  /** Uptime of the first sample; default: at once. */
  readonly firstMs?: number;
  /** Values that stay exactly the same for so long, over four samples at least, are a fault; 0: never. */
  readonly stuckMs?: number;
}

/** What the kind of sensor says of itself. */
export interface SampledTraits {
  readonly minPeriodMs?: number;
  /** What passes between opening the sensor and its first value. */
  readonly settleMs?: number;
}

/** So many equal samples before one is called stuck, however long the period. */
const MIN_REPEATS = 3;
/** How long a value waits to be sealed until it is taken anew. */
const FRESH_MS = 1_000;

/**
 * A sensor that is asked for values: when, whether they are worth a reading, and what happens when there are
 * none. A failed sensor is closed, and opened anew after a time that doubles with each failure.
 */
export abstract class SampledSource implements Source {
  readonly name: string;
  /** Where `measure` puts the values, in the order of the fields. */
  protected readonly values: Float64Array;
  readonly #fields: readonly FieldSettings[];
  readonly #labels: Label[];
  readonly #last: Float64Array;
  readonly #told: Float64Array;
  readonly #tuning: Tuning;
  readonly #outage: Outage;
  readonly #stuckMs: number;
  readonly #settleMs: number;
  #opened = false;
  #ready = false;
  #nowMs = 0;
  #dueMs: number;
  /** Not before this: the sensor settles, or its answer is awaited. Does not shift the samples after it. */
  #pauseMs = 0;
  #takenMs = 0;
  #toldMs = -1;
  /** How many samples in a row were equal, below 0 while there is none to compare with; and since when. */
  #repeats = -1;
  #changedMs = 0;

  constructor(settings: SampledSettings, fields: readonly FieldSettings[], traits: SampledTraits = {}) {
    this.name = settings.name;
    this.#fields = fields;
    this.#labels = fields.map(field => label(field.name, field.unit));
    this.values = new Float64Array(fields.length);
    this.#last = new Float64Array(fields.length);
    this.#told = new Float64Array(fields.length);
    this.#tuning = new Tuning(settings, traits.minPeriodMs ?? 0);
    this.#outage = new Outage(settings.name, settings);
    this.#stuckMs = settings.stuckMs ?? 0;
    this.#settleMs = traits.settleMs ?? 0;
    this.#dueMs = settings.firstMs ?? -1;
  }

  /** Makes the driver or the input. May throw: then it was not found. */
  protected abstract open(nowMs: number): Trouble;
  /** Gives everything back that a failed or whole `open` took. May throw. */
  protected abstract close(): void;
  /**
   * Fills `values`. May throw: then there was no answer.
   * @returns what is wrong, or below 0: asks again after as many ms
   */
  protected abstract measure(nowMs: number): number;

  get kind(): number {
    return this.#outage.failing ? Kind.fault : 0;
  }

  poll(nowMs: number): number {
    if (nowMs < this.#nowMs) this.#rebase(nowMs);
    this.#nowMs = nowMs;
    if (this.#dueMs < 0) this.#dueMs = nowMs;
    if (this.#ready) {
      if (nowMs - this.#takenMs <= FRESH_MS || (this.#outage.failing && nowMs < this.#dueMs)) return 0;
      // A value that nobody took in time must not go out under a later instant.
      this.#ready = false;
      this.#dueMs = Math.min(this.#dueMs, nowMs);
    }
    const waitMs = Math.max(this.#dueMs, this.#pauseMs) - nowMs;
    if (waitMs > 0) return waitMs;
    this.#takenMs = nowMs;
    if (!this.#opened) {
      const trouble = this.#tryOpen(nowMs);
      if (trouble !== Trouble.none) return this.#failed(trouble, nowMs);
      if (this.#settleMs > 0) {
        this.#pauseMs = nowMs + this.#settleMs;
        return this.#settleMs;
      }
    }
    const outcome = this.#tryMeasure(nowMs);
    if (outcome < 0) {
      this.#pauseMs = nowMs - outcome;
      return -outcome;
    }
    const trouble = outcome !== Trouble.none ? (outcome as Trouble) : this.#judge(nowMs);
    return trouble === Trouble.none ? this.#succeeded(nowMs) : this.#failed(trouble, nowMs);
  }

  write(records: RecordWriter): void {
    this.#ready = false;
    if (this.#outage.failing) {
      this.#outage.writeFault(records, this.#takenMs);
      return;
    }
    for (let i = 0; i < this.values.length; i++) {
      const value = this.values[i];
      records.number(this.#labels[i], value);
      this.#told[i] = value;
    }
    this.#toldMs = this.#takenMs;
    this.#outage.writeRecovery(records);
  }

  configure(settings: SourceSettings): string {
    const fault = this.#tuning.apply(settings);
    if (fault !== '' || this.#outage.failing) return fault;
    // From a long period to a short one: not only once the long one has passed.
    this.#dueMs = Math.min(this.#dueMs, this.#nowMs + this.#tuning.periodMs);
    return '';
  }

  #tryOpen(nowMs: number): Trouble {
    try {
      const trouble = this.open(nowMs);
      this.#opened = trouble === Trouble.none;
      return trouble;
    } catch {
      return Trouble.notFound;
    }
  }

  #tryMeasure(nowMs: number): number {
    try {
      return this.measure(nowMs);
    } catch {
      return Trouble.noAnswer;
    }
  }

  #failed(trouble: Trouble, nowMs: number): number {
    this.#opened = false;
    // What is stuck stays so until it moves; after any other failure everything is new.
    if (trouble !== Trouble.stuck) this.#repeats = -1;
    try {
      this.close();
    } catch {
      // It has failed already.
    }
    const outage = this.#outage;
    this.#ready = outage.fail(trouble, nowMs, this.#tuning.maxIntervalMs);
    this.#dueMs = nowMs + outage.waitMs;
    return this.#ready ? 0 : outage.waitMs;
  }

  #succeeded(nowMs: number): number {
    const { periodMs, maxIntervalMs, threshold } = this.#tuning;
    const outage = this.#outage;
    outage.succeed(nowMs);
    const nextMs = this.#dueMs + periodMs;
    this.#dueMs = nextMs > nowMs ? nextMs : nowMs + periodMs;
    this.#ready =
      threshold === 0 ||
      outage.recovered ||
      this.#toldMs < 0 ||
      nowMs - this.#toldMs >= maxIntervalMs ||
      this.#moved(threshold);
    return this.#ready ? 0 : this.#dueMs - nowMs;
  }

  /** Whether the values are believable; rounds them. */
  #judge(nowMs: number): Trouble {
    const { values } = this;
    let same = this.#repeats >= 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const field = this.#fields[i];
      if (!(value >= field.min && value <= field.max)) {
        return Number.isNaN(value) ? Trouble.noValue : Trouble.outOfRange;
      }
      if (value !== this.#last[i]) same = false;
      this.#last[i] = value;
      const perUnit = field.perUnit ?? 0;
      // -0 is no value that can be sealed.
      values[i] = (perUnit > 0 ? Math.round(value * perUnit) / perUnit : value) + 0;
    }
    if (!same) {
      this.#repeats = 0;
      this.#changedMs = nowMs;
      return Trouble.none;
    }
    this.#repeats++;
    const stuck = this.#stuckMs > 0 && nowMs - this.#changedMs >= this.#stuckMs;
    return stuck && this.#repeats >= MIN_REPEATS ? Trouble.stuck : Trouble.none;
  }

  #moved(threshold: number): boolean {
    for (let i = 0; i < this.values.length; i++) {
      const limit = i === 0 ? threshold : (this.#fields[i].threshold ?? 0);
      // 21.2 - 21.1 is a little less than 0.1.
      if (limit > 0 && Math.abs(this.values[i] - this.#told[i]) >= limit * (1 - 1e-6)) return true;
    }
    return false;
  }

  /** Uptime ran backwards, which it must not: go on from here. */
  #rebase(nowMs: number): void {
    this.#dueMs = Math.min(this.#dueMs, nowMs + this.#tuning.periodMs);
    this.#pauseMs = Math.min(this.#pauseMs, this.#dueMs);
    this.#takenMs = Math.min(this.#takenMs, nowMs);
    this.#toldMs = Math.min(this.#toldMs, nowMs);
    this.#changedMs = Math.min(this.#changedMs, nowMs);
    this.#outage.rebase(nowMs);
  }
}
