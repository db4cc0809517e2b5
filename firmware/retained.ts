import { Losses } from './losses.js';
import type { Observer } from './ports.js';
import { CborReader, equalBytes, SHORT_TAG_BYTES, TAG_BYTES } from './seal/index.js';
import type { Sender } from './sender.js';
import type { Backlog } from './store/backlog.js';

/** In an envelope: where the payload's head begins. */
const PAYLOAD_AT = 16;

/**
 * What is sealed and not receipted, and the only ways out: a receipt that names the very envelope that is held,
 * or the one before it; a refusal that does; a full backlog; and a memory that no longer has it. The last three
 * are losses, counted and named.
 */
export class Retained {
  readonly losses = new Losses();
  /** Receipts that named another envelope than the one held. */
  mismatched = 0;
  /** Receipts that freed something. */
  receipts = 0;
  readonly #backlog: Backlog;
  readonly #sender: Sender;
  readonly #observer: Observer | undefined;
  readonly #reader = new CborReader();

  constructor(backlog: Backlog, sender: Sender, observer?: Observer) {
    this.#backlog = backlog;
    this.#sender = sender;
    this.#observer = observer;
  }

  /** Readings held. */
  get count(): number {
    return this.#backlog.count - this.#backlog.removed;
  }

  /** Selects the oldest reading held. @returns false when none is */
  oldest(): boolean {
    const backlog = this.#backlog;
    while (backlog.select(0)) {
      if (backlog.to > backlog.from) return true;
      // Its place is known, its bytes are not there any more.
      this.#lose();
    }
    return false;
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
    const backlog = this.#backlog;
    const index = this.#find(epoch, seq);
    if (index >= 0) {
      if (!this.#tagged(bytes, tag8At)) {
        this.mismatched++;
        return false;
      }
    } else if (!this.#linked(epoch, seq + 1, bytes, tag8At)) return false;
    let freed = false;
    while (backlog.select(0) && before(backlog.epoch, backlog.seq, epoch, seq + 1)) {
      freed = true;
      const { buffer, from, to } = backlog;
      if (to > from) this.#observer?.receipted(backlog.epoch, backlog.seq, buffer, from, to);
      this.#leave(epoch, seq);
    }
    if (!freed) return false;
    this.receipts++;
    this.losses.receipted(epoch, seq);
    return true;
  }

  /** The gateway will never take this one. @returns whether it was held */
  refuse(epoch: number, seq: number, bytes: Uint8Array, tag8At: number): boolean {
    const index = this.#find(epoch, seq);
    if (index < 0 || !this.#tagged(bytes, tag8At)) return false;
    if (index === 0) this.#lose();
    else {
      // No room to remember it: the gateway will refuse it again.
      if (!this.#backlog.remove(index)) return false;
      this.#count(epoch, seq, seq);
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

  /**
   * Whether (epoch, seq) is held and was sealed after the reading with this tag: then that one is of this
   * device's own chain, though its bytes are gone, and so is all before it.
   */
  #linked(epoch: number, seq: number, bytes: Uint8Array, tag8At: number): boolean {
    if (this.#find(epoch, seq) < 0) return false;
    const { buffer, from, to } = this.#backlog;
    const reader = this.#reader;
    reader.reset(buffer, from + PAYLOAD_AT, to);
    reader.data();
    reader.reset(buffer, reader.start, reader.stop);
    reader.map();
    for (let key = reader.uint(); reader.ok && key < 5; key = reader.uint()) reader.uint();
    const at = reader.fixed(SHORT_TAG_BYTES);
    return reader.ok && equalBytes(buffer, at, bytes, tag8At, SHORT_TAG_BYTES);
  }

  #lose(): void {
    const { epoch, seq } = this.#backlog;
    this.#leave(-1, -1);
    this.#count(epoch, seq, seq);
  }

  #count(epoch: number, first: number, last: number): void {
    this.losses.add(epoch, first, last);
    for (let seq = first; seq <= last; seq++) this.#observer?.lost(epoch, seq);
  }

  /**
   * The oldest, which is selected, goes, and what was removed behind it. What then is missing before the next
   * one is lost, unless it comes before or at (epoch, seq): that is receipted.
   */
  #leave(epoch: number, seq: number): void {
    const backlog = this.#backlog;
    const bytes = backlog.to - backlog.from;
    const held = backlog.count;
    const left = backlog.epoch;
    const lastSeq = backlog.seq;
    backlog.shift();
    const entries = held - backlog.count;
    this.#sender.leaving(entries, bytes);
    if (!backlog.select(0) || backlog.epoch !== left) return;
    let expected = lastSeq + entries;
    if (backlog.seq === expected) return;
    if (left === epoch && expected <= seq) expected = seq + 1;
    if (backlog.seq > expected) this.#count(left, expected, backlog.seq - 1);
  }
}

function before(epoch: number, seq: number, otherEpoch: number, otherSeq: number): boolean {
  return epoch < otherEpoch || (epoch === otherEpoch && seq < otherSeq);
}
