import type { Backlog } from './backlog.js';

/** The shortest envelope there is takes more than this, which bounds the number of entries by the bytes. */
const MIN_ENTRY_BYTES = 64;

/** A backlog in memory: a ring of bytes, each envelope in one piece, and beside it a ring of what they are. */
export class RamBacklog implements Backlog {
  readonly buffer: Uint8Array;
  epoch = 0;
  seq = 0;
  from = 0;
  to = 0;
  #count = 0;
  #removed = 0;
  #first = 0;
  /** Where the next envelope goes. */
  #head = 0;
  readonly #epochs: Float64Array;
  readonly #seqs: Float64Array;
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;

  /** @param capacityBytes bytes of envelopes that it holds at most */
  constructor(capacityBytes: number) {
    if (!(capacityBytes >= MIN_ENTRY_BYTES)) throw new RangeError('backlog: capacity too small');
    const entries = Math.ceil(capacityBytes / MIN_ENTRY_BYTES);
    this.buffer = new Uint8Array(capacityBytes);
    this.#epochs = new Float64Array(entries);
    this.#seqs = new Float64Array(entries);
    this.#starts = new Uint32Array(entries);
    this.#lengths = new Uint32Array(entries);
  }

  get count(): number {
    return this.#count;
  }

  get removed(): number {
    return this.#removed;
  }

  get sendable(): number {
    return this.#count;
  }

  push(epoch: number, seq: number, buffer: Uint8Array, from: number, to: number): boolean {
    const length = to - from;
    if (this.#count === this.#starts.length) return false;
    const at = this.#room(length);
    if (at < 0) return false;
    for (let i = 0; i < length; i++) this.buffer[at + i] = buffer[from + i];
    const slot = (this.#first + this.#count) % this.#starts.length;
    this.#epochs[slot] = epoch;
    this.#seqs[slot] = seq;
    this.#starts[slot] = at;
    this.#lengths[slot] = length;
    this.#count++;
    this.#head = at + length;
    return true;
  }

  select(index: number): boolean {
    if (index >= this.#count) return false;
    const slot = (this.#first + index) % this.#starts.length;
    this.epoch = this.#epochs[slot];
    this.seq = this.#seqs[slot];
    this.from = this.#starts[slot];
    this.to = this.from + this.#lengths[slot];
    return true;
  }

  shift(): void {
    if (this.#count === 0) return;
    this.drop(1);
    this.trim();
  }

  remove(index: number): boolean {
    if (index >= this.#count) return true;
    if (index === 0) this.shift();
    else this.blank(index);
    return true;
  }

  /** Removes an entry and keeps its number, the oldest too. */
  blank(index: number): boolean {
    const slot = (this.#first + index) % this.#starts.length;
    if (this.#lengths[slot] > 0) this.#removed++;
    this.#lengths[slot] = 0;
    return true;
  }

  tend(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Forgets so many entries from the oldest, removed ones counted. */
  drop(count: number): void {
    for (let i = 0; i < count; i++) {
      if (this.#lengths[this.#first] === 0) this.#removed--;
      this.#first = (this.#first + 1) % this.#starts.length;
    }
    this.#count -= count;
  }

  /** Forgets the removed entries that are the oldest. */
  trim(): void {
    while (this.#count > 0 && this.#lengths[this.#first] === 0) this.drop(1);
  }

  /** Where `length` bytes fit in one piece, -1 when nowhere. */
  #room(length: number): number {
    const capacity = this.buffer.length;
    if (this.#count === 0) return length <= capacity ? 0 : -1;
    const tail = this.#starts[this.#first];
    if (this.#head > tail) {
      if (length <= capacity - this.#head) return this.#head;
      return length <= tail ? 0 : -1;
    }
    return length <= tail - this.#head ? this.#head : -1;
  }
}
