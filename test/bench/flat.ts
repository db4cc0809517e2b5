/** What a reading costs the gateway whatever the number of devices that send: processor time, since that is not the machine's load. */
import { median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import type { Row } from './row.js';
import { prepareSenders, sendAll } from './senders.js';

const DEVICES = [1, 50, 1000] as const;
/** In flight of each device: what comes from one is receipted together. */
const WINDOW = 256;
const WARM_UP_DEVICES = 50;
const WARM_UP_READINGS = 20_000;
const FLAT = 1.2;

/** @param readings of all devices together, in each run */
export async function flatRows(readings = 200_000, runs = 3): Promise<Row[]> {
  const costs = new Map<number, number[]>(DEVICES.map(devices => [devices, []]));
  for (let run = 0; run < runs; run++)
    for (const devices of DEVICES) costs.get(devices)!.push(await costOf(devices, readings));
  const [one, some, many] = DEVICES.map(devices => median(costs.get(devices)!));
  const ratio = Math.max(one, some, many) / Math.min(one, some, many);
  return [
    {
      name: `processor time of a reading from ${DEVICES.join(', ')} devices, dearest to cheapest`,
      value: Math.round(ratio * 100) / 100,
      unit: 'times',
      reference: `${one.toFixed(2)}, ${some.toFixed(2)}, ${many.toFixed(2)} µs`,
      goal: `≤ ${FLAT}`,
      met: ratio <= FLAT,
    },
  ];
}

/** µs a reading, after the compiler has had its share. */
async function costOf(devices: number, readings: number): Promise<number> {
  const warm = prepareSenders(WARM_UP_DEVICES, WARM_UP_READINGS / WARM_UP_DEVICES, devices + 1);
  const senders = prepareSenders(devices, Math.ceil(readings / devices));
  const gateway = await GatewayRig.start([...senders, ...warm].map(({ identity }) => identity.entry()));
  try {
    await sendAll(warm, gateway.port, WINDOW);
    let before = 0;
    await sendAll(senders, gateway.port, WINDOW, () => {
      before = gateway.cpuMs();
    });
    return ((gateway.cpuMs() - before) / (devices * Math.ceil(readings / devices))) * 1000;
  } finally {
    await gateway.stop();
  }
}
