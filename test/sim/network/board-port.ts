/** A board's end of its links, with the firmware's own link code. It outlives boots; each boot opens it anew. */

import type { DeviceLink, LinkEvents } from '../../../firmware/links/link.js';
import { MqttLink } from '../../../firmware/links/mqtt.js';
import { SerialLink } from '../../../firmware/links/serial.js';
import { TcpLink } from '../../../firmware/links/tcp.js';
import type { Wire } from '../../../firmware/ports.js';
import type { Scheduled } from '../kernel/event-queue.js';
import type { Life } from '../kernel/life.js';
import { openMqtt, openSerial, openTcp } from './device-io.js';
import type { GatewayPort } from './gateway-port.js';
import type { DeviceSocket } from './link-connection.js';
import type { SimBroker } from './sim-broker.js';

export interface BoardEvents {
  /** There is a way to the gateway. Never from within `open`. */
  up(): void;
  down(): void;
  /** The array is the link's: valid until the call returns. */
  received(bytes: Uint8Array): void;
}

export interface BoardPort {
  /** For one boot: closed when the life ends. */
  open(life: Life, events: BoardEvents): Wire;
}

/** @param life of the boot */
type MakeLink = (life: Life, ports: LinkPorts, events: LinkEvents) => DeviceLink;

interface LinkPorts {
  readonly uptime: { nowMs(): number };
  readonly random: { fill(target: Uint8Array): void };
}

export function serialBoardPort(port: GatewayPort): BoardPort {
  return boardPort((life, ports, events) => new SerialLink(openSerial(port, life), ports, events));
}

export function tcpBoardPort(port: GatewayPort): BoardPort {
  return boardPort((life, ports, events) => {
    const link = new TcpLink({ ...ports, open: openTcp(port, life) }, { host: '192.0.2.1', port: 1 }, events);
    link.network(true);
    return link;
  });
}

/** @param device 16 hex digits */
export function mqttBoardPort(broker: SimBroker, device: string): BoardPort {
  return boardPort((life, ports, events) => {
    const link = new MqttLink({ ...ports, open: openMqtt(broker, `board-${device}`, life) }, device, events);
    link.network(true);
    return link;
  });
}

function boardPort(make: MakeLink): BoardPort {
  return {
    open(life, events) {
      const { world } = life;
      const bornMs = world.nowMs;
      let timer: Scheduled | undefined;
      let dueMs = Number.POSITIVE_INFINITY;
      const poll = () => {
        dueMs = Number.POSITIVE_INFINITY;
        later(link.poll());
      };
      const later = (ms: number) => {
        if (world.nowMs + ms >= dueMs || ms === Number.POSITIVE_INFINITY) return;
        timer?.cancel();
        dueMs = world.nowMs + ms;
        timer = life.after(ms, poll);
      };
      const link = make(
        life,
        { uptime: { nowMs: () => Math.floor(world.nowMs - bornMs) }, random: world.random('board-link') },
        {
          up: () => life.over || events.up(),
          down: () => life.over || events.down(),
          received: (bytes, from, to) => life.over || events.received(bytes.subarray(from, to)),
          wake: () => later(0),
        },
      );
      later(0);
      return {
        send: (buffer, from, to) => !life.over && link.send(buffer, from, to),
      };
    },
  };
}

const SDK_AGAIN_MS = 5000;

/** Plain bytes over TCP, connected again after a pause: what a sovereign-sdk sensor has. */
export function sdkBoardPort(port: GatewayPort): BoardPort {
  return {
    open(life, events) {
      let socket: DeviceSocket | undefined;
      const dial = () => {
        socket = port.dial({
          up: () => life.over || events.up(),
          down: () => {
            if (life.over) return;
            socket = undefined;
            events.down();
            life.after(SDK_AGAIN_MS, dial);
          },
          data: bytes => life.over || events.received(bytes),
        });
      };
      life.after(0, dial);
      life.onEnd(() => socket?.vanish());
      return {
        send: (buffer, from, to) => !life.over && (socket?.send(buffer.subarray(from, to)) ?? false),
      };
    },
  };
}
