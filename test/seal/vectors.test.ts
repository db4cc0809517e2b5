import { readFileSync } from 'node:fs';
import test from 'ava';
import * as seal from '../../firmware/seal/index.js';
import { CHECKS } from '../vectors/check.js';
import { DIGESTS } from './support.js';

const folder = new URL('../../../test/vectors/', import.meta.url);

for (const [name, digest] of DIGESTS) {
  for (const { file, check } of CHECKS) {
    test(`${file} with ${name}`, t => {
      const vectors = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
      t.deepEqual(check({ seal, digest }, vectors), []);
    });
  }
}
