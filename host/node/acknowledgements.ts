/**
 * Sends the PUBACKs of messages that are handled side by side, in the order of their arrival (MQTT 5, section
 * 4.6): what is done early waits for what came before it.
 */
export class Acknowledgements {
  readonly #maxHandled: number;
  readonly #write: (bytes: Uint8Array) => void;
  /** A ring would do no better: entries leave from the head in runs. */
  #waiting: Waiting[] = [];
  #head = 0;
  #goOn: (() => void) | undefined;
  #flushing = false;
  #stopped = false;

  /**
   * @param maxHandled how many unacknowledged messages are taken before the next one has to wait
   * @param write sends bytes to the broker
   */
  constructor(maxHandled: number, write: (bytes: Uint8Array) => void) {
    this.#maxHandled = maxHandled;
    this.#write = write;
  }

  /**
   * @param id packet id; undefined when the message wants no PUBACK
   * @param handled resolves when the message may be acknowledged
   * @param goOn called when the next message may come: at once, or when there is room
   * @param failed called when `handled` rejects; nothing from this message on is acknowledged any more
   */
  add(
    id: number | undefined,
    handled: Promise<void>,
    goOn: () => void,
    failed: (error: unknown) => void,
  ): void {
    const waiting: Waiting = { id, done: false };
    this.#waiting.push(waiting);
    handled.then(
      () => {
        waiting.done = true;
        if (!this.#flushing) {
          this.#flushing = true;
          // After all promises that resolve in this turn: one write for a whole batch.
          process.nextTick(() => this.#flush());
        }
      },
      error => {
        if (this.#stopped) return;
        this.stop();
        failed(error);
      },
    );
    if (this.#waiting.length - this.#head < this.#maxHandled) goOn();
    else this.#goOn = goOn;
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#head = 0;
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#stopped) return;
    const from = this.#head;
    while (this.#head < this.#waiting.length && this.#waiting[this.#head].done) this.#head++;
    if (this.#head > from) this.#acknowledge(from, this.#head);
    if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    const goOn = this.#goOn;
    if (goOn !== undefined && this.#waiting.length - this.#head < this.#maxHandled) {
      this.#goOn = undefined;
      goOn();
    }
  }

  #acknowledge(from: number, to: number): void {
    const bytes = new Uint8Array((to - from) * PUBACK_BYTES);
    let at = 0;
    for (let i = from; i < to; i++) {
      const { id } = this.#waiting[i];
      if (id === undefined) continue;
      bytes[at] = 0x40;
      bytes[at + 1] = 2;
      bytes[at + 2] = id >> 8;
      bytes[at + 3] = id & 0xff;
      at += PUBACK_BYTES;
    }
    if (at > 0) this.#write(bytes.subarray(0, at));
  }
}

interface Waiting {
  id: number | undefined;
  done: boolean;
}

const PUBACK_BYTES = 4;
