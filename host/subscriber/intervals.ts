/** Whole numbers as disjoint ranges [from, to), ascending. Made for numbers that mostly rise one by one. */
export class Intervals {
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  /** Ranges. */
  get size(): number {
    return this.#from.length;
  }

  has(value: number): boolean {
    const i = this.#last(value);
    return i >= 0 && value < this.#to[i];
  }

  /** Adds a number; returns whether it was not there. */
  add(value: number): boolean {
    const i = this.#last(value);
    if (i >= 0 && value < this.#to[i]) return false;
    const joinsBelow = i >= 0 && this.#to[i] === value;
    const joinsAbove = i + 1 < this.#from.length && this.#from[i + 1] === value + 1;
    if (joinsBelow && joinsAbove) {
      this.#to[i] = this.#to[i + 1];
      this.#from.splice(i + 1, 1);
      this.#to.splice(i + 1, 1);
    } else if (joinsBelow) this.#to[i] = value + 1;
    else if (joinsAbove) this.#from[i + 1] = value;
    else {
      this.#from.splice(i + 1, 0, value);
      this.#to.splice(i + 1, 0, value + 1);
    }
    return true;
  }

  /** Adds [from, to). */
  addRange(from: number, to: number): void {
    if (to <= from) return;
    let first = this.#last(from);
    if (first < 0 || this.#to[first] < from) first++;
    let end = first;
    let low = from;
    let high = to;
    while (end < this.#from.length && this.#from[end] <= to) {
      low = Math.min(low, this.#from[end]);
      high = Math.max(high, this.#to[end]);
      end++;
    }
    this.#from.splice(first, end - first, low);
    this.#to.splice(first, end - first, high);
  }

  /** Forgets the lowest range; returns where the next one begins. */
  dropLowest(): number {
    this.#from.shift();
    const end = this.#to.shift() ?? 0;
    return this.#from[0] ?? end;
  }

  /** `[from, to, from, to, …]` */
  flat(): number[] {
    return this.#from.flatMap((from, i) => [from, this.#to[i]]);
  }

  /** The last range that begins at or below `value`; -1 when there is none. */
  #last(value: number): number {
    let low = 0;
    let high = this.#from.length;
    if (high > 0 && this.#from[high - 1] <= value) return high - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#from[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
