/** How late new readings come out of the broker while a backlog drains beside them, `order: live-first`. */
import mqtt from 'mqtt';
import { sealedTopic } from '../../host/uplink/topics.js';
import type { Driver } from './driver.js';
import { percentile } from './figures.js';
import type { GatewayRig } from './gateway-rig.js';
import { atRate } from './latency.js';
import type { Row } from './row.js';

const PER_SECOND = 200;
const MAX_MS = 250;
const MAX_SECONDS = 10;

export interface Lateness {
  readonly ms: readonly number[];
  /** Readings of the backlog that were still to be published when the last of them was sent. */
  readonly left: number;
}

/** From the frame sent by a device to the message taken from the broker by somebody who subscribes to that device. */
export async function liveLatencies(gateway: GatewayRig, device: Driver, url: string): Promise<Lateness> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 });
  const sentAt: number[] = [];
  const ms: number[] = [];
  const all = new Promise<void>(resolve => {
    client.on('message', () => {
      ms.push(performance.now() - sentAt[ms.length]);
      if (ms.length === PER_SECOND * MAX_SECONDS) resolve();
    });
  });
  await client.subscribeAsync(sealedTopic('bench', device.identity.idText), { qos: 1 });
  await atRate(PER_SECOND, MAX_SECONDS, () => {
    sentAt.push(performance.now());
    device.sendOne();
  });
  const { uplink } = await gateway.status();
  await Promise.race([all, new Promise(resolve => setTimeout(resolve, 10_000))]);
  await client.endAsync(true);
  return { ms, left: (uplink?.head ?? 0) - (uplink?.cursor ?? 0) };
}

export function liveRow({ ms, left }: Lateness): Row {
  const p99 = percentile(ms, 99);
  const lost = PER_SECOND * MAX_SECONDS - ms.length;
  return {
    name: `live-first: from frame to subscriber, ${PER_SECOND} live readings/s while a backlog drains, p99`,
    value: Math.round(p99 * 10) / 10,
    unit: 'ms',
    reference: `median ${percentile(ms, 50).toFixed(1)} ms${lost > 0 ? `, ${lost} not come` : ''}; ${left} of the backlog left at the end`,
    goal: `≤ ${MAX_MS} ms`,
    met: p99 <= MAX_MS && lost === 0 && left > 0,
  };
}
