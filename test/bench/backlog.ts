/**
 * A backlog that builds while the broker is away, and then drains into Mosquitto in each of the ways that there are: speed,
 * memory, processor time a reading from its beginning to its end, how long the gateway takes to start with all of it on
 * disk, and how late new readings come out while it drains (`live.ts`).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, Mosquitto } from '../support/brokers.js';
import { Driver } from './driver.js';
import { count, median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import { liveLatencies, liveRow } from './live.js';
import type { Row } from './row.js';

const WINDOW = 256;
const SAMPLE_MS = 100;
const MiB = 1024 * 1024;
const MAX_MEMORY_MIB = 150;
const MAX_OPEN_MS = 200;
/** What a part may cost more than another, where all should cost the same. */
const FLAT = 1.2;
const STARTS = 3;
const BROKER = ['max_inflight_messages 0', 'max_queued_messages 0', 'max_packet_size 1048576'];

export interface BacklogOptions {
  readonly readings?: number;
  /** That send them side by side. */
  readonly devices?: number;
}

export async function backlogRows({
  readings = 1_000_000,
  devices = 50,
}: BacklogOptions = {}): Promise<Row[]> {
  const broker = await Mosquitto.start(BROKER);
  const drivers = Array.from({ length: devices + 1 }, (_, i) => new Driver(i + 1, WINDOW));
  const away = await freePort();
  const uplink = (port: number, more = '') =>
    `uplink: { broker: "mqtt://127.0.0.1:${port}", readingTopic: false${more} }\njournal: { retainBytes: 0 }`;
  const gateway = await GatewayRig.start(
    drivers.map(({ identity }) => identity.entry()),
    uplink(away),
  );
  const live = drivers.pop()!;
  /** Everything is still to be published. */
  const again = async (more: string) => {
    await gateway.end();
    await rm(join(gateway.directory, 'data', 'cursors'), { recursive: true });
    await gateway.configure(uplink(broker.port, more));
    await gateway.run();
  };
  const starts = async () => {
    const times: number[] = [];
    await gateway.end();
    for (let run = 0; run < STARTS; run++) {
      await gateway.run();
      times.push(gateway.startedMs);
      await gateway.end('SIGKILL');
    }
    return times;
  };
  try {
    const empty = await starts();
    await gateway.run();
    for (const driver of drivers) await driver.open(gateway.port);
    const built = await build(gateway, drivers, readings);
    for (const driver of drivers) driver.close();
    const full = await starts();
    await gateway.configure(uplink(broker.port));
    await gateway.run();
    const single = await drain(gateway, readings);
    await again(', batch: true');
    const batches = await drain(gateway, readings);
    await again(', order: live-first');
    await gateway.online(); // what comes in before is backlog
    await live.open(gateway.port);
    const lateness = await liveLatencies(gateway, live, broker.url);
    const what = `a backlog of ${count(readings)}`;
    const starting = median(full) - median(empty);
    return [
      speedRow(`building ${what}`, built),
      speedRow(`draining ${what}, one message a reading`, single),
      {
        ...speedRow(`draining ${what}, batches`, batches),
        goal: '≥ 300,000/s',
        met: batches.perSecond >= 300_000,
      },
      memoryRow(what, { built, single, batches }),
      ...[built, single, batches].map((course, i) =>
        flatRow(`${['building', 'draining', 'draining in batches'][i]} ${what}`, course),
      ),
      {
        name: `start of the gateway with ${what}, killed before`,
        value: Math.round(median(full)),
        unit: 'ms',
        reference: `with an empty journal ${Math.round(median(empty))} ms, so opening it takes ${Math.round(starting)} ms`,
        goal: `opening ≤ ${MAX_OPEN_MS} ms`,
        met: starting <= MAX_OPEN_MS,
      },
      liveRow(lateness),
    ];
  } finally {
    for (const driver of [...drivers, live]) driver.close();
    await gateway.stop();
    await broker.stop();
  }
}

interface Course {
  perSecond: number;
  readonly samples: Sample[];
  peakBytes: number;
}

interface Sample {
  readonly done: number;
  readonly cpuMs: number;
  readonly bytes: number;
}

async function build(gateway: GatewayRig, drivers: readonly Driver[], readings: number): Promise<Course> {
  const each = Math.ceil(readings / drivers.length);
  const watched = watch(gateway, async () => drivers.reduce((sum, { receipted }) => sum + receipted, 0));
  const began = performance.now();
  await Promise.all(drivers.map(driver => driver.send(each)));
  const seconds = (performance.now() - began) / 1000;
  return { ...(await watched()), perSecond: (each * drivers.length) / seconds };
}

async function drain(gateway: GatewayRig, readings: number): Promise<Course> {
  await gateway.online();
  const watched = watch(gateway, async () => (await gateway.status()).uplink?.published ?? 0);
  const began = performance.now();
  await gateway.drained();
  const seconds = (performance.now() - began) / 1000;
  return { ...(await watched()), perSecond: readings / seconds };
}

/** Looks at the gateway now and then until it is told that all is done. */
function watch(gateway: GatewayRig, progress: () => Promise<number>): () => Promise<Course> {
  const samples: Sample[] = [];
  let over = false;
  const look = async () =>
    samples.push({ done: await progress(), cpuMs: gateway.cpuMs(), bytes: gateway.memory().bytes });
  const loop = (async () => {
    await look();
    while (!over) {
      await new Promise(resolve => setTimeout(resolve, SAMPLE_MS));
      await look();
    }
  })();
  return async () => {
    over = true;
    await loop;
    return { samples, peakBytes: gateway.memory().peakBytes, perSecond: 0 };
  };
}

function speedRow(name: string, { perSecond }: Course): Row {
  return { name, value: Math.round(perSecond), unit: 'readings/s' };
}

/** What a reading costs in each fifth of the way; the first and the last samples stand for start and end. */
function flatRow(name: string, { samples }: Course): Row {
  const total = samples.at(-1)!.done - samples[0].done;
  const at = (share: number) => samples.find(({ done }) => done - samples[0].done >= share * total)!;
  const parts = [0, 1, 2, 3, 4].map(fifth => {
    const [from, to] = [at(fifth / 5), at((fifth + 1) / 5)];
    return ((to.cpuMs - from.cpuMs) / (to.done - from.done)) * 1000;
  });
  const known = parts.filter(Number.isFinite);
  const text = known.map(part => part.toFixed(1)).join(', ');
  // The first fifth also pays for the compiler.
  const ratio = known.at(-1)! / known[1];
  return {
    name: `${name}: processor time of the last fifth, to the second`,
    value: Math.round(ratio * 100) / 100,
    unit: 'times',
    reference: `µs a reading in each fifth: ${text}`,
    goal: `≤ ${FLAT}`,
    met: ratio <= FLAT,
  };
}

function memoryRow(what: string, courses: Record<string, Course>): Row {
  const peak = Math.max(...Object.values(courses).map(({ peakBytes }) => peakBytes)) / MiB;
  const text = Object.entries(courses).map(([name, { samples }]) => {
    const at = (share: number) => Math.round(samples[Math.floor((samples.length - 1) * share)].bytes / MiB);
    return `${name}: ${at(0.25)}, ${at(0.5)}, ${at(0.75)}, ${at(1)}`;
  });
  return {
    name: `resident memory of the gateway with ${what}, at most`,
    value: Math.round(peak),
    unit: 'MiB',
    reference: `at each quarter, ${text.join('; ')}`,
    goal: `flat, ≤ ${MAX_MEMORY_MIB}`,
    met: peak <= MAX_MEMORY_MIB,
  };
}
