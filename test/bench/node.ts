import { createHmac } from 'node:crypto';
import { cpus, totalmem } from 'node:os';
import { label, Sealer } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import type { Row } from './row.js';

const SEALS = 200_000;

/** Seals of one record on this machine, beside the bare HMAC of as many bytes. */
export function nodeRows(): Row[] {
  const sealer = new Sealer(nodeDigest, new Uint8Array(8).fill(7));
  sealer.startEpoch(1, new Uint8Array(32).fill(1));
  const temperature = label('temperature', 'Cel');
  let bytes = 0;
  const sealing = perSecond(SEALS, i => {
    sealer.begin(1000 * i, 1_767_225_600_000 + i).number(temperature, 20 + (i % 100) / 10);
    bytes = sealer.seal();
  });
  const key = new Uint8Array(32).fill(2);
  const data = new Uint8Array(bytes);
  const hmac = perSecond(SEALS, () => void createHmac('sha256', key).update(data).digest());
  return [
    {
      name: `seal of one record, ${bytes} bytes`,
      value: sealing,
      unit: '/s',
      reference: `bare HMAC-SHA256 of ${bytes} bytes ${Math.round(hmac)}/s`,
    },
  ];
}

/** What the figures were measured on. */
export function machine(): string {
  const [first] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${first?.model.trim()}, ${memory} GiB, Node ${process.version}, Linux`;
}

function perSecond(count: number, step: (i: number) => void): number {
  for (let i = 0; i < count / 10; i++) step(i);
  const began = performance.now();
  for (let i = 0; i < count; i++) step(i);
  return (count / (performance.now() - began)) * 1000;
}
