import { randomFillSync } from 'node:crypto';
import type { Random } from '../ports.js';

/** The kernel's randomness. */
export const systemRandom: Random = { fill: target => void randomFillSync(target) };
