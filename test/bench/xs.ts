import { measureDevice } from '../xs/board.js';
import { measureSeal, recordedCosts } from '../xs/measure.js';
import type { Row } from './row.js';

const SEALS = 10_000;
const CYCLES = 10_000;

/**
 * Costs on the XS engine: exact counts, not times. The meter counts what the engine executes; slots and chunk
 * bytes are counted after a forced collection.
 */
export async function xsRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const recorded = recordedCosts();
  const series = [
    ['seal, without the digest', SEALS, () => measureSeal('free', SEALS)],
    ['seal, with the digest of the virtual board', SEALS, () => measureSeal('noble', SEALS)],
    ['device, sample to receipt, without the digest', CYCLES, () => measureDevice(CYCLES, 100)],
  ] as const;
  for (const [name, rounds, run] of series) {
    const measured = await run();
    const reference = `recorded ${recorded[name]?.meter ?? 'nowhere'}`;
    const over = `over ${rounds}`;
    rows.push({ name: `XS ${name}`, value: measured.meter, unit: 'meter', reference });
    rows.push({ name: `XS ${name}: garbage`, value: measured.garbageSlots, unit: 'slots' });
    rows.push({ name: `XS ${name}: heap growth ${over}`, value: measured.growthSlots, unit: 'slots' });
    rows.push({
      name: `XS ${name}: heap growth ${over}`,
      value: measured.growthChunkBytes,
      unit: 'chunk bytes',
    });
  }
  return rows;
}
