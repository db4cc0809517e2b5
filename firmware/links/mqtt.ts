/**
 * A link over a local MQTT broker, with the SDK's client (`embedded:network/mqtt/client`): bytes up in messages on
 * `sovereign/link/<device>/up`, bytes down from `sovereign/link/<device>/down`, QoS 0. What the broker drops, the
 * session on top sends again.
 *
 * The client's typings say `onControl(opcode, message)`, its code calls `onControl(message)`: both are understood.
 */
import { type DialedIO, Dialer, type DialerPorts } from './dialer.js';
import type { LinkEvents } from './link.js';

export interface MqttWriteOptions {
  readonly operation?: number;
  readonly topic: string;
  readonly QoS?: number;
  readonly items?: { readonly topic: string; readonly QoS: number }[];
}

/** What this needs of the SDK's MQTT client. */
export interface MqttIO extends DialedIO {
  /** Throws when the message does not fit what is writable. @returns bytes of a message that it takes now */
  write(data: Uint8Array, options: MqttWriteOptions): unknown;
}

export interface MqttControl {
  readonly operation: number;
  readonly payload?: ArrayLike<number> | ArrayBufferView | ArrayBuffer;
}

export interface MqttCallbacks {
  readonly onReadable: (bytes: number) => void;
  readonly onWritable: (bytes: number) => void;
  // biome-ignore lint/suspicious/noExplicitAny: the typings and the code of the SDK differ
  readonly onControl: (first: any, second?: any) => void;
  readonly onClose: () => void;
  readonly onError: () => void;
}

export interface MqttPorts extends DialerPorts {
  /** Begins to connect, with a client id of the device's own and a clean session; may throw. */
  readonly open: (on: MqttCallbacks) => MqttIO;
}

const SUBSCRIBE = 8;
const SUBACK = 9;
/** What a message takes besides topic and payload: type, length, the topic's length, and a margin. */
const HEAD_BYTES = 16;
const MAX_PAYLOAD_BYTES = 1024;
const REFUSED = 0x80;

export class MqttLink extends Dialer<MqttIO> {
  readonly #ports: MqttPorts;
  readonly #down: string;
  readonly #publish: MqttWriteOptions;
  readonly #payload = new Uint8Array(MAX_PAYLOAD_BYTES);
  #subscribed = false;

  /** @param device its id, 16 hex digits */
  constructor(ports: MqttPorts, device: string, events: LinkEvents) {
    super(ports, events);
    this.#ports = ports;
    this.#down = `sovereign/link/${device}/down`;
    this.#publish = { topic: `sovereign/link/${device}/up`, QoS: 0 };
  }

  protected override dial(): void {
    const { attempt } = this;
    this.#subscribed = false;
    const ours = () => attempt === this.attempt;
    this.io = this.#ports.open({
      onReadable: bytes => {
        if (ours()) this.readable(bytes);
      },
      onWritable: bytes => {
        if (!ours()) return;
        this.room = bytes;
        // The client speaks of room only once the broker has accepted it.
        if (!this.#subscribed) this.#subscribe();
        else if (this.connected) this.flush();
      },
      onControl: (first, second) => {
        const message: MqttControl | undefined = typeof first === 'object' ? first : second;
        if (ours() && message?.operation === SUBACK) this.#granted(message);
      },
      onClose: () => {
        if (ours()) this.failed();
      },
      onError: () => {
        if (ours()) this.failed();
      },
    });
  }

  /** Several frames go out as one message: they are gathered until the next poll. */
  protected override taken(): void {
    this.wake();
  }

  protected override write(): void {
    const { output } = this;
    while (this.io !== undefined && output.length > 0) {
      const room = this.room - HEAD_BYTES - this.#publish.topic.length;
      const length = Math.min(room, output.length, MAX_PAYLOAD_BYTES);
      if (length <= 0) return;
      const payload = this.#payload.subarray(0, length);
      output.peek(payload);
      let left: unknown;
      try {
        left = this.io.write(payload, this.#publish);
      } catch {
        this.room = 0; // it takes less than it said; it says again when it takes more
        return;
      }
      output.drop(length);
      this.moved();
      this.room = typeof left === 'number' ? left : 0;
    }
  }

  #subscribe(): void {
    const topic = this.#down;
    if (this.io === undefined || this.room < HEAD_BYTES + topic.length) return;
    this.#subscribed = true;
    try {
      const left = this.io.write(new Uint8Array(0), {
        operation: SUBSCRIBE,
        topic,
        items: [{ topic, QoS: 0 }],
      });
      this.room = typeof left === 'number' ? left : 0;
    } catch {
      this.failed();
    }
  }

  #granted({ payload }: MqttControl): void {
    const bytes = payload as ArrayLike<number> | undefined;
    if (bytes !== undefined && bytes.length > 0 && bytes[0] >= REFUSED) this.failed();
    else this.opened();
  }
}
