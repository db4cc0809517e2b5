/// <reference path="./sdk.d.ts" />
/** Wi-Fi for the boards that have it: joins the network of the settings, and links over TCP or MQTT. */
import TCP from 'embedded:io/socket/tcp';
import WiFi from 'embedded:network/interface/wifi';
import MQTTClient from 'embedded:network/mqtt/client';
// biome-ignore lint/style/useNodejsImportProtocol: the SDK has a module of that name
import Net from 'net';
import Timer from 'timer';
import type { BoardPins } from '../firmware/board.js';
import { MqttLink } from '../firmware/links/mqtt.js';
import { TcpLink } from '../firmware/links/tcp.js';

/** Values of `WiFi.connection` (ECMA-419): an address has been had; not joined. */
const ADDRESS = 500;
const DISCONNECTED = 200;
/** Before a network that was not joined, or was lost, is tried again. */
const REJOIN_MS = 10_000;

/** The network's own name server, which the SDK's MQTT client expects as a class. */
class Resolver {
  resolve(options: {
    host: string;
    onResolved(host: string, address: string): void;
    onError?(): void;
  }): void {
    Net.resolve(options.host, (_, address) => {
      if (address === undefined) options.onError?.();
      else options.onResolved(options.host, address);
    });
  }
  close(): void {}
}

function join(ssid: string, password: string | undefined, changed: (up: boolean) => void): void {
  const wifi: WiFi = new WiFi({
    onChanged: () => changed(wifi.connection >= ADDRESS),
  });
  const connect = () =>
    wifi.connect(password === undefined ? { SSID: ssid } : { SSID: ssid, password, secure: true });
  connect();
  Timer.repeat(() => {
    if (wifi.connection > DISCONNECTED) return;
    try {
      connect();
    } catch {
      // At it already; the next round sees.
    }
  }, REJOIN_MS);
}

export const network: NonNullable<BoardPins['network']> = (settings, id, { uptime, random }, events) => {
  const { ssid, wifiPassword, gatewayHost, gatewayPort, mqttHost, mqttPort, mqttUser, mqttPassword } =
    settings;
  if (ssid === undefined) return undefined;
  let link: TcpLink | MqttLink;
  if (mqttHost !== undefined && mqttPort !== undefined) {
    const login = mqttUser === undefined ? {} : { user: mqttUser };
    const secret = mqttPassword === undefined ? {} : { password: mqttPassword };
    const fixed = { host: mqttHost, port: mqttPort, id: `sovereign-${id}`, keepAlive: 60_000, clean: true };
    const io = { socket: { io: TCP }, dns: { io: Resolver } };
    const open = (on: object) => new MQTTClient({ ...fixed, ...login, ...secret, ...io, ...on } as never);
    link = new MqttLink({ uptime, random, open }, id, events);
  } else if (gatewayHost !== undefined && gatewayPort !== undefined) {
    link = new TcpLink(
      {
        uptime,
        random,
        open: (address, port, on) => new TCP({ address, port, nodelay: true, format: 'buffer', ...on }),
        resolve: (host, done) => Net.resolve(host, (_, address) => done(address)),
      },
      { host: gatewayHost, port: gatewayPort },
      events,
    );
  } else return undefined;
  join(ssid, wifiPassword, up => link.network(up));
  return link;
};
