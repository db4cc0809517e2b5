/** Envelopes of devices that the keyring does not have (yet), in the order they came. */
export interface HeldEnvelope {
  readonly number: number;
  readonly device: string;
  readonly site: string;
  readonly bytes: Uint8Array;
}

export interface HeldLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
}

export class Held {
  readonly #limits: HeldLimits;
  readonly #held = new Map<number, HeldEnvelope>();
  readonly #perDevice = new Map<string, number>();
  #bytes = 0;
  #next = 1;

  constructor(limits: HeldLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#held.size;
  }

  has(device: string): boolean {
    return this.#perDevice.has(device);
  }

  /** Whether these very bytes are held. */
  includes(device: string, bytes: Uint8Array): boolean {
    if (!this.has(device)) return false;
    for (const held of this.#held.values()) {
      if (held.device === device && Buffer.compare(held.bytes, bytes) === 0) return true;
    }
    return false;
  }

  /**
   * @param number as it was given when it was first held; absent for a new one
   * @returns the envelope as held, and those that had to go for it, the oldest first
   */
  add(
    device: string,
    site: string,
    bytes: Uint8Array,
    number: number = this.#next,
  ): { added: HeldEnvelope; dropped: HeldEnvelope[] } {
    const added = { number, device, site, bytes };
    this.remove(number); // two state files may speak of the same one
    this.#next = Math.max(this.#next, number + 1);
    this.#held.set(number, added);
    this.#perDevice.set(device, (this.#perDevice.get(device) ?? 0) + 1);
    this.#bytes += bytes.length;
    const dropped: HeldEnvelope[] = [];
    for (const held of this.#held.values()) {
      if (this.#held.size <= this.#limits.maxCount && this.#bytes <= this.#limits.maxBytes) break;
      this.remove(held.number);
      dropped.push(held);
    }
    return { added, dropped };
  }

  remove(number: number): void {
    const held = this.#held.get(number);
    if (held === undefined) return;
    this.#held.delete(number);
    this.#bytes -= held.bytes.length;
    const left = this.#perDevice.get(held.device)! - 1;
    if (left === 0) this.#perDevice.delete(held.device);
    else this.#perDevice.set(held.device, left);
  }

  /** Of one device, or all of them. */
  list(device?: string): HeldEnvelope[] {
    const all = [...this.#held.values()];
    return device === undefined ? all : all.filter(held => held.device === device);
  }
}
