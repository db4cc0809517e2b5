/**
 * Stands between the `mqtt` package and its connection: PUBLISH and PUBACK, which go by in numbers, are written and read
 * here; everything else (CONNECT, SUBSCRIBE, pings, DISCONNECT) passes through to the package and from it. What the package
 * spends on each message is more than verifying and journalling it costs.
 */
import { Duplex } from 'node:stream';
import {
  type PacketLength,
  PUBACK,
  PUBLISH,
  type Publish,
  packetLength,
  publishBound,
  readPublish,
  writePublish,
} from './mqtt-packets.js';

/** Packets of one turn are written together, from buffers of this size. */
const OUT_BYTES = 64 * 1024;
const CONNACK = 2;
const NOTHING: Buffer = Buffer.alloc(0);

export interface MqttStreamHandler {
  /** A PUBLISH. @returns false when no further one may come before `resumePublishes` */
  publish(message: Publish): boolean;
  /** A PUBACK. @param reason 0x80 and more: the broker did not take the message */
  puback(id: number, reason: number): void;
}

export class MqttStream extends Duplex {
  readonly #socket: Duplex;
  readonly #five: boolean;
  readonly #maxPacketBytes: number;
  readonly #handler: MqttStreamHandler;
  readonly #length: PacketLength = { bytes: 0, headBytes: 0 };
  /** Of the last packet, what has come so far. */
  #rest: Buffer = NOTHING;
  /** Nothing more is read: the handler is busy, or the package is still to hear of CONNACK. */
  #held = false;
  #reading = false;
  #out: Buffer = NOTHING;
  #outFrom = 0;
  #outTo = 0;
  #flushing = false;

  /** @param socket connected, or connecting; closed with this stream */
  constructor(socket: Duplex, five: boolean, maxPacketBytes: number, handler: MqttStreamHandler) {
    super({ autoDestroy: true, emitClose: true });
    this.#socket = socket;
    this.#five = five;
    this.#maxPacketBytes = maxPacketBytes;
    this.#handler = handler;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', error => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The handler takes messages again; also to be called once the package has seen CONNACK. */
  resumePublishes(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#read();
    if (!this.#held) this.#socket.resume();
  }

  /** Queues a PUBLISH of QoS 1; it is written at the end of this turn. */
  sendPublish(message: Parameters<typeof writePublish>[2]): void {
    const room = publishBound(message.topic, message.properties, message.payload);
    if (this.#outTo + room > this.#out.length) {
      this.#flush();
      this.#out = Buffer.allocUnsafeSlow(Math.max(OUT_BYTES, room));
      this.#outFrom = 0;
      this.#outTo = 0;
    }
    this.#outTo = writePublish(this.#out, this.#outTo, message);
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => this.#flush());
  }

  /** Writes PUBACKs, whole packets. */
  sendPubacks(bytes: Uint8Array): void {
    this.#flush();
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  override _read(): void {
    // Everything is pushed as it comes: what the package gets is a few bytes a minute.
  }

  /**
   * Done at once, not when the socket has it: the package writes a packet in pieces, and a piece that waited would have
   * our own packets go out in the middle of its packet.
   */
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#flush();
    if (this.#socket.writable) this.#socket.write(chunk);
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#flush();
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#rest = NOTHING;
    this.#held = true;
    this.#socket.destroy();
    done(error);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#outTo === this.#outFrom) return;
    const bytes = this.#out.subarray(this.#outFrom, this.#outTo);
    this.#outFrom = this.#outTo;
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#read();
  }

  #read(): void {
    if (this.#reading) return; // called from within a handler: the loop below goes on
    this.#reading = true;
    const bytes = this.#rest;
    let at = 0;
    while (!this.#held && !this.destroyed) {
      packetLength(bytes, at, this.#length);
      const length = this.#length.bytes;
      if (length < 0 || length > this.#maxPacketBytes) {
        this.#broken(length < 0 ? 'a length that is none' : `a packet of ${length} bytes`);
        break;
      }
      if (length === 0 || at + length > bytes.length) break;
      this.#packet(bytes, at, at + length, this.#length.headBytes);
      at += length;
    }
    this.#reading = false;
    if (this.destroyed) return;
    this.#rest = at === bytes.length ? NOTHING : bytes.subarray(at);
    if (this.#held) this.#socket.pause();
  }

  #packet(bytes: Buffer, at: number, end: number, headBytes: number): void {
    const type = bytes[at] >> 4;
    if (type === PUBLISH) {
      const message = readPublish(bytes, at, headBytes, end, this.#five);
      if (message === undefined) this.#broken('a PUBLISH that is malformed');
      else if (!this.#handler.publish(message)) this.#held = true;
    } else if (type === PUBACK) {
      const from = at + headBytes;
      if (end - from < 2) this.#broken('a PUBACK that is malformed');
      else this.#handler.puback(bytes.readUInt16BE(from), end - from > 2 ? bytes[from + 2] : 0);
    } else {
      // With a session that is resumed, messages follow at once: they wait until the package knows of the connection.
      if (type === CONNACK) this.#held = true;
      this.push(bytes.subarray(at, end));
    }
  }

  #broken(what: string): void {
    this.destroy(new Error(`the broker sent ${what}`));
  }
}
