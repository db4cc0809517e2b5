/**
 * Frames: what a byte stream between a device and a gateway is cut into.
 *
 *   frame = COBS(type: 1 byte || body || CRC-32 of type and body: 4 bytes, big-endian) || 00
 *
 * A zero ends a frame and stands nowhere else, so a receiver is in step again at the next zero whatever came
 * before. The checksum tells noise, which is counted, from forgery, which the seal finds and the gateway keeps
 * as evidence. Between two zeros come at most 4,096 bytes; nothing between them is nothing at all, so a sender
 * may put a zero in front, and does so first on a link whose past it does not know.
 */
import { cobsBound, cobsEncode } from './cobs.js';
import { Crc32 } from './crc32.js';
import { FRAME_OVERHEAD_BYTES, MAX_BODY_BYTES, MAX_FRAME_BYTES } from './limits.js';

/** Makes frames in one buffer that the next frame reuses. */
export class FrameEncoder {
  /** The frame is `buffer[0, length)` until the next `encode`. */
  readonly buffer: Uint8Array;
  readonly #maxBodyBytes: number;
  readonly #crc: Crc32;

  /** @param maxBodyBytes the longest body, up to 4,074 */
  constructor(maxBodyBytes: number = MAX_BODY_BYTES, crc: Crc32 = new Crc32()) {
    if (!(maxBodyBytes >= 0 && maxBodyBytes <= MAX_BODY_BYTES)) {
      throw new RangeError(`maxBodyBytes must be 0 to ${MAX_BODY_BYTES}, not ${maxBodyBytes}`);
    }
    this.#maxBodyBytes = maxBodyBytes;
    this.#crc = crc;
    this.buffer = new Uint8Array(cobsBound(maxBodyBytes + FRAME_OVERHEAD_BYTES) + 1);
  }

  /** Frames `body[from, to)`; returns the length with the zero at the end, 0 when the body is too long. */
  encode(type: number, body: Uint8Array, from = 0, to: number = body.length): number {
    const size = to - from;
    if (size > this.#maxBodyBytes) return 0;
    const out = this.buffer;
    const crc = this.#crc.copy(type, body, from, to, out, 1);
    let n = size > 0 ? size + 2 : 2;
    out[n++] = crc >>> 24;
    out[n++] = (crc >>> 16) & 0xff;
    out[n++] = (crc >>> 8) & 0xff;
    out[n++] = crc & 0xff;
    return cobsEncode(out, 0, n) + 1;
  }
}

/**
 * Finds the frames in a byte stream, however it is cut into chunks and whatever stands between them. Decodes
 * as the bytes come, into one buffer; allocates nothing.
 */
export class FrameDecoder {
  /** Frames given to the callback. */
  frames = 0;
  /** What stood between two zeros and was no frame: too short, a wrong checksum, or COBS that is wrong or not the shortest. */
  noiseFrames = 0;
  /** What stood between two zeros and was longer than a frame may be. */
  oversized = 0;
  /** Bytes in `noiseFrames` and `oversized`, without the zeros. */
  noiseBytes = 0;
  readonly #frame: (type: number, buffer: Uint8Array, from: number, to: number) => void;
  readonly #crc: Crc32;
  readonly #buffer: Uint8Array;
  /** Bytes since the last zero, as received. */
  #received = 0;
  /** Bytes decoded into #buffer. */
  #decoded = 0;
  /** Bytes that the present block still claims. */
  #claimed = 0;
  /** Whether a zero stands between the last block and the next one. */
  #zeroPending = false;
  /** Whether the last block is empty and follows a full one: a frame that ends here has a shorter encoding. */
  #superfluous = false;
  readonly #maxFrameBytes: number;

  /**
   * @param frame gets each frame's type and its body, `buffer[from, to)`, which is valid during the call. It may
   *   call `reset`, not `push`.
   * @param maxFrameBytes how long a frame may be as received; a device that expects short ones saves memory
   */
  constructor(
    frame: (type: number, buffer: Uint8Array, from: number, to: number) => void,
    maxFrameBytes: number = MAX_FRAME_BYTES,
    crc: Crc32 = new Crc32(),
  ) {
    if (!(maxFrameBytes > FRAME_OVERHEAD_BYTES && maxFrameBytes <= MAX_FRAME_BYTES)) {
      throw new RangeError(`maxFrameBytes must be 6 to ${MAX_FRAME_BYTES}, not ${maxFrameBytes}`);
    }
    this.#frame = frame;
    this.#maxFrameBytes = maxFrameBytes;
    this.#crc = crc;
    this.#buffer = new Uint8Array(maxFrameBytes);
  }

  /** Takes `bytes[from, to)` of the stream and calls back for every frame that ends in it. */
  push(bytes: Uint8Array, from = 0, to: number = bytes.length): void {
    const maxBytes = this.#maxFrameBytes;
    let i = from;
    while (i < to) {
      const left = maxBytes - this.#received;
      if (left > 0 && this.#claimed > 0) {
        i = this.#copy(bytes, i, Math.min(to, i + Math.min(left, this.#claimed)));
        if (i >= to) return;
      }
      const byte = bytes[i++];
      if (byte === 0) this.#delimiter();
      else if (this.#received++ < maxBytes) this.#code(byte);
    }
  }

  /** Forgets an unfinished frame, for a stream that begins anew. The counts stay. */
  reset(): void {
    this.#received = 0;
    this.#decoded = 0;
    this.#claimed = 0;
    this.#zeroPending = false;
    this.#superfluous = false;
  }

  /** Takes what the present block claims, as far as it goes and is there. @returns where it stopped */
  #copy(bytes: Uint8Array, from: number, to: number): number {
    const buffer = this.#buffer;
    let n = this.#decoded;
    let i = from;
    let byte = 0;
    for (; i < to; ++i) {
      byte = bytes[i];
      if (byte === 0) break;
      buffer[n] = byte;
      ++n;
    }
    const taken = i - from;
    this.#received += taken;
    this.#claimed -= taken;
    this.#decoded = n;
    return i;
  }

  #code(code: number): void {
    // A zero follows every block but a full one, and the first follows none.
    this.#superfluous = code === 1 && !this.#zeroPending && this.#received > 1;
    if (this.#zeroPending) this.#buffer[this.#decoded++] = 0;
    this.#zeroPending = code !== 0xff;
    this.#claimed = code - 1;
  }

  #delimiter(): void {
    const received = this.#received;
    const decoded = this.#decoded;
    const whole = this.#claimed === 0 && decoded >= FRAME_OVERHEAD_BYTES && !this.#superfluous;
    this.reset();
    if (received === 0) return;
    if (received > this.#maxFrameBytes) {
      this.oversized++;
      this.noiseBytes += received;
    } else if (!whole || !this.#checksumRight(decoded)) {
      this.noiseFrames++;
      this.noiseBytes += received;
    } else {
      this.frames++;
      this.#frame(this.#buffer[0], this.#buffer, 1, decoded - 4);
    }
  }

  #checksumRight(decoded: number): boolean {
    const buffer = this.#buffer;
    const at = decoded - 4;
    const stated = (buffer[at] << 24) | (buffer[at + 1] << 16) | (buffer[at + 2] << 8) | buffer[at + 3];
    return stated === this.#crc.compute(buffer, 0, at);
  }
}
