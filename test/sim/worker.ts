/** Runs the seeds that it is told, one after another, for `pool.ts`. */
import type { Said } from './pool.js';
import { simulate } from './simulation.js';

process.on('message', async (seed: number) => {
  const before = process.cpuUsage();
  const outcome = await simulate(seed);
  const { user, system } = process.cpuUsage(before);
  const said: Said = { outcome: { ...outcome, faults: [] }, cpuSeconds: (user + system) / 1e6 };
  process.send!(said);
});
process.on('disconnect', () => process.exit());
