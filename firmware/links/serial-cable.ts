import type { Cable } from '../board.js';

/** What is used of an ECMA-419 Serial. */
export interface SerialIo {
  read(bytes: number): ArrayBuffer | undefined;
  write(bytes: Uint8Array): void;
}

export interface SerialCallbacks {
  readonly onReadable: (bytes: number) => void;
  readonly onWritable: (bytes: number) => void;
}

const RING_BYTES = 4096;

/**
 * A UART as a cable. Opens the port with the callbacks given: `open(callbacks)` is
 * `new Serial({ port, receive, transmit, baud, format: 'buffer', ...callbacks })`. Give it both pins.
 */
export class SerialCable implements Cable {
  /** Bytes that came and found no room; the frames that they were part of are sent again. */
  overrunBytes = 0;
  readonly #io: SerialIo;
  readonly #in = new Ring(RING_BYTES);
  readonly #out = new Ring(RING_BYTES);
  #room = 0;

  constructor(open: (callbacks: SerialCallbacks) => SerialIo) {
    this.#io = open({
      onReadable: bytes => this.#readable(bytes),
      onWritable: bytes => {
        this.#room = bytes;
        // The first call may come before `open` has returned.
        if (this.#io !== undefined) this.#drain();
      },
    });
    this.#drain();
  }

  opened(): number {
    return 1;
  }

  read(target: Uint8Array): number {
    return this.#in.take(target);
  }

  send(buffer: Uint8Array, from: number, to: number): boolean {
    if (to - from > this.#out.room) return false;
    this.#out.put(buffer, from, to);
    this.#drain();
    return true;
  }

  #readable(bytes: number): void {
    const buffer = bytes > 0 ? this.#io.read(bytes) : undefined;
    if (buffer === undefined) return;
    const came = new Uint8Array(buffer);
    const taken = Math.min(came.length, this.#in.room);
    this.overrunBytes += came.length - taken;
    this.#in.put(came, 0, taken);
  }

  #drain(): void {
    while (this.#room > 0 && this.#out.used > 0) {
      const piece = this.#out.piece(this.#room);
      this.#io.write(piece);
      this.#room -= piece.length;
      this.#out.drop(piece.length);
    }
  }
}

class Ring {
  used = 0;
  readonly #bytes: Uint8Array;
  #head = 0;

  constructor(capacityBytes: number) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  get room(): number {
    return this.#bytes.length - this.used;
  }

  put(source: Uint8Array, from: number, to: number): void {
    const { length } = this.#bytes;
    let at = (this.#head + this.used) % length;
    for (let i = from; i < to; i++) {
      this.#bytes[at] = source[i];
      at = at + 1 === length ? 0 : at + 1;
    }
    this.used += to - from;
  }

  /** The oldest bytes, as far as they lie in one piece. */
  piece(maxBytes: number): Uint8Array {
    const bytes = Math.min(maxBytes, this.used, this.#bytes.length - this.#head);
    return this.#bytes.subarray(this.#head, this.#head + bytes);
  }

  drop(bytes: number): void {
    this.#head = (this.#head + bytes) % this.#bytes.length;
    this.used -= bytes;
  }

  take(target: Uint8Array): number {
    let taken = 0;
    while (taken < target.length && this.used > 0) {
      const piece = this.piece(target.length - taken);
      target.set(piece, taken);
      taken += piece.length;
      this.drop(piece.length);
    }
    return taken;
  }
}
