/**
 * The `mqtt` package under the interface of the SDK's MQTT client: `onControl` with one argument, as its code calls
 * it, room that is spoken of once the broker has accepted, payloads that are read by count.
 */
import mqtt, { type MqttClient } from 'mqtt';
import type { MqttCallbacks, MqttIO, MqttWriteOptions } from '../../firmware/links/mqtt.js';

const ROOM = 2000;

export class EmbeddedMqtt implements MqttIO {
  readonly #client: MqttClient;
  readonly #on: MqttCallbacks;
  #payload = Buffer.alloc(0);
  #room = ROOM;
  #closed = false;

  constructor(url: string, clientId: string, on: MqttCallbacks) {
    this.#on = on;
    this.#client = mqtt.connect(url, { clientId, protocolVersion: 4, reconnectPeriod: 0, clean: true });
    this.#client.on('connect', () => {
      if (this.#closed) return;
      on.onControl({ operation: 2, returnCode: 0 });
      on.onWritable(ROOM);
    });
    this.#client.on('message', (_topic, payload) => {
      this.#payload = Buffer.from(payload);
      if (!this.#closed) on.onReadable(payload.length);
    });
    this.#client.on('error', () => {});
    this.#client.on('close', () => {
      if (!this.#closed) on.onError();
    });
  }

  read(target: Uint8Array): number {
    if (target.length > this.#payload.length) throw new Error('invalid');
    target.set(this.#payload.subarray(0, target.length));
    this.#payload = this.#payload.subarray(target.length);
    return target.length;
  }

  write(data: Uint8Array, { operation, topic, items, QoS = 0 }: MqttWriteOptions): number {
    if (operation === 8) {
      this.#client.subscribe(
        items!.map(item => item.topic),
        { qos: 0 },
        (error, granted) => {
          if (!this.#closed && !error)
            this.#on.onControl({ operation: 9, id: 1, payload: granted!.map(({ qos }) => qos) });
        },
      );
      return this.#room;
    }
    if (data.length + topic.length + 8 > this.#room) throw new Error('overflow');
    this.#room -= data.length + topic.length + 4;
    this.#client.publish(topic, Buffer.from(data), { qos: QoS as 0 }, () => {
      // Never from within the write: the package may call back at once, a socket doesn't.
      setImmediate(() => {
        this.#room = ROOM;
        if (!this.#closed) this.#on.onWritable(ROOM);
      });
    });
    return Math.max(0, this.#room - 8);
  }

  close(): void {
    this.#closed = true;
    this.#client.end(true);
  }
}
