const MAX_ID = 65_535;

/** Packet ids of one connection, 1 to 65,535: none is given out again before it is free (MQTT 5, section 2.2.1). */
export class PacketIds {
  readonly #used = new Uint8Array(MAX_ID + 1);
  #last = 0;
  #free = MAX_ID;

  /** @returns null when all are in use */
  allocate(): number | null {
    if (this.#free === 0) return null;
    do this.#last = this.#last === MAX_ID ? 1 : this.#last + 1;
    while (this.#used[this.#last] === 1);
    this.#used[this.#last] = 1;
    this.#free--;
    return this.#last;
  }

  getLastAllocated(): number | null {
    return this.#last === 0 ? null : this.#last;
  }

  /** Takes this very id; false when it is in use. */
  register(id: number): boolean {
    if (this.#used[id] === 1) return false;
    this.#used[id] = 1;
    this.#free--;
    return true;
  }

  deallocate(id: number): void {
    if (this.#used[id] !== 1) return;
    this.#used[id] = 0;
    this.#free++;
  }

  clear(): void {
    this.#used.fill(0);
    this.#free = MAX_ID;
  }
}
