/** The tags of the readings that came last, over all devices: what tells a duplicate from a fork. Not durable. */
export class RecentTags {
  readonly #max: number;
  /** By device, epoch and sequence. */
  readonly #devices = new Map<string, Map<number, Map<number, string>>>();
  /** The readings in the order in which they came, as a ring. */
  readonly #ring: (Place | undefined)[];
  #next = 0;

  constructor(max: number) {
    this.#max = max;
    this.#ring = new Array(max);
  }

  get(device: string, epoch: number, seq: number): string | undefined {
    return this.#devices.get(device)?.get(epoch)?.get(seq);
  }

  /** Remembers a reading; the one that came first of all is forgotten when there is no more room. */
  set(device: string, epoch: number, seq: number, tag8: string): void {
    const epochs = this.#devices.get(device) ?? new Map<number, Map<number, string>>();
    const tags = epochs.get(epoch) ?? new Map<number, string>();
    if (tags.size === 0) this.#devices.set(device, epochs.set(epoch, tags));
    tags.set(seq, tag8);
    const oldest = this.#ring[this.#next];
    if (oldest === undefined) this.#ring[this.#next] = { device, epoch, seq };
    else {
      this.#forget(oldest);
      oldest.device = device;
      oldest.epoch = epoch;
      oldest.seq = seq;
    }
    this.#next = (this.#next + 1) % this.#max;
  }

  #forget({ device, epoch, seq }: Place): void {
    const epochs = this.#devices.get(device);
    const tags = epochs?.get(epoch);
    if (epochs === undefined || tags === undefined) return;
    tags.delete(seq);
    if (tags.size > 0) return;
    epochs.delete(epoch);
    if (epochs.size === 0) this.#devices.delete(device);
  }
}

interface Place {
  device: string;
  epoch: number;
  seq: number;
}
