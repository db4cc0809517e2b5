import test from 'ava';
import { freshSeed } from '../support/prng.js';
import { targets } from './targets.js';

/** Of each property, or fewer where a case takes long; `run.ts` does a million of each target. */
const CASES = 20_000;
const seed = freshSeed();

for (const { name, properties, slowness = 1 } of targets) {
  for (const property of properties) {
    test.serial(`${name}: ${property.name}`, async t => {
      t.log(`SEED=${seed}`);
      const { cases, accepted } = await property.run(CASES / slowness, seed);
      t.true(cases >= CASES / slowness);
      // A reader that takes nothing, or everything, would hold any property.
      t.true(accepted > 0, 'no input was taken');
    });
  }
}
