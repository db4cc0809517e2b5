/**
 * `sovereign subscribe --json` as a process of its own, its output to /dev/null: from a feeder that is faster than any broker,
 * which shows its own limit, and from Mosquitto, which shows what is to be had. Beside each, a loop around the `mqtt`
 * package that counts the same messages and does nothing else.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { nodeDigest } from '../../host/node/digest.js';
import { batchTopic, sealedTopic } from '../../host/uplink/topics.js';
import { Mosquitto } from '../support/brokers.js';
import { VirtualIdentity } from '../support/virtual-peer.js';
import { Feeder, type FeedMessage, makeFeed } from './feeder.js';
import { median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import { type Row, share } from './row.js';

const DEVICES = 50;
/** In flight: what subscribers announce as their Receive Maximum. */
const WINDOW = 1000;
/** As the uplink makes them. */
const BATCH_BYTES = 16 * 1024;
const BARE = fileURLToPath(new URL('./bare-subscriber.js', import.meta.url));
const BROKER = [`max_inflight_messages ${WINDOW}`, 'max_queued_messages 0', 'max_packet_size 1048576'];

interface Load {
  readonly name: string;
  readonly goal: number;
  readonly readings: number;
  readonly messages: readonly FeedMessage[];
}

export interface SubscriberBenchOptions {
  readonly runs?: number;
  /** On the sealed topics; four times as many in batches. */
  readonly readings?: number;
}

export async function subscriberRows({
  runs = 3,
  readings = 150_000,
}: SubscriberBenchOptions = {}): Promise<Row[]> {
  const identities = Array.from({ length: DEVICES }, (_, i) => new VirtualIdentity(nodeDigest, i + 1));
  const rig = await GatewayRig.create(identities.map(identity => identity.entry()));
  try {
    const single = {
      name: 'one reading a message',
      goal: 100_000,
      readings,
      messages: sealed(identities, readings),
    };
    const rows = await loadRows(rig, single, runs);
    const many = 4 * readings;
    const batches = {
      name: 'batches',
      goal: 150_000,
      readings: many,
      messages: batched(sealed(identities, many)),
    };
    rows.push(...(await loadRows(rig, batches, runs)));
    return rows;
  } finally {
    await rig.stop();
  }
}

async function loadRows(rig: GatewayRig, load: Load, runs: number): Promise<Row[]> {
  const { name, goal, readings, messages } = load;
  const feeder = await Feeder.start(makeFeed(messages), WINDOW);
  const broker = await Mosquitto.start(BROKER);
  const speeds = {
    own: [] as number[],
    bare: [] as number[],
    fromBroker: [] as number[],
    bareFromBroker: [] as number[],
  };
  const perSecond = (ms: number) => (readings / ms) * 1000;
  try {
    for (let run = 0; run < runs; run++) {
      const id = `bench-${messages.length}-${run}`;
      speeds.bare.push(perSecond(await fed(feeder, () => bare(feeder.url, id, 0))));
      speeds.own.push(perSecond(await fed(feeder, () => own(rig, feeder.url, id, 0))));
      speeds.bareFromBroker.push(
        perSecond(await queued(broker.url, load, () => bare(broker.url, id, messages.length))),
      );
      speeds.fromBroker.push(
        perSecond(await queued(broker.url, load, () => own(rig, broker.url, id, readings))),
      );
    }
  } finally {
    await feeder.stop();
    await broker.stop();
  }
  const row = (text: string, value: number, reference: number): Row => ({
    name: `verifying subscriber, ${name}, ${text}`,
    value: Math.round(value),
    unit: 'readings/s',
    reference: `bare mqtt subscriber ${Math.round(reference).toLocaleString('en-US')}/s: ${share(value, reference)}`,
    ...(text.startsWith('from a feeder') && {
      goal: `≥ ${goal.toLocaleString('en-US')}/s`,
      met: value >= goal,
    }),
  });
  return [
    row('from a feeder below any broker', median(speeds.own), median(speeds.bare)),
    row('from a session queued in Mosquitto', median(speeds.fromBroker), median(speeds.bareFromBroker)),
  ];
}

/** A process that subscribes. */
interface Client {
  /** It is connected. */
  readonly online: Promise<void>;
  readonly ended: Promise<unknown>;
  stop(): Promise<unknown>;
}

/** How long the feeder took to be rid of everything. */
async function fed(feeder: Feeder, start: () => Client): Promise<number> {
  const served = feeder.served();
  const client = start();
  const ms = await Promise.race([
    served,
    client.ended.then(() => Promise.reject(new Error('the subscriber ended'))),
  ]);
  await client.stop();
  return ms;
}

/** From its connection to its end, how long a client takes for what a broker has queued for it. */
async function queued(url: string, { messages }: Load, start: () => Client): Promise<number> {
  const absent = start();
  await absent.online;
  await new Promise(go => setTimeout(go, 200));
  await absent.stop();
  await publish(url, messages);
  const client = start();
  await client.online;
  const began = performance.now();
  await client.ended;
  return performance.now() - began;
}

async function publish(url: string, messages: readonly FeedMessage[]): Promise<void> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  for (let at = 0; at < messages.length; at += WINDOW) {
    const part = messages.slice(at, at + WINDOW);
    await Promise.all(
      part.map(({ topic, payload }) => client.publishAsync(topic, Buffer.from(payload), { qos: 1 })),
    );
  }
  await client.endAsync();
}

function own(rig: GatewayRig, url: string, id: string, readings: number): Client {
  const args = ['subscribe', '--json', '--broker', url, '--id', id, '--from', 'now'];
  const state = join(rig.directory, `${id}-${readings}`);
  const program = rig.program([...args, '--state', state, '--readings', String(readings)], { silent: true });
  const online = program.until(() => program.errors.includes('connected to'), 'the connection');
  return { online, ended: program.exited, stop: () => program.end('SIGTERM') };
}

/** @param count of messages after which it ends; 0: never */
function bare(url: string, id: string, count: number): Client {
  const child = spawn(process.execPath, [BARE, url, id, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { online: once(child.stdout, 'data').then(() => {}), ended, stop };
}

/** Readings of the devices in turn, each from the begin of a new epoch. */
export function sealed(identities: readonly VirtualIdentity[], count: number): FeedMessage[] {
  for (const identity of identities) identity.startEpoch(0);
  return Array.from({ length: count }, (_, i) => {
    const identity = identities[i % identities.length];
    return { topic: sealedTopic('bench', identity.idText), payload: identity.seal(20 + (i % 64) / 8).bytes };
  });
}

export function batched(readings: readonly FeedMessage[]): FeedMessage[] {
  const topic = batchTopic('bench', 'bench');
  const batches: FeedMessage[] = [];
  let parts: Uint8Array[] = [];
  let bytes = 0;
  const end = () => {
    batches.push({ topic, payload: Buffer.concat(parts) });
    parts = [];
    bytes = 0;
  };
  for (const { payload } of readings) {
    if (bytes + payload.length > BATCH_BYTES) end();
    parts.push(payload);
    bytes += payload.length;
  }
  if (parts.length > 0) end();
  return batches;
}
