/** The virtual board's USB port: what `firmware/native/usb` has in C, and the host's end of the cable. */

/** As on the board: what the host has not taken yet. */
const OUT_BYTES = 4096;
/** What a host may have sent that the board has not taken: more than any one message. */
const IN_BYTES = 8192;

/** Bytes on their way, in order; bounded. */
class Pipe {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(maxBytes: number) {
    this.#bytes = new Uint8Array(maxBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes all or nothing. */
  push(source: Uint8Array, from: number, to: number): boolean {
    if (to - from > this.#bytes.length - this.#length) return false;
    this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length += to - from;
    return true;
  }

  /** @returns bytes taken */
  shift(target: Uint8Array): number {
    const taken = Math.min(target.length, this.#length);
    target.set(this.#bytes.subarray(0, taken));
    this.#bytes.copyWithin(0, taken, this.#length);
    this.#length -= taken;
    return taken;
  }

  clear(): void {
    this.#length = 0;
  }
}

/** The first three functions are fields, so that the object stands for the module. */
export class VirtualUsb {
  readonly #in = new Pipe(IN_BYTES);
  readonly #out = new Pipe(OUT_BYTES);
  #open = false;
  #openings = 0;

  readonly opened = (): number => (this.#open ? this.#openings : 0);

  readonly read = (target: Uint8Array): number => this.#in.shift(target);

  readonly write = (source: Uint8Array, from: number, to: number): boolean => {
    if (!(from >= 0 && from <= to && to <= source.length)) throw new RangeError('usb: outside of the data');
    return this.#open && this.#out.push(source, from, to);
  };

  /** A program on the host opens the port; it gets nothing of what was meant for the one before. */
  open(): void {
    this.#out.clear();
    this.#open = true;
    this.#openings++;
  }

  /** The program closes it, or the board is gone from the bus. */
  close(): void {
    this.#open = false;
    this.#in.clear();
    this.#out.clear();
  }

  /** The host sends. @returns false: no room, or the port is closed; then nothing was taken */
  put(bytes: Uint8Array): boolean {
    return this.#open && this.#in.push(bytes, 0, bytes.length);
  }

  /** The host takes all that has come. */
  take(): Uint8Array {
    const taken = new Uint8Array(this.#out.length);
    this.#out.shift(taken);
    return taken;
  }
}
