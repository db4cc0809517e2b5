import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Entry, ReadingEntry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Storage } from '../../../host/ports.js';
import { decodeFetched, encodeRequest, type FetchRange } from '../../../host/uplink/fetch/format.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeBroker } from './fake-broker.js';
import { anyRandom, FakeCursor, realClock, type TestDevice, TestLog } from './support.js';

export const FETCH = 'sovereign/1/cellar/gateway/gw/fetch';

/** A real journal of small segments, and its uplink to a broker of the test's. */
export async function fetching(
  t: ExecutionContext,
  more: Partial<UplinkOptions> = {},
  segmentBytes = 2500,
  storage: Storage = new NodeStorage(),
  existing?: string,
) {
  const directory = existing ?? (await mkdtemp(join(tmpdir(), 'fetch-')));
  if (existing === undefined) t.teardown(() => rm(directory, { recursive: true, force: true }));
  const log = new TestLog();
  const journal = await Journal.open(
    { storage, clock: realClock, log },
    { directory: join(directory, 'journal'), segmentBytes, retainBytes: 0 },
  );
  t.teardown(() => journal.close());
  const clock = new FakeClock();
  const broker = new FakeBroker();
  broker.automatic = true;
  const cursor = new FakeCursor();
  const ports = { broker, journal, archive: journal, cursor, clock, random: anyRandom, log };
  const uplink = new Uplink(ports, {
    broker: { url: 'mqtt://broker', protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 1000 },
    site: 'cellar',
    gateway: 'gw',
    window: 80,
    replayPerSecond: 0,
    fetchPerSecond: 1000,
    readingTopic: false,
    ...more,
  });
  /** Lets time pass and disk and promises do their work. */
  const settle = async (ms = 3000) => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.advance(50);
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  };
  /** Appends, each batch of its own, and waits until it is durable. */
  const add = async (...entries: Entry[]) => {
    for (const entry of entries) {
      const durable = new Promise<void>(resolve =>
        journal.onDurable(batch => batch.includes(entry) && resolve()),
      );
      journal.append(entry);
      await durable;
    }
  };
  /** What was sent since the last call: places of sealed readings, and results of `fetched`. */
  const heard = () => {
    const sent = broker.sent.splice(0);
    const fetched = sent
      .filter(({ message }) => message.topic.endsWith('/fetched'))
      .map(({ message }) => decodeFetched(message.payload)!);
    const sealed = sent.filter(({ message }) => message.topic.endsWith('/sealed'));
    return { sealed, fetched, results: fetched.flatMap(({ results }) => results) };
  };
  /** Lets time pass until so many requests are answered. */
  const answered = async (count: number) => {
    const done = () =>
      broker.sent.filter(({ message }) => {
        const fetched = message.topic.endsWith('/fetched') ? decodeFetched(message.payload) : undefined;
        return fetched?.done === true;
      }).length;
    for (let tries = 0; done() < count && tries < 2000; tries++) await settle(50);
    t.is(done(), count);
    await settle(200);
  };
  const ask = (ranges: FetchRange[], id = 'r1', asker = 'me') =>
    broker.deliver(FETCH, encodeRequest({ id, asker, ranges }));
  t.teardown(async () => {
    const closed = uplink.close();
    await settle(5000);
    await closed;
  });
  const drained = async () => {
    for (let tries = 0; !uplink.state.drained && tries < 1000; tries++) await settle(50);
    t.true(uplink.state.drained);
    await settle(100);
  };
  return {
    drained,
    directory,
    journal,
    uplink,
    broker,
    clock,
    cursor,
    log,
    settle,
    answered,
    add,
    heard,
    ask,
  };
}

export type Fetching = Awaited<ReturnType<typeof fetching>>;

export function entries(device: TestDevice, count: number): ReadingEntry[] {
  return Array.from({ length: count }, () => device.entry());
}

export function gapEntry(
  device: TestDevice,
  from: [number, number],
  to: [number, number],
  link = 'tcp',
): Entry {
  return { kind: 'gap', at: 0, link, device: device.id, from, to, offset: -1 };
}

/** The sequences of readings that were sent, in order. */
export function sequences(
  sealed: ReturnType<Fetching['heard']>['sealed'],
  among: readonly Entry[],
): number[] {
  const readings = among.flatMap(entry => (entry.kind === 'reading' ? [entry] : []));
  return sealed.map(({ message }) => {
    const found = readings.find(({ bytes }) => Buffer.compare(bytes, message.payload) === 0);
    return found === undefined ? -1 : found.seq;
  });
}
