/** The simulated network under the interfaces that the firmware's links have of a board's IO. */
import type { MqttCallbacks, MqttIO, MqttPorts, MqttWriteOptions } from '../../../firmware/links/mqtt.js';
import type { OpenSerial } from '../../../firmware/links/serial.js';
import type { TcpCallbacks, TcpIO, TcpPorts } from '../../../firmware/links/tcp.js';
import type { Life } from '../kernel/life.js';
import type { Stored } from './broker-session.js';
import type { GatewayPort } from './gateway-port.js';
import type { DeviceSocket, SocketEvents } from './link-connection.js';
import type { ClientEvents, MqttConnection } from './mqtt-connection.js';
import type { SimBroker } from './sim-broker.js';

/** Bytes that have come and were not read yet. */
class Inbox {
  #chunks: Uint8Array[] = [];
  length = 0;

  add(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.length += bytes.length;
  }

  /** Fills as much of `target` as there is. */
  read(target: Uint8Array): number {
    let at = 0;
    while (at < target.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const length = Math.min(chunk.length, target.length - at);
      target.set(length === chunk.length ? chunk : chunk.subarray(0, length), at);
      at += length;
      if (length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(length);
    }
    this.length -= at;
    return at;
  }
}

export function openSerial(port: GatewayPort, life: Life): OpenSerial {
  return on => {
    const inbox = new Inbox();
    const socket: DeviceSocket = port.dial({
      up: () => life.over || on.onWritable(socket.roomBytes),
      down: () => {},
      data: bytes => {
        if (life.over) return;
        inbox.add(bytes);
        on.onReadable(inbox.length);
      },
      room: () => life.over || on.onWritable(socket.roomBytes),
    });
    life.onEnd(() => socket.vanish());
    return {
      read: target => inbox.read(target),
      write: bytes => {
        if (!socket.send(bytes)) throw new Error('no room');
      },
      close: () => socket.vanish(),
    };
  };
}

export function openTcp(port: GatewayPort, life: Life): TcpPorts['open'] {
  return (_address, _port, on) => new SimTcp(port, life, on);
}

class SimTcp implements TcpIO {
  readonly #socket: DeviceSocket;
  readonly #inbox = new Inbox();

  constructor(port: GatewayPort, life: Life, on: TcpCallbacks) {
    const events: SocketEvents = {
      up: () => life.over || on.onWritable(this.#socket.roomBytes),
      down: () => life.over || on.onError(),
      data: bytes => {
        if (life.over) return;
        this.#inbox.add(bytes);
        on.onReadable(this.#inbox.length);
      },
      room: () => life.over || on.onWritable(this.#socket.roomBytes),
    };
    this.#socket = port.dial(events);
    life.onEnd(() => this.#socket.vanish());
  }

  read(target: Uint8Array): number {
    if (target.length > this.#inbox.length) throw new Error('invalid');
    return this.#inbox.read(target);
  }

  write(bytes: Uint8Array): number {
    if (!this.#socket.send(bytes)) throw new Error('would block');
    return this.#socket.roomBytes;
  }

  close(): void {
    this.#socket.close();
  }
}

const MQTT_ROOM_BYTES = 2000;
const MQTT_KEEP_ALIVE_MS = 60_000;
const CONNACK = 2;
const SUBSCRIBE = 8;
const SUBACK = 9;

export function openMqtt(broker: SimBroker, clientId: string, life: Life): MqttPorts['open'] {
  return on => new SimMqtt(broker, clientId, life, on);
}

/** QoS 0 both ways: room comes back when a message is on its way. */
class SimMqtt implements MqttIO, ClientEvents {
  readonly #life: Life;
  readonly #on: MqttCallbacks;
  readonly #connection: MqttConnection;
  readonly #inbox = new Inbox();
  #room = MQTT_ROOM_BYTES;
  #freeing = false;

  constructor(broker: SimBroker, clientId: string, life: Life, on: MqttCallbacks) {
    this.#life = life;
    this.#on = on;
    this.#connection = broker.open(
      {
        clientId,
        clean: true,
        five: false,
        receiveMaximum: 65_535,
        keepAliveMs: MQTT_KEEP_ALIVE_MS,
        honest: true,
      },
      this,
    );
    life.onEnd(() => this.#connection.vanish());
  }

  read(target: Uint8Array): number {
    if (target.length > this.#inbox.length) throw new Error('invalid');
    return this.#inbox.read(target);
  }

  write(data: Uint8Array, { operation, topic }: MqttWriteOptions): number {
    if (operation === SUBSCRIBE) {
      this.#connection.subscribe([topic], 0, 1);
      return this.#room;
    }
    if (data.length + topic.length + 8 > this.#room) throw new Error('overflow');
    this.#room -= data.length + topic.length + 4;
    this.#connection.publish({ topic, payload: Uint8Array.from(data), qos: 0, retain: false }, 0);
    this.#free();
    return Math.max(0, this.#room - 8);
  }

  close(): void {
    this.#connection.destroy();
  }

  connack(code: number): void {
    if (this.#life.over || code !== 0) return;
    this.#on.onControl({ operation: CONNACK, returnCode: 0 });
    this.#on.onWritable(this.#room);
  }

  message({ payload }: Stored): void {
    if (this.#life.over) return;
    this.#inbox.add(payload);
    this.#on.onReadable(this.#inbox.length);
  }

  puback(): void {}

  suback(_id: number, codes: readonly number[]): void {
    if (!this.#life.over) this.#on.onControl({ operation: SUBACK, id: 1, payload: codes });
  }

  closed(): void {
    if (!this.#life.over) this.#on.onError();
  }

  #free(): void {
    if (this.#freeing) return;
    this.#freeing = true;
    this.#life.after(1, () => {
      this.#freeing = false;
      this.#room = MQTT_ROOM_BYTES;
      if (this.#connection.clientOpen) this.#on.onWritable(this.#room);
    });
  }
}
