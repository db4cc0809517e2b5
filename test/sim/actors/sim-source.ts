import type { SeededRandom } from '../../../boards/virtual/random.js';
import { Kind, label, type RecordWriter } from '../../../firmware/seal/index.js';
import type { Source, SourceSettings } from '../../../firmware/sensors/source.js';

const VALUE = label('value', 'Cel');
const TEXT = label('text');
const STATE = label('state');
const BURST_GAP_MS = 40;

/** A sensor whose readings come at random times, some of them in bursts, in sizes from the shortest to the longest. */
export class SimSource implements Source {
  readonly name: string;
  readonly #random: SeededRandom;
  readonly #builtMs: number;
  readonly #burst: number;
  readonly #text = new Uint8Array(300).fill(0x61);
  #periodMs: number;
  #dueMs: number;
  #nowMs = 0;
  #left = 0;
  #kind = 0;

  /** @param burst chance that a reading begins a burst */
  constructor(name: string, random: SeededRandom, periodMs: number, burst: number) {
    this.name = name;
    this.#random = random;
    this.#builtMs = periodMs;
    this.#periodMs = periodMs;
    this.#burst = burst;
    this.#dueMs = random.unit() * periodMs;
  }

  get kind(): number {
    return this.#kind;
  }

  poll(nowMs: number): number {
    this.#nowMs = nowMs;
    return Math.max(0, this.#dueMs - nowMs);
  }

  write(records: RecordWriter): void {
    const random = this.#random;
    const style = random.below(16);
    if (style === 0) records.text(TEXT, this.#text, 0, random.below(this.#text.length));
    else if (style === 1) records.bool(STATE, random.below(2) === 0);
    else if (style === 2) records.data(TEXT, this.#text, 0, random.below(60));
    else records.number(VALUE, Math.round(random.unit() * 10_000) / 100);
    this.#kind = random.below(40) === 0 ? Kind.fault : 0;
    if (this.#left > 0) {
      this.#left--;
      this.#dueMs = this.#nowMs + random.below(BURST_GAP_MS);
      return;
    }
    if (random.unit() < this.#burst) this.#left = 2 + random.below(30);
    this.#dueMs = this.#nowMs - Math.log(1 - random.unit()) * this.#periodMs;
  }

  configure({ periodMs = this.#builtMs, threshold = 0 }: SourceSettings): string {
    if (!(periodMs >= 10 && periodMs <= 86_400_000)) return 'bad-period';
    if (threshold !== 0) return 'bad-threshold';
    this.#periodMs = periodMs;
    this.#dueMs = Math.min(this.#dueMs, this.#nowMs + periodMs);
    return '';
  }
}
