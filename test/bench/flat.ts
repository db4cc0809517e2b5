/**
 * What a reading costs the gateway whatever the number of devices that send: processor time, since that is not the machine's load.
 * What makes a difference is how many readings come together, from one device (read and receipted at once) and from all
 * (written and synced at once); so each pair differs in the number of devices and in one of these at most.
 */
import { median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import type { Row } from './row.js';
import { prepareSenders, sendAll } from './senders.js';

interface Load {
  readonly devices: number;
  /** Readings in flight of each. */
  readonly window: number;
}

/** As many in flight in all; as many in flight of each. */
const PAIRS: readonly (readonly [Load, Load])[] = [
  [
    { devices: 1, window: 12_800 },
    { devices: 50, window: 256 },
  ],
  [
    { devices: 50, window: 12 },
    { devices: 1000, window: 12 },
  ],
];
const WARM_UP_DEVICES = 50;
const WARM_UP_READINGS = 20_000;
const FLAT = 1.2;

/** @param readings of all devices together, in each run */
export async function flatRows(readings = 200_000, runs = 3): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [few, many] of PAIRS) {
    const costs: [number[], number[]] = [[], []];
    for (let run = 0; run < runs; run++)
      for (const [i, load] of [few, many].entries()) costs[i].push(await costOf(load, readings));
    const [one, other] = costs.map(median);
    const ratio = Math.max(one, other) / Math.min(one, other);
    const text = ({ devices, window }: Load) => `${devices} with ${window} in flight each`;
    rows.push({
      name: `processor time of a reading from ${few.devices} and from ${many.devices} devices, the dearer to the cheaper`,
      value: Math.round(ratio * 100) / 100,
      unit: 'times',
      reference: `${one.toFixed(1)} µs from ${text(few)}, ${other.toFixed(1)} µs from ${text(many)}`,
      goal: `≤ ${FLAT}`,
      met: ratio <= FLAT,
    });
  }
  return rows;
}

/** µs a reading, after the compiler has had its share. */
async function costOf({ devices, window }: Load, readings: number): Promise<number> {
  const warm = prepareSenders(WARM_UP_DEVICES, WARM_UP_READINGS / WARM_UP_DEVICES, devices + 1);
  const senders = prepareSenders(devices, Math.ceil(readings / devices));
  const gateway = await GatewayRig.start([...senders, ...warm].map(({ identity }) => identity.entry()));
  try {
    await sendAll(warm, gateway.port, Math.min(window, 256));
    let before = 0;
    await sendAll(senders, gateway.port, window, () => {
      before = gateway.cpuMs();
    });
    return ((gateway.cpuMs() - before) / (devices * Math.ceil(readings / devices))) * 1000;
  } finally {
    await gateway.stop();
  }
}
