/**
 * The tags of a device's latest readings, to tell a replay from a fork. They come in rising order of
 * (epoch, sequence), so a search halves. Room for few is made at first, since most devices are quiet.
 */
import { comparePositions } from '../../firmware/seal/index.js';

const FIRST_CAPACITY = 16;
const TAG8_BYTES = 8;

export class RecentTags {
  readonly #maxTags: number;
  #capacity: number;
  #epochs: Float64Array;
  #seqs: Float64Array;
  #offsets: Float64Array;
  #tags: Uint8Array;
  /** How many were ever added; number n lies at n modulo the capacity. */
  #added = 0;
  #kept = 0;

  /** @param maxTags a power of two from 16 up */
  constructor(maxTags: number) {
    this.#maxTags = maxTags;
    this.#capacity = Math.min(FIRST_CAPACITY, maxTags);
    this.#epochs = new Float64Array(this.#capacity);
    this.#seqs = new Float64Array(this.#capacity);
    this.#offsets = new Float64Array(this.#capacity);
    this.#tags = new Uint8Array(this.#capacity * TAG8_BYTES);
  }

  get size(): number {
    return this.#kept;
  }

  /** Adds a reading later than all before it; the oldest is forgotten when there is no more room. */
  add(epoch: number, seq: number, tags: Uint8Array, tagAt: number, offset: number): void {
    if (this.#kept === this.#capacity && this.#capacity < this.#maxTags) this.#grow();
    const slot = this.#added % this.#capacity;
    this.#epochs[slot] = epoch;
    this.#seqs[slot] = seq;
    this.#offsets[slot] = offset;
    for (let i = 0; i < TAG8_BYTES; i++) this.#tags[slot * TAG8_BYTES + i] = tags[tagAt + i];
    this.#added++;
    if (this.#kept < this.#capacity) this.#kept++;
  }

  /** Where a reading is remembered, for the methods below; -1 when it is not. Valid until the next `add`. */
  find(epoch: number, seq: number): number {
    let low = this.#added - this.#kept;
    let high = this.#added - 1;
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const slot = middle % this.#capacity;
      const order = comparePositions(this.#epochs[slot], this.#seqs[slot], epoch, seq);
      if (order === 0) return slot;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  tagMatches(slot: number, tags: Uint8Array, tagAt: number): boolean {
    for (let i = 0; i < TAG8_BYTES; i++)
      if (this.#tags[slot * TAG8_BYTES + i] !== tags[tagAt + i]) return false;
    return true;
  }

  /** A copy of the tag's first 8 bytes. */
  tag8(slot: number): Uint8Array {
    return this.#tags.slice(slot * TAG8_BYTES, (slot + 1) * TAG8_BYTES);
  }

  /** The reading's place in the journal; -1 while it is not durable. */
  offset(slot: number): number {
    return this.#offsets[slot];
  }

  setOffset(slot: number, offset: number): void {
    this.#offsets[slot] = offset;
  }

  #grow(): void {
    const before = this.#capacity;
    const capacity = before * 2;
    const epochs = new Float64Array(capacity);
    const seqs = new Float64Array(capacity);
    const offsets = new Float64Array(capacity);
    const tags = new Uint8Array(capacity * TAG8_BYTES);
    for (let n = this.#added - this.#kept; n < this.#added; n++) {
      const from = n % before;
      const to = n % capacity;
      epochs[to] = this.#epochs[from];
      seqs[to] = this.#seqs[from];
      offsets[to] = this.#offsets[from];
      tags.set(this.#tags.subarray(from * TAG8_BYTES, (from + 1) * TAG8_BYTES), to * TAG8_BYTES);
    }
    this.#epochs = epochs;
    this.#seqs = seqs;
    this.#offsets = offsets;
    this.#tags = tags;
    this.#capacity = capacity;
  }
}
