import type { RecordWriter } from './seal/index.js';
import { type Label, label } from './seal/index.js';

const MAX_RANGES = 8;
/** epoch:first-last with three numbers of at most 16 digits */
const TEXT_BYTES = 50;

/**
 * What a device has lost: counted since boot, and named by ranges of one epoch each until the gateway has
 * receipted a loss reading that names them. Losing goes in order, so there are few ranges; what does not fit
 * is counted all the same.
 */
export class Losses {
  /** Since boot. */
  total = 0;
  readonly #epochs = new Float64Array(MAX_RANGES);
  readonly #firsts = new Float64Array(MAX_RANGES);
  readonly #lasts = new Float64Array(MAX_RANGES);
  #ranges = 0;
  /** The loss reading that names all there is. */
  #namedEpoch = -1;
  #namedSeq = -1;
  #named = true;
  readonly #lost: Label = label('lost', 'count');
  readonly #range: Label = label('lost-range');
  readonly #text = new Uint8Array(TEXT_BYTES);
  #end = 0;

  /** True when something has been lost that no loss reading names. */
  get unnamed(): boolean {
    return !this.#named;
  }

  /** Everything from `seq` to `last` of an epoch is lost. */
  add(epoch: number, seq: number, last = seq): void {
    this.total += last - seq + 1;
    this.#named = false;
    for (let i = 0; i < this.#ranges; i++) {
      if (this.#epochs[i] !== epoch) continue;
      if (this.#lasts[i] + 1 === seq) {
        this.#lasts[i] = last;
        return;
      }
    }
    if (this.#ranges === MAX_RANGES) return;
    this.#epochs[this.#ranges] = epoch;
    this.#firsts[this.#ranges] = seq;
    this.#lasts[this.#ranges] = last;
    this.#ranges++;
  }

  /** The records of a loss reading: `lost`, and for each range `lost-range` "epoch:first-last", last included. */
  write(records: RecordWriter): void {
    records.number(this.#lost, this.total);
    for (let i = 0; i < this.#ranges; i++) {
      this.#end = 0;
      this.#digits(this.#epochs[i]);
      this.#text[this.#end++] = 0x3a; // :
      this.#digits(this.#firsts[i]);
      this.#text[this.#end++] = 0x2d; // -
      this.#digits(this.#lasts[i]);
      records.text(this.#range, this.#text, 0, this.#end);
    }
  }

  /** The reading that `write` went into. */
  namedBy(epoch: number, seq: number): void {
    this.#named = true;
    this.#namedEpoch = epoch;
    this.#namedSeq = seq;
  }

  /** A receipt covers everything up to (epoch, seq): what it names may be forgotten. */
  receipted(epoch: number, seq: number): void {
    if (!this.#named || this.#namedEpoch < 0) return;
    if (this.#namedEpoch > epoch || (this.#namedEpoch === epoch && this.#namedSeq > seq)) return;
    this.#ranges = 0;
    this.#namedEpoch = -1;
  }

  #digits(value: number): void {
    let scale = 1;
    while (scale * 10 <= value) scale *= 10;
    for (; scale >= 1; scale /= 10) this.#text[this.#end++] = 0x30 + (Math.floor(value / scale) % 10);
  }
}
