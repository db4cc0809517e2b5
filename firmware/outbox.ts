import type { Wire } from './ports.js';
import { FrameEncoder } from './seal/index.js';

/** Puts messages into frames and onto the wire. */
export class Outbox {
  readonly #wire: Wire;
  readonly #frames: FrameEncoder;
  readonly #delimiter = new Uint8Array(1);

  /** @param maxBodyBytes the longest message or envelope */
  constructor(wire: Wire, maxBodyBytes: number) {
    this.#wire = wire;
    this.#frames = new FrameEncoder(maxBodyBytes);
  }

  /** Ends whatever half a frame the other side may have of us. */
  delimit(): void {
    this.#wire.send(this.#delimiter, 0, 1);
  }

  /** @returns false when the wire has no room now, or the body is empty or too long */
  post(type: number, body: Uint8Array, from: number, to: number): boolean {
    if (to <= from) return false;
    const length = this.#frames.encode(type, body, from, to);
    return length > 0 && this.#wire.send(this.#frames.buffer, 0, length);
  }
}
