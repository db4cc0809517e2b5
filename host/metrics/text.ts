/**
 * A status as the text that Prometheus scrapes (exposition format 0.0.4).
 *
 * Everything is told as it is in this one status: no series outlives what it tells of, and a gateway that is not scraped
 * does nothing for it.
 */
import type { Counter, Gauge } from 'prom-client';
import type { NodeStatus } from '../control/status.js';
import { deviceFamilies } from './device-families.js';
import type { Family, Labels } from './family.js';
import { GATEWAY } from './gateway-families.js';
import { STORES } from './store-families.js';
import { UPLINK } from './uplink-families.js';

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** All that a gateway can tell. */
export function families(maxDevices: number): readonly Family[] {
  return [...GATEWAY, ...STORES, ...UPLINK, ...deviceFamilies(maxDevices)];
}

/** Samples after which others get their turn: with a thousand devices the whole would take a tenth of a second or more. */
const MAX_AT_ONCE = 500;

/**
 * @param told what `families` gives
 * @param breathe lets what else is to be done be done
 */
export async function metricsText(
  told: readonly Family[],
  status: NodeStatus,
  breathe: () => Promise<void>,
): Promise<string> {
  // Loaded at the first scrape: who does not scrape does without.
  const { Counter, Gauge, Registry } = await import('prom-client');
  const texts: string[] = [];
  let atOnce = 0;
  for (const { name, help, type, labels = [], samples } of told) {
    const present = samples(status).filter(({ value }) => value !== undefined && Number.isFinite(value));
    if (present.length === 0) continue;
    const registry = new Registry();
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    const set = type === 'gauge' ? setter(new Gauge(options)) : adder(new Counter(options));
    for (const { labels: of = {}, value = 0 } of present) set(of, value);
    texts.push(await registry.metrics());
    atOnce += present.length;
    if (atOnce < MAX_AT_ONCE) continue;
    atOnce = 0;
    await breathe();
  }
  return texts.join('\n');
}

const setter = (metric: Gauge) => (labels: Labels, value: number) => metric.set(labels, value);
/** Its metric is new and begins at 0. */
const adder = (metric: Counter) => (labels: Labels, value: number) => metric.inc(labels, Math.max(0, value));
