/**
 * Frames in over real TCP, verified, journalled on the real disk, receipted: the gateway as a process of its own, 50 devices
 * in this one, each with its window full. Beside it, what one core does that only computes the HMACs of the same envelopes.
 */
import { createHmac, createSecretKey } from 'node:crypto';
import { EnvelopeReader, toHex } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { count, median } from './figures.js';
import { GatewayRig } from './gateway-rig.js';
import { type Row, share } from './row.js';
import { prepareSenders, type Sender, sendAll } from './senders.js';

const DEVICES = 50;
/** In flight a device. */
const WINDOW = 256;

/** Parses and verifies every envelope, one key a device, and nothing else. */
function verifyOnly(senders: readonly Sender[]): number {
  const reader = new EnvelopeReader();
  const start = performance.now();
  for (const { identity, envelopes } of senders) {
    const mac = nodeDigest.hmac(identity.sealKey(0));
    for (const bytes of envelopes)
      if (reader.parse(bytes, 0, bytes.length) !== '' || !reader.verify(mac))
        throw new Error(`${toHex(bytes)} does not verify`);
  }
  return performance.now() - start;
}

/** As everybody would write it: `createHmac` over the same bytes. */
function hmacOnly(senders: readonly Sender[]): number {
  const start = performance.now();
  for (const { identity, envelopes } of senders) {
    const key = createSecretKey(identity.sealKey(0));
    for (const bytes of envelopes)
      createHmac('sha256', key)
        .update(bytes.subarray(0, bytes.length - 34))
        .digest();
  }
  return performance.now() - start;
}

/** @param readings of each of the 50 devices, in each run */
export async function intakeRows(readings = 6_000, runs = 5): Promise<Row[]> {
  const senders = prepareSenders(DEVICES, readings);
  const total = DEVICES * readings;
  const whole: number[] = [];
  const costs: number[] = [];
  const bare: number[] = [];
  const hmac: number[] = [];
  for (let run = 0; run < runs; run++) {
    hmac.push(hmacOnly(senders));
    bare.push(verifyOnly(senders));
    const gateway = await GatewayRig.start(senders.map(({ identity }) => identity.entry()));
    try {
      const before = gateway.cpuMs();
      whole.push(await sendAll(senders, gateway.port, WINDOW));
      costs.push(((gateway.cpuMs() - before) / total) * 1000);
    } finally {
      await gateway.stop();
    }
  }
  const perSecond = (ms: readonly number[]) => Math.round((total / median(ms)) * 1000);
  const [speed, reference] = [perSecond(whole), perSecond(hmac)];
  const beside = (value: number) => `bare HMAC on one core ${count(reference)}/s: ${share(value, reference)}`;
  return [
    {
      name: `intake: tcp, verified, journalled, receipted, ${DEVICES} devices, windows full`,
      value: speed,
      unit: 'readings/s',
      reference: beside(speed),
      goal: '≥ 120,000/s and ≥ 50 % of bare HMAC',
      met: speed >= 120_000 && speed >= reference / 2,
    },
    { name: 'intake: processor time of the gateway', value: median(costs), unit: 'µs a reading' },
    {
      name: 'envelopes parsed and verified, nothing else',
      value: perSecond(bare),
      unit: 'readings/s',
      reference: beside(perSecond(bare)),
    },
  ];
}
