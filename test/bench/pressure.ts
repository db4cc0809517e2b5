/**
 * Back-pressure: disk, broker and subscriber are slowed down on purpose, one after another, while devices send at a steady rate.
 * A slow disk slows receipts, a slow broker only lengthens the backlog, a slow subscriber hurts nobody; and nothing grows
 * without bound.
 */
import mqtt from 'mqtt';
import { SEALED_FILTER } from '../../host/uplink/topics.js';
import { Mosquitto } from '../support/brokers.js';
import { findProgram } from '../support/needs.js';
import { mayTrace, underStrace } from '../support/strace.js';
import { Driver } from './driver.js';
import { count, percentile } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import { atRate } from './latency.js';
import type { Row } from './row.js';

const DEVICES = 20;
const PER_SECOND = 2000;
const WINDOW = 256;
/** What a sync takes on the slow disk. */
const SLOW_SYNC_MS = 100;
const MiB = 1024 * 1024;
const MAX_MEMORY_MIB = 150;

interface Course {
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  /** Readings that were receipted and not published, at the end of the load. */
  readonly backlog: number;
  /** How long until all were published after it. */
  readonly drainMs: number;
  readonly peakMiB: number;
}

interface Slowed {
  readonly wrap?: readonly string[];
  begin?(): Promise<void> | void;
  end?(): Promise<void> | void;
}

/** @param seconds of each of the four loads */
export async function pressureRows(seconds = 6): Promise<Row[]> {
  const broker = await Mosquitto.start(['max_queued_messages 1000', 'max_inflight_messages 1000']);
  try {
    const usual = await course(broker, seconds, {});
    const disk = await slowDisk(broker, seconds);
    const stalled = await course(broker, seconds, {
      begin: () => broker.signal('SIGSTOP'),
      end: () => broker.signal('SIGCONT'),
    });
    const subscriber = await slowSubscriber(broker, seconds);
    const beside = `at ease: receipts p50 ${usual.p50.toFixed(1)} ms, p99 ${usual.p99.toFixed(1)} ms, ${count(usual.perSecond)}/s`;
    const rows = [
      row('the broker stopped', stalled, beside, 'receipts as at ease, the backlog waits and drains', {
        met: stalled.perSecond >= 0.95 * usual.perSecond && stalled.backlog >= 0.9 * PER_SECOND * seconds,
      }),
      row('a subscriber that takes nothing', subscriber, beside, 'nobody else is slowed down', {
        met: subscriber.perSecond >= 0.95 * usual.perSecond && subscriber.drainMs < 2000,
      }),
    ];
    if (typeof disk === 'string')
      return [...rows, { name: `slow disk: not run, ${disk}`, value: 0, unit: '' }];
    const met = disk.p50 >= SLOW_SYNC_MS / 2 && disk.perSecond >= 0.8 * usual.perSecond;
    return [
      row(
        `every fdatasync ${SLOW_SYNC_MS} ms later`,
        disk,
        beside,
        'receipts as slow as the disk, no fewer readings',
        { met },
      ),
      ...rows,
    ];
  } finally {
    await broker.stop();
  }
}

function row(what: string, slow: Course, beside: string, goal: string, { met }: { met: boolean }): Row {
  const { p50, p99, perSecond, backlog, drainMs, peakMiB } = slow;
  return {
    name: `back-pressure, ${what}: receipts of ${count(PER_SECOND)} readings/s, p99`,
    value: Math.round(p99 * 10) / 10,
    unit: 'ms',
    reference: `p50 ${p50.toFixed(1)} ms, ${count(perSecond)}/s receipted, backlog ${count(backlog)}, gone ${Math.round(drainMs)} ms later, gateway at most ${Math.round(peakMiB)} MiB; ${beside}`,
    goal,
    met: met && peakMiB <= MAX_MEMORY_MIB,
  };
}

async function slowDisk(broker: Mosquitto, seconds: number): Promise<Course | string> {
  const strace = findProgram('strace');
  if (strace === undefined) return 'strace is not installed';
  const refusal = mayTrace(strace);
  if (refusal !== '') return refusal;
  const rule = `fdatasync:delay_enter=${SLOW_SYNC_MS * 1000}`;
  return course(broker, seconds, { wrap: underStrace(strace, [rule], '/dev/null') });
}

/** A client that subscribes to everything, and whose socket nobody reads. */
async function slowSubscriber(broker: Mosquitto, seconds: number): Promise<Course> {
  const client = await mqtt.connectAsync(broker.url, {
    protocolVersion: 5,
    reconnectPeriod: 0,
    keepalive: 0,
  });
  await client.subscribeAsync(SEALED_FILTER, { qos: 1 });
  client.stream.pause();
  (client.stream as unknown as { removeAllListeners(event: string): void }).removeAllListeners('data');
  try {
    return await course(broker, seconds, {});
  } finally {
    client.end(true);
  }
}

async function course(broker: Mosquitto, seconds: number, slowed: Slowed): Promise<Course> {
  const drivers = Array.from({ length: DEVICES }, (_, i) => new Driver(i + 1, WINDOW));
  const gateway = await GatewayRig.create(
    drivers.map(({ identity }) => identity.entry()),
    `uplink: { broker: "${broker.url}", readingTopic: false }`,
  );
  const latencies: number[] = [];
  try {
    await gateway.run(slowed.wrap);
    for (const driver of drivers) await driver.open(gateway.port);
    await Promise.all(drivers.map(driver => driver.send(100)));
    await gateway.drained();
    for (const driver of drivers) driver.onLatency = ms => latencies.push(ms);
    await slowed.begin?.();
    const before = receipted(drivers);
    const began = performance.now();
    await atRate(PER_SECOND, seconds, i => drivers[i % DEVICES].sendOne());
    const perSecond = ((receipted(drivers) - before) / (performance.now() - began)) * 1000;
    const { uplink } = await gateway.status();
    const backlog = (uplink?.head ?? 0) - (uplink?.cursor ?? 0);
    await slowed.end?.();
    const ended = performance.now();
    await gateway.drained();
    const drainMs = performance.now() - ended;
    return {
      p50: percentile(latencies, 50),
      p99: percentile(latencies, 99),
      perSecond,
      backlog,
      drainMs,
      peakMiB: gateway.memory().peakBytes / MiB,
    };
  } finally {
    for (const driver of drivers) driver.close();
    await gateway.stop();
  }
}

function receipted(drivers: readonly Driver[]): number {
  return drivers.reduce((sum, driver) => sum + driver.receipted, 0);
}
