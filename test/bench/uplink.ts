/** Readings a second into and out of a real Mosquitto, beside what the bare library does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { mqttBroker } from '../../host/node/broker.js';
import { nodeDigest } from '../../host/node/digest.js';
import { silentLog } from '../../host/node/log.js';
import { NodeStorage } from '../../host/node/storage.js';
import { Subscriber } from '../../host/subscriber/subscriber.js';
import { sealedTopic } from '../../host/uplink/topics.js';
import { Uplink } from '../../host/uplink/uplink.js';
import { TestKeyring } from '../host/subscriber/support.js';
import { anyRandom, FakeCursor, FakeJournal, realClock, TestDevice, until } from '../host/uplink/support.js';
import { Mosquitto } from '../support/brokers.js';
import type { Row } from './row.js';

const WINDOW = 1000;
const DEVICES = 10;
const BROKER = [`max_inflight_messages ${WINDOW}`, 'max_queued_messages 0'];

/** @param count readings a run; the median of `runs` counts */
export async function benchUplink(count = 60_000, runs = 3): Promise<Row[]> {
  const devices = Array.from({ length: DEVICES }, (_, i) => new TestDevice(i + 1));
  const journal = new FakeJournal();
  for (let i = 0; i < count; i++) journal.add(devices[i % DEVICES].entry(i));
  const broker = await Mosquitto.start(BROKER);
  try {
    const bare: number[] = [];
    const ours: number[] = [];
    for (let run = 0; run < runs; run++) {
      bare.push(await barePublish(broker.url, journal));
      ours.push(await publish(broker.url, journal));
    }
    const opened: number[] = [];
    for (let run = 0; run < runs; run++) opened.push(await subscribe(broker.url, journal, devices, run));
    const unit = 'readings/s';
    return [
      {
        name: 'uplink, QoS 1 into Mosquitto',
        value: median(ours),
        unit,
        reference: `${Math.round(median(bare))} readings/s: bare mqtt publish loop`,
      },
      { name: 'verifying subscriber, from Mosquitto', value: median(opened), unit },
    ];
  } finally {
    await broker.stop();
  }
}

/** A loop around the library, as it comes, with the same window and messages. */
async function barePublish(url: string, journal: FakeJournal): Promise<number> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  const { entries } = journal;
  const started = performance.now();
  await new Promise<void>(resolve => {
    let sent = 0;
    let acknowledged = 0;
    const properties = { contentType: 'application/cose; cose-type="cose-mac0"' };
    const pump = () => {
      while (sent < entries.length && sent - acknowledged < WINDOW) {
        const entry = entries[sent++];
        if (entry.kind !== 'reading') continue;
        const payload = Buffer.from(entry.bytes.buffer, entry.bytes.byteOffset, entry.bytes.length);
        client.publish(sealedTopic('bench', entry.device), payload, { qos: 1, properties }, () => {
          acknowledged++;
          if (acknowledged === entries.length) resolve();
          else pump();
        });
      }
    };
    pump();
  });
  const seconds = (performance.now() - started) / 1000;
  await client.endAsync();
  return entries.length / seconds;
}

async function publish(url: string, journal: FakeJournal): Promise<number> {
  const ports = {
    broker: mqttBroker,
    journal,
    cursor: new FakeCursor(),
    clock: realClock,
    random: anyRandom,
  };
  const uplink = new Uplink(
    { ...ports, log: silentLog },
    {
      broker: { url, protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 5000 },
      site: 'bench',
      gateway: 'bench',
      window: WINDOW,
      replayPerSecond: 0,
      readingTopic: false,
    },
  );
  const started = performance.now();
  uplink.start();
  await until(() => uplink.state.drained, 'a drained journal', 120_000);
  const seconds = (performance.now() - started) / 1000;
  await uplink.close();
  return journal.entries.length / seconds;
}

async function subscribe(
  url: string,
  journal: FakeJournal,
  devices: TestDevice[],
  run: number,
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-subscriber-'));
  try {
    const keyring = new TestKeyring(...devices);
    const broker = { url, clientId: `bench-${run}`, protocol: '5' as const, keepAliveSeconds: 30 };
    const count = journal.entries.length;
    let online = () => {};
    const ready = new Promise<void>(resolve => {
      online = resolve;
    });
    const sink = { reading: () => {}, report: () => online(), flush: async () => {} };
    const open = (readings: number, ports: object = {}) =>
      Subscriber.open(
        {
          broker: mqttBroker,
          storage: new NodeStorage(),
          clock: realClock,
          random: anyRandom,
          log: silentLog,
          digest: nodeDigest,
          keyring,
          sink,
          ...ports,
        },
        { broker: { ...broker, connectTimeoutMs: 5000 }, stateDirectory: directory, readings },
      );
    // It leaves a session behind, in which the broker queues what is published next.
    const first = await open(0);
    const ended = first.run();
    await ready;
    first.close();
    await ended;
    await publish(url, journal);
    const second = await open(count);
    const started = performance.now();
    await second.run();
    return count / ((performance.now() - started) / 1000);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
