/** Messages to a device, numbered within their session. One instance serves all links: sending copies. */
import {
  FrameEncoder,
  FrameType,
  MAX_MESSAGE_BYTES,
  type Mac,
  MessageWriter,
  type Receipted,
  RefuseReason,
  type SessionNonces,
} from '../../firmware/seal/index.js';
import type { Link } from '../ports.js';

/** The part of a session that messages down need. */
export interface Addressee {
  readonly link: Link;
  readonly idBytes: Uint8Array;
  readonly nonces: SessionNonces;
  readonly downMac: Mac;
  /** The number of the last message; rises by one with each. */
  counter: number;
}

export class DownWriter {
  readonly #writer = new MessageWriter();
  readonly #encoder = new FrameEncoder(MAX_MESSAGE_BYTES);

  challenge(link: Link, gatewayNonce: Uint8Array): void {
    this.#send(link, FrameType.challenge, this.#writer.challenge(gatewayNonce));
  }

  receipt(to: Addressee, position: Receipted | undefined): void {
    const length = this.#writer.receipt(to.downMac, to.idBytes, to.nonces, ++to.counter, position);
    this.#send(to.link, FrameType.down, length);
  }

  time(to: Addressee, requestNonce: Uint8Array, unixMs: number): void {
    const length = this.#writer.time(
      to.downMac,
      to.idBytes,
      to.nonces,
      ++to.counter,
      requestNonce,
      Math.floor(unixMs),
    );
    this.#send(to.link, FrameType.down, length);
  }

  refuse(to: Addressee, refused: Receipted): void {
    const length = this.#writer.refuse(
      to.downMac,
      to.idBytes,
      to.nonces,
      ++to.counter,
      refused,
      RefuseReason.fork,
    );
    this.#send(to.link, FrameType.down, length);
  }

  advance(to: Addressee, epoch: number): void {
    const length = this.#writer.advance(to.downMac, to.idBytes, to.nonces, ++to.counter, epoch);
    this.#send(to.link, FrameType.down, length);
  }

  /** `settings`: at most `MAX_SETTINGS_BYTES`, so that they fit. */
  config(to: Addressee, version: number, settings: Uint8Array): void {
    const length = this.#writer.config(to.downMac, to.idBytes, to.nonces, ++to.counter, version, settings);
    this.#send(to.link, FrameType.down, length);
  }

  #send(link: Link, type: number, length: number): void {
    if (length === 0) throw new Error(`a message of type ${type} could not be written`);
    const { buffer, start } = this.#writer;
    const framed = this.#encoder.encode(type, buffer, start, start + length);
    link.send(this.#encoder.buffer.subarray(0, framed));
  }
}
