/**
 * What has been taken from the journal and is not passed yet, in its order: an entry, or several that go together. The
 * cursor stands at the lowest entry that is not wholly acknowledged, whatever the order of acknowledgements.
 */
export interface Slot {
  /** Of the last entry. */
  readonly offset: number;
  readonly readings: number;
  /** Messages that are not acknowledged. */
  pending: number;
}

export class Window {
  #slots: Slot[] = [];
  #head = 0;
  #cursor: number;

  /** @param cursor everything below has been passed */
  constructor(cursor: number) {
    this.#cursor = cursor;
  }

  /** Everything below has been acknowledged, or is nothing to be published. */
  get cursor(): number {
    return this.#cursor;
  }

  /** What is not passed: 0 when nothing is. */
  get size(): number {
    return this.#slots.length - this.#head;
  }

  /**
   * The next entries of the journal, in rising order.
   * @param offset of the last of them
   * @param pending how many messages they have, at least 1
   */
  push(offset: number, readings: number, pending: number): Slot {
    const slot = { offset, readings, pending };
    this.#slots.push(slot);
    return slot;
  }

  /** One of the messages was acknowledged; returns whether none is left. */
  acknowledge(slot: Slot): boolean {
    slot.pending--;
    if (slot.pending > 0) return false;
    this.#settle();
    return true;
  }

  /** The journal has been read up to here and holds nothing more; counts when nothing is left to be acknowledged. */
  reached(offset: number): void {
    if (this.size === 0 && offset > this.#cursor) this.#cursor = offset;
  }

  #settle(): void {
    while (this.#head < this.#slots.length && this.#slots[this.#head].pending === 0) {
      this.#cursor = this.#slots[this.#head].offset + 1;
      this.#head++;
    }
    if (this.#head > 1024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
  }
}
