import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { KeyringEntry, KeyringView } from '../../../host/keyring/entry.js';
import { mqttBroker } from '../../../host/node/broker.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { BrokerSession, Clock, Storage } from '../../../host/ports.js';
import type { OpenedReading } from '../../../host/subscriber/open.js';
import type { Report } from '../../../host/subscriber/report.js';
import {
  Subscriber,
  type SubscriberOptions,
  type SubscriberSink,
} from '../../../host/subscriber/subscriber.js';
import { encodeStatus } from '../../../host/uplink/status.js';
import { sealedTopic, statusTopic } from '../../../host/uplink/topics.js';
import { anyRandom, realClock, type TestDevice, TestLog } from '../uplink/support.js';

/** A keyring in memory. */
export class TestKeyring implements KeyringView {
  readonly map = new Map<string, KeyringEntry>();

  constructor(...devices: TestDevice[]) {
    for (const device of devices) this.add(device);
  }

  add(device: TestDevice): void {
    this.map.set(device.id, { id: device.id, name: `n${device.id}`, epoch: 0, chain: device.chain });
  }

  addSdk(id: string, node: string, key: Uint8Array): void {
    const sdk = { node, key, allowReset: false };
    this.map.set(id, { id, name: node, epoch: 0, chain: new Uint8Array(), sdk });
  }

  get size(): number {
    return this.map.size;
  }
  get(id: string): KeyringEntry | undefined {
    return this.map.get(id);
  }
  byNode(node: string): KeyringEntry | undefined {
    return [...this.map.values()].find(({ sdk }) => sdk?.node === node);
  }
  byName(name: string): KeyringEntry | undefined {
    return [...this.map.values()].find(entry => entry.name === name);
  }
  entries(): Iterable<KeyringEntry> {
    return this.map.values();
  }
}

/** Keeps what was printed and reported. */
export class TestSink implements SubscriberSink {
  readonly printed: { place: string; sha256: string; value: unknown }[] = [];
  readonly reports: Report[] = [];
  /** Called before each flush resolves. */
  flushing: () => Promise<void> = async () => {};

  reading({ device, epoch, seq, records }: OpenedReading, sha256: string): void {
    const [{ v, vs, vb }] = records;
    this.printed.push({ place: `${device.slice(0, 2)}/${epoch}/${seq}`, sha256, value: v ?? vs ?? vb });
  }
  report(report: Report): void {
    this.reports.push(report);
  }
  flush(): Promise<void> {
    return this.flushing();
  }

  get places(): string[] {
    return this.printed.map(({ place }) => place);
  }

  /** Reports of a kind as short texts. */
  told(kind: Report['kind']): string[] {
    return this.reports.filter(report => report.kind === kind).map(shortText);
  }
}

function shortText(report: Report): string {
  if (report.kind === 'gap') {
    const { fromEpoch, fromSeq, toEpoch, toSeq } = report.gap;
    return `${report.stage} ${fromEpoch}/${fromSeq}-${toEpoch}/${toSeq}`;
  }
  if (report.kind === 'refused') return report.reason;
  return 'device' in report ? report.device.slice(0, 2) : report.kind;
}

export interface RunningOptions extends Partial<SubscriberOptions> {
  protocol?: '5' | '3.1.1';
  storage?: Storage;
  clock?: Clock;
  clientId?: string;
}

/** A subscriber at work; ends with the test. */
export async function subscribe(
  t: ExecutionContext,
  url: string,
  directory: string,
  keyring: KeyringView,
  {
    protocol = '5',
    storage = new NodeStorage(),
    clock = realClock,
    clientId = 'tester',
    ...more
  }: RunningOptions = {},
) {
  const sink = new TestSink();
  const log = new TestLog();
  const ports = {
    broker: mqttBroker,
    storage,
    clock,
    random: anyRandom,
    log,
    digest: nodeDigest,
    keyring,
    sink,
  };
  const subscriber = await Subscriber.open(ports, {
    broker: { url, clientId, protocol, keepAliveSeconds: 30, connectTimeoutMs: 2000 },
    stateDirectory: directory,
    readings: 0,
    minBackoffMs: 50,
    maxBackoffMs: 200,
    ...more,
  });
  const ended = subscriber.run();
  ended.catch(() => {});
  const close = () => {
    subscriber.close();
    return ended;
  };
  t.teardown(() => close().catch(() => {}));
  return { subscriber, sink, log, ended, close };
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'subscriber-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Publishes as a gateway would. */
export async function gateway(url: string, protocol: '5' | '3.1.1' = '5') {
  const session: BrokerSession = await mqttBroker.connect(
    {
      url,
      clientId: `gw-${Math.random()}`,
      protocol,
      keepAliveSeconds: 30,
      connectTimeoutMs: 2000,
      cleanStart: true,
    },
    { message: async () => {}, closed: () => {} },
  );
  const put = (topic: string, payload: Uint8Array) =>
    new Promise<void>((resolve, reject) =>
      session.publish({ topic, payload, retain: false }, error => (error ? reject(error) : resolve())),
    );
  return {
    session,
    sealed: (device: { id: string }, ...all: Uint8Array[]) =>
      Promise.all(all.map(bytes => put(sealedTopic('cellar', device.id), bytes))),
    status: (cursor: number, head: number, drained = cursor >= head, name = 'gw') =>
      put(
        statusTopic('cellar', name),
        encodeStatus({ gateway: name, site: 'cellar', state: 'online', cursor, head, drained, at: 0 }),
      ),
  };
}
