/** The tags of the readings that came last, over all devices: what tells a duplicate from a fork. Not durable. */
export class RecentTags {
  readonly #max: number;
  readonly #tags = new Map<string, string>();

  constructor(max: number) {
    this.#max = max;
  }

  get(device: string, epoch: number, seq: number): string | undefined {
    return this.#tags.get(`${device}/${epoch}/${seq}`);
  }

  set(device: string, epoch: number, seq: number, tag8: string): void {
    this.#tags.set(`${device}/${epoch}/${seq}`, tag8);
    if (this.#tags.size > this.#max)
      for (const oldest of this.#tags.keys()) return void this.#tags.delete(oldest);
  }
}
