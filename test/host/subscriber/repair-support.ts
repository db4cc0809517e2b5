import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Cursor } from '../../../host/journal/cursor.js';
import type { Entry } from '../../../host/journal/entry.js';
import { Journal } from '../../../host/journal/journal.js';
import { mqttBroker } from '../../../host/node/broker.js';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Clock } from '../../../host/ports.js';
import type { UplinkOptions } from '../../../host/uplink/types.js';
import { Uplink } from '../../../host/uplink/uplink.js';
import { anyRandom, realClock, TestLog } from '../uplink/support.js';

/** Time in which pauses made for people and networks are over soon. */
export function hurried(factor: number): Clock {
  const begun = performance.now();
  return {
    now: () => Date.now(),
    monotonic: () => (performance.now() - begun) * factor,
    after: (ms, run) => realClock.after(ms / factor, run),
  };
}

/** A gateway's journal and uplink, with nothing before them. */
export async function journalled(
  t: ExecutionContext,
  url: string,
  more: Partial<UplinkOptions> = {},
  segmentBytes = 8000,
) {
  const directory = await mkdtemp(join(tmpdir(), 'repair-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const storage = new NodeStorage();
  const log = new TestLog();
  const clock = realClock;
  const cursor = await Cursor.open(storage, join(directory, 'cursors'), 'uplink');
  const journal = await Journal.open(
    { storage, clock, log },
    { directory: join(directory, 'journal'), segmentBytes, retainBytes: 0 },
    [cursor],
  );
  const ports = { broker: mqttBroker, journal, archive: journal, cursor, clock, random: anyRandom, log };
  const uplink = new Uplink(ports, {
    broker: { url, protocol: '5', keepAliveSeconds: 30, connectTimeoutMs: 2000 },
    site: 'cellar',
    gateway: 'gw',
    window: 50,
    replayPerSecond: 0,
    fetchPerSecond: 5000,
    readingTopic: false,
    statusEveryMs: 200,
    minBackoffMs: 50,
    maxBackoffMs: 200,
    ...more,
  });
  t.teardown(async () => {
    await uplink.close();
    await journal.close();
    await cursor.close();
  });
  const add = (entries: readonly Entry[]) =>
    new Promise<void>(resolve => {
      const last = entries.at(-1)!;
      journal.onDurable(batch => batch.includes(last) && resolve());
      for (const entry of entries) journal.append(entry);
    });
  return { directory, journal, uplink, log, add };
}

/** Places as the sink tells them, of one device in epoch 1. */
export function places(device: number, count: number, from = 0): string[] {
  const name = device.toString(16).padStart(2, '0');
  return Array.from({ length: count }, (_, i) => `${name}/1/${from + i}`);
}
