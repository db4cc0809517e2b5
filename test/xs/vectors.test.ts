import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as seal from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { freshSeed, type Prng, prng } from '../support/prng.js';
import { CHECKS } from '../vectors/check.js';
import { bundle } from './bundle.js';
import { root } from './engine.js';
import { XsWorker } from './worker.js';

const folder = join(root, 'test', 'vectors');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

let xs: XsWorker;
test.before(async () => {
  xs = await XsWorker.start();
  await xs.evaluate(await bundle('test/xs/side/vectors.js'));
});
test.after.always(() => xs?.end());

for (const { file } of CHECKS) {
  test.serial(`${file} on XS`, async t => {
    t.deepEqual((await xs.call('check', file, JSON.parse(read(file)))).value, []);
  });
}

test.serial('every file of vectors is run', t => {
  const files = readdirSync(folder).filter(name => name.endsWith('.json'));
  t.deepEqual(CHECKS.map(({ file }) => file).sort(), files.sort());
});

test.serial('XS finds in altered vectors what Node finds', async t => {
  const seed = freshSeed();
  t.log('SEED', seed);
  const random = prng(seed);
  let findings = 0;
  for (const { file, check } of CHECKS) {
    for (let round = 0; round < 4; round++) {
      const altered = alterOne(JSON.parse(read(file)), random);
      let onNode: string[] | 'threw';
      try {
        onNode = check({ seal, digest: nodeDigest }, altered);
        findings += onNode.length;
      } catch {
        onNode = 'threw';
      }
      const onXs = await xs.call('check', file, altered).then(
        ({ value }) => value,
        () => 'threw',
      );
      t.deepEqual(onXs, onNode, file);
    }
  }
  t.true(findings > 0);
});

/** Changes one text somewhere in the vectors: a hex digit, or the end of a name. */
function alterOne(vectors: unknown, random: Prng): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const walk = (holder: Record<string, unknown>) => {
    for (const [key, value] of Object.entries(holder)) {
      if (typeof value === 'string' && key !== 'note') places.push({ holder, key });
      else if (typeof value === 'object' && value !== null) walk(value as Record<string, unknown>);
    }
  };
  walk(vectors as Record<string, unknown>);
  const { holder, key } = places[Math.floor(random() * places.length)];
  const text = holder[key] as string;
  const at = Math.floor(random() * text.length);
  const digit = (Number.parseInt(text[at], 16) ^ 1).toString(16);
  holder[key] = /^[0-9a-f]+$/.test(text) ? text.slice(0, at) + digit + text.slice(at + 1) : `${text}?`;
  return vectors;
}
