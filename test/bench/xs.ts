import { measureDevice } from '../xs/board.js';
import { measureSeal, recordedCosts } from '../xs/measure.js';
import { count } from './figures.js';
import type { Row } from './row.js';

const SEALS = 10_000;
const CYCLES = 10_000;
/** What the meter showed before the seal was made cheaper, and how much of it may be left. */
const SEAL_BEFORE = 2444;
const SEAL_SHARE = 0.7;

/**
 * Costs on the XS engine: exact counts, not times. The meter counts what the engine executes; slots and chunk
 * bytes are counted after a forced collection.
 */
export async function xsRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const recorded = recordedCosts();
  const series = [
    ['seal, without the digest', SEALS, () => measureSeal('free', SEALS), SEAL_SHARE * SEAL_BEFORE],
    ['seal, with the digest of the virtual board', SEALS, () => measureSeal('noble', SEALS), undefined],
    ['device, sample to receipt, without the digest', CYCLES, () => measureDevice(CYCLES, 100), undefined],
  ] as const;
  for (const [name, rounds, run, most] of series) {
    const { meter, garbageSlots, growthSlots, growthChunkBytes } = await run();
    const grows = growthSlots > 0 || growthChunkBytes > 0;
    const limit = most === undefined ? '' : `≤ ${count(most)}, 70 % of what it was, and `;
    rows.push({
      name: `XS ${name}`,
      value: meter,
      unit: 'on the meter',
      reference: `recorded ${recorded[name]?.meter ?? 'nowhere'}; ${garbageSlots} slots of garbage; heap growth over ${count(rounds)}: ${growthSlots} slots, ${growthChunkBytes} chunk bytes`,
      goal: `${limit}no heap growth`,
      met: !grows && (most === undefined || meter <= most),
    });
  }
  return rows;
}
