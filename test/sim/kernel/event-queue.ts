/** Something that will happen. */
export class Scheduled {
  /** Where it stands in the queue's heap; -1: not any more. */
  place = -1;

  constructor(
    readonly timeMs: number,
    /** Breaks ties: first come, first served. */
    readonly order: number,
    readonly run: () => void,
    readonly queue: EventQueue,
  ) {}

  cancel(): void {
    if (this.place >= 0) this.queue.remove(this);
  }
}

/** A binary heap by (time, order). */
export class EventQueue {
  readonly #heap: Scheduled[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  get first(): Scheduled | undefined {
    return this.#heap[0];
  }

  add(timeMs: number, run: () => void): Scheduled {
    const event = new Scheduled(timeMs, this.#order++, run, this);
    this.#heap.push(event);
    this.#rise(event, this.#heap.length - 1);
    return event;
  }

  remove(event: Scheduled): void {
    const heap = this.#heap;
    const { place } = event;
    const last = heap.pop()!;
    event.place = -1;
    if (last === event) return;
    this.#rise(last, place);
    this.#sink(last, last.place);
  }

  #rise(event: Scheduled, from: number): void {
    const heap = this.#heap;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!before(event, heap[parent])) break;
      this.#put(heap[parent], place);
      place = parent;
    }
    this.#put(event, place);
  }

  #sink(event: Scheduled, from: number): void {
    const heap = this.#heap;
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], event)) break;
      this.#put(heap[child], place);
      place = child;
    }
    this.#put(event, place);
  }

  #put(event: Scheduled, place: number): void {
    this.#heap[place] = event;
    event.place = place;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}
