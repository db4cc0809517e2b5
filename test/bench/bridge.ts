/**
 * Mosquitto's own bridge with persistence, draining to a second Mosquitto what was published while that was away, as one would
 * build it without this project; and the gateway draining the same readings in batches, into the same broker.
 */
import mqtt from 'mqtt';
import { nodeDigest } from '../../host/node/digest.js';
import { sealedTopic } from '../../host/uplink/topics.js';
import { freePort, Mosquitto } from '../support/brokers.js';
import { VirtualIdentity } from '../support/virtual-peer.js';
import { count, median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import type { Row } from './row.js';
import { prepareSenders, sendAll } from './senders.js';

const DEVICES = 50;
const WINDOW = 256;
const UNLIMITED = ['max_inflight_messages 0', 'max_queued_messages 0', 'max_packet_size 1048576'];
const PUBLISHED_AT_ONCE = 1000;
/** Comes last, and is kept for whoever asks later. */
const END = 'bench/end';
/** The bridge's name at the other broker. */
const BRIDGE = 'bench-bridge';
const CALM_MS = 3000;
const PATIENCE_MS = 120_000;
const GOAL = 4;
const MIN_PER_SECOND = 300_000;

export async function bridgeRows(readings: number, runs: number): Promise<Row[]> {
  const bridge: number[] = [];
  const own: number[] = [];
  for (let run = 0; run < runs; run++) {
    bridge.push(await bridged(readings));
    own.push(await drained(readings));
  }
  const kept = await afterKill(readings);
  const times = median(own) / median(bridge);
  return [
    {
      name: `Mosquitto bridge with persistence, draining ${count(readings)}`,
      value: Math.round(median(bridge)),
      unit: 'readings/s',
      reference: `after SIGKILL ${count(kept)} on disk of ${count(readings)} acknowledged`,
    },
    {
      name: `uplink, batches, draining ${count(readings)}`,
      value: Math.round(median(own)),
      unit: 'readings/s',
      reference: `${times.toFixed(1)} times Mosquitto's bridge`,
      goal: `≥ ${count(MIN_PER_SECOND)}/s and ≥ ${GOAL} times the bridge`,
      met: times >= GOAL && median(own) >= MIN_PER_SECOND,
    },
  ];
}

/** A broker that holds what is published until the other one is there. */
async function startBridge(target: number): Promise<Mosquitto> {
  const own = ['max_inflight_messages 1000', 'max_queued_messages 0'];
  const remote = ['connection bench', `address 127.0.0.1:${target}`, `remote_clientid ${BRIDGE}`];
  return Mosquitto.start([...own, ...remote, 'topic # out 1', 'cleansession false', 'restart_timeout 1']);
}

/** Readings a second from the bridge's connection to the last message at the other broker. */
async function bridged(readings: number): Promise<number> {
  const target = await Mosquitto.start(UNLIMITED);
  await target.kill();
  const bridge = await startBridge(target.port);
  try {
    await publish(bridge.url, readings);
    await target.run();
    const connected = until(() => target.output.includes(`as ${BRIDGE} `));
    const began = connected.then(() => performance.now());
    const client = await mqtt.connectAsync(target.url, { protocolVersion: 5, reconnectPeriod: 0 });
    const ended = new Promise<number>((resolve, reject) => {
      setTimeout(() => reject(new Error('the bridge does not drain')), PATIENCE_MS).unref();
      client.once('message', () => resolve(performance.now()));
    });
    await client.subscribeAsync(END, { qos: 0 });
    const ms = (await ended) - (await began);
    await client.endAsync(true);
    return (readings / ms) * 1000;
  } finally {
    await bridge.stop();
    await target.stop();
  }
}

/** Of what was acknowledged before SIGKILL, what comes out after it. */
async function afterKill(readings: number): Promise<number> {
  const target = await Mosquitto.start(UNLIMITED);
  await target.kill();
  const bridge = await startBridge(target.port);
  try {
    await publish(bridge.url, readings);
    await bridge.kill('SIGKILL');
    await target.run();
    let came = 0;
    const client = await mqtt.connectAsync(target.url, { protocolVersion: 5, reconnectPeriod: 0 });
    client.on('message', () => came++);
    await client.subscribeAsync('sovereign/#', { qos: 0 });
    await bridge.run();
    for (let before = -1; before !== came || came === 0; ) {
      before = came;
      await new Promise(resolve => setTimeout(resolve, CALM_MS));
      if (came === 0 && before === 0) break;
    }
    await client.endAsync(true);
    return came;
  } finally {
    await bridge.stop();
    await target.stop();
  }
}

async function publish(url: string, readings: number): Promise<void> {
  const identities = Array.from({ length: DEVICES }, (_, i) => new VirtualIdentity(nodeDigest, i + 1));
  for (const identity of identities) identity.startEpoch(0);
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  for (let done = 0; done < readings; done += PUBLISHED_AT_ONCE) {
    const part = Array.from({ length: Math.min(PUBLISHED_AT_ONCE, readings - done) }, (_, i) => {
      const identity = identities[i % DEVICES];
      const payload = Buffer.from(identity.seal(20 + (i % 64) / 8).bytes);
      return client.publishAsync(sealedTopic('bench', identity.idText), payload, { qos: 1 });
    });
    await Promise.all(part);
  }
  await client.publishAsync(END, 'end', { qos: 1, retain: true });
  await client.endAsync();
}

/** Readings a second of the gateway, from its connection to the last acknowledgement. */
async function drained(readings: number): Promise<number> {
  const target = await Mosquitto.start(UNLIMITED);
  const senders = prepareSenders(DEVICES, Math.ceil(readings / DEVICES));
  const uplink = (port: number) =>
    `uplink: { broker: "mqtt://127.0.0.1:${port}", readingTopic: false, batch: true }`;
  const gateway = await GatewayRig.start(
    senders.map(({ identity }) => identity.entry()),
    uplink(await freePort()),
  );
  try {
    await sendAll(senders, gateway.port, WINDOW);
    await gateway.end();
    await gateway.configure(uplink(target.port));
    await gateway.run();
    await gateway.online();
    const began = performance.now();
    await gateway.drained();
    return (readings / (performance.now() - began)) * 1000;
  } finally {
    await gateway.stop();
    await target.stop();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error('the bridge does not connect');
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}
