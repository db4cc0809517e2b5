import { Losses } from './losses.js';
import type { Observer } from './ports.js';
import { equalBytes, SHORT_TAG_BYTES, TAG_BYTES } from './seal/index.js';
import type { Sender } from './sender.js';
import type { Backlog } from './store/backlog.js';

/**
 * What is sealed and not receipted, and the only three ways out: a receipt that names the very envelope that
 * is held, a refusal that does, and a full backlog. The last two are losses, counted and named.
 */
export class Retained {
  readonly losses = new Losses();
  /** Receipts that named another envelope than the one held. */
  mismatched = 0;
  readonly #backlog: Backlog;
  readonly #sender: Sender;
  readonly #observer: Observer | undefined;
  #removed = 0;

  constructor(backlog: Backlog, sender: Sender, observer?: Observer) {
    this.#backlog = backlog;
    this.#sender = sender;
    this.#observer = observer;
  }

  /** Readings held. */
  get count(): number {
    return this.#backlog.count - this.#removed;
  }

  /** Retains what was just sealed; the oldest readings make room. */
  add(epoch: number, seq: number, kind: number, buffer: Uint8Array, from: number, to: number): void {
    const backlog = this.#backlog;
    while (!backlog.push(epoch, seq, buffer, from, to)) {
      if (!backlog.select(0)) throw new Error('backlog: too small for one envelope');
      this.#lose();
    }
    this.#observer?.sealed(epoch, seq, kind, buffer, from, to);
  }

  /**
   * The gateway has everything up to (epoch, seq) on disk, the last of it with the tag at `bytes[tag8At …]`.
   * @returns whether anything was freed
   */
  receipted(epoch: number, seq: number, bytes: Uint8Array, tag8At: number): boolean {
    const index = this.#find(epoch, seq);
    if (index < 0) return false;
    if (!this.#tagged(bytes, tag8At)) {
      this.mismatched++;
      return false;
    }
    const backlog = this.#backlog;
    while (backlog.select(0) && before(backlog.epoch, backlog.seq, epoch, seq + 1)) {
      this.#observer?.receipted(backlog.epoch, backlog.seq, backlog.buffer, backlog.from, backlog.to);
      this.#leave();
    }
    this.losses.receipted(epoch, seq);
    return true;
  }

  /** The gateway will never take this one. @returns whether it was held */
  refuse(epoch: number, seq: number, bytes: Uint8Array, tag8At: number): boolean {
    const index = this.#find(epoch, seq);
    if (index < 0 || !this.#tagged(bytes, tag8At)) return false;
    if (index === 0) this.#lose();
    else {
      this.#backlog.remove(index);
      this.#removed++;
      this.#count(epoch, seq);
    }
    return true;
  }

  /** Nobody will ever take what is held up to (epoch, seq). */
  giveUp(epoch: number, seq: number): void {
    const backlog = this.#backlog;
    while (backlog.select(0) && before(backlog.epoch, backlog.seq, epoch, seq + 1)) this.#lose();
  }

  /** The index of an entry that still has its bytes, which is then selected; -1 when there is none. */
  #find(epoch: number, seq: number): number {
    const backlog = this.#backlog;
    // Within an epoch, neighbours differ by one: usually the first guess is right.
    if (!backlog.select(0)) return -1;
    let index = backlog.epoch === epoch && backlog.seq <= seq ? seq - backlog.seq : 0;
    if (backlog.select(index) && backlog.epoch === epoch && backlog.seq === seq) {
      return backlog.to > backlog.from ? index : -1;
    }
    index = 0;
    while (backlog.select(index) && before(backlog.epoch, backlog.seq, epoch, seq)) index++;
    const found = backlog.select(index) && backlog.epoch === epoch && backlog.seq === seq;
    return found && backlog.to > backlog.from ? index : -1;
  }

  #tagged(bytes: Uint8Array, tag8At: number): boolean {
    const { buffer, to } = this.#backlog;
    return equalBytes(buffer, to - TAG_BYTES, bytes, tag8At, SHORT_TAG_BYTES);
  }

  #lose(): void {
    const { epoch, seq } = this.#backlog;
    this.#leave();
    this.#count(epoch, seq);
  }

  #count(epoch: number, seq: number): void {
    this.losses.add(epoch, seq);
    this.#observer?.lost(epoch, seq);
  }

  /** The oldest, which is selected, goes, and what was removed behind it. */
  #leave(): void {
    const backlog = this.#backlog;
    const bytes = backlog.to - backlog.from;
    const held = backlog.count;
    backlog.shift();
    const left = held - backlog.count;
    this.#removed -= left - 1;
    this.#sender.leaving(left, bytes);
  }
}

function before(epoch: number, seq: number, otherEpoch: number, otherSeq: number): boolean {
  return epoch < otherEpoch || (epoch === otherEpoch && seq < otherSeq);
}
