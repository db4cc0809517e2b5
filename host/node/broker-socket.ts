/** The connection under MQTT, as the broker's URL has it. */
import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';
import type { BrokerOptions } from '../ports.js';
import { tlsOptions } from './broker-tls.js';

const MQTT_PORT = 1883;
const MQTTS_PORT = 8883;

/** Begins to connect; what fails is an `error` of the stream. @throws Error when the URL is none */
export function dialBroker({ url, tls }: BrokerOptions): Duplex {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  switch (protocol) {
    case 'mqtt:':
      // Packets are written whole; waiting for the peer's ACK before the next (Nagle) would cost 40 ms each time.
      return connectTcp({ host, port: Number(port) || MQTT_PORT, noDelay: true });
    case 'mqtts:': {
      const socket = connectTls({ ...tlsOptions(host, tls), port: Number(port) || MQTTS_PORT });
      socket.setNoDelay(true);
      return socket;
    }
    case 'ws:':
    case 'wss:':
      return createWebSocketStream(new WebSocket(url, ['mqtt'], { ...tls }));
    default:
      throw new Error(`${protocol} is no way to a broker`);
  }
}
