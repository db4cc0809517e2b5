/**
 * A backlog that builds while the broker is away, and drains when it is back: speed at its beginning and end, memory of the
 * gateway, and how long it takes to start with all of it on disk.
 */
import { freePort, Mosquitto } from '../support/brokers.js';
import { Driver } from './driver.js';
import { median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import type { Row } from './row.js';

const WINDOW = 256;
const SAMPLE_MS = 250;
const MiB = 1024 * 1024;

/** @param readings of the backlog; `devices` send them side by side */
export async function backlogRows(readings = 1_000_000, devices = 50): Promise<Row[]> {
  const broker = await Mosquitto.start(['max_inflight_messages 0', 'max_queued_messages 0']);
  const drivers = Array.from({ length: devices }, (_, i) => new Driver(i + 1, WINDOW));
  const uplink = (port: number) =>
    `uplink: { broker: "mqtt://127.0.0.1:${port}", readingTopic: false }\njournal: { retainBytes: 0 }`;
  const away = await freePort();
  const gateway = await GatewayRig.start(
    drivers.map(({ identity }) => identity.entry()),
    uplink(away),
  );
  try {
    await Promise.all(drivers.map(driver => driver.open(gateway.port)));
    const filled = await fill(gateway, drivers, readings);
    await gateway.configure(uplink(broker.port));
    await gateway.end();
    const starts: number[] = [];
    for (let run = 0; run < 3; run++) {
      await gateway.configure(uplink(away));
      await gateway.run();
      starts.push(gateway.startedMs);
      await gateway.end('SIGKILL');
    }
    await gateway.configure(uplink(broker.port));
    await gateway.run();
    const drained = await drain(gateway, readings);
    const count = readings.toLocaleString('en-US');
    return [
      {
        name: `building a backlog of ${count}: intake, gateway in a process of its own`,
        value: Math.round(filled.perSecond),
        unit: 'readings/s',
        reference: slices(filled),
      },
      {
        name: `draining it, one message a reading`,
        value: Math.round(drained.perSecond),
        unit: 'readings/s',
        reference: slices(drained),
      },
      {
        name: 'memory of the gateway meanwhile, at most',
        value: Math.round(Math.max(filled.peakBytes, drained.peakBytes) / MiB),
        unit: 'MiB',
        reference: `building: ${memoryText(filled)}; draining: ${memoryText(drained)}`,
      },
      {
        name: `start of the process with that backlog, killed before`,
        value: Math.round(median(starts)),
        unit: 'ms',
      },
    ];
  } finally {
    for (const driver of drivers) driver.close();
    await gateway.stop();
    await broker.stop();
  }
}

interface Course {
  perSecond: number;
  /** Done at each sample. */
  readonly done: number[];
  readonly resident: number[];
  peakBytes: number;
}

async function fill(gateway: GatewayRig, drivers: readonly Driver[], readings: number): Promise<Course> {
  const each = Math.floor(readings / drivers.length);
  const watched = watch(gateway, async () => drivers.reduce((sum, { receipted }) => sum + receipted, 0));
  const began = performance.now();
  await Promise.all(drivers.map(driver => driver.send(each)));
  const seconds = (performance.now() - began) / 1000;
  return { ...(await watched.end()), perSecond: (each * drivers.length) / seconds };
}

async function drain(gateway: GatewayRig, readings: number): Promise<Course> {
  const watched = watch(gateway, async () => (await gateway.status()).uplink?.published ?? 0);
  const began = performance.now();
  for (;;) {
    const { uplink } = await gateway.status();
    if (uplink?.drained) break;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  const seconds = (performance.now() - began) / 1000;
  return { ...(await watched.end()), perSecond: readings / seconds };
}

function watch(gateway: GatewayRig, progress: () => Promise<number>): { end(): Promise<Course> } {
  const course: Course = { perSecond: 0, done: [0], resident: [gateway.memory().bytes], peakBytes: 0 };
  let over = false;
  const loop = (async () => {
    while (!over) {
      await new Promise(resolve => setTimeout(resolve, SAMPLE_MS));
      if (over) break;
      course.done.push(await progress());
      course.resident.push(gateway.memory().bytes);
    }
  })();
  return {
    async end() {
      over = true;
      await loop;
      course.peakBytes = gateway.memory().peakBytes;
      return course;
    },
  };
}

/** The speed of the first and the last fifth. */
function slices({ done }: Course): string {
  const fifth = Math.floor(done.length / 5);
  if (fifth < 2) return 'too short for slices';
  const speed = (from: number, to: number) =>
    Math.round(((done[to] - done[from]) / ((to - from) * SAMPLE_MS)) * 1000).toLocaleString('en-US');
  return `first fifth ${speed(0, fifth)}/s, last fifth ${speed(done.length - 1 - fifth, done.length - 1)}/s`;
}

function memoryText({ resident }: Course): string {
  const at = (share: number) => Math.round(resident[Math.floor((resident.length - 1) * share)] / MiB);
  return `${at(0.25)}, ${at(0.5)}, ${at(0.75)}, ${at(1)} MiB at each quarter`;
}
