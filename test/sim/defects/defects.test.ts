import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import ts from 'typescript';
import type { Failure } from '../simulation.js';
import { compiled, edited } from './apply.js';
import type { Defect } from './defect.js';
import { DEFECTS } from './defects.js';
import { HINTS } from './hints.js';
import { hunt, Pool } from './hunt.js';
import { runSeed } from './run-seed.js';

const ROOT = new URL('../../../../', import.meta.url);

test('each defect is in text that the product has exactly once, and leaves JavaScript', t => {
  for (const { name, edits } of DEFECTS) {
    const texts = new Map<string, string>();
    t.notThrows(() => {
      for (const edit of edits) {
        // The folder with what was compiled may hold what has no source any more.
        t.true(existsSync(new URL(edit.file, ROOT)), edit.file);
        const text = texts.get(edit.file) ?? readFileSync(compiled(edit.file), 'utf8');
        texts.set(edit.file, edited(text, edit, name));
      }
    }, name);
    for (const text of texts.values()) {
      const { diagnostics } = ts.transpileModule(text, {
        reportDiagnostics: true,
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      });
      t.deepEqual(diagnostics?.map(({ messageText }) => messageText) ?? [], [], name);
    }
  }
  t.true(DEFECTS.length >= 40);
  t.is(new Set(DEFECTS.map(({ name }) => name)).size, DEFECTS.length);
});

const pool = new Pool(2);

for (const defect of DEFECTS) {
  test(`caught: ${defect.name}`, async t => {
    const { name, budget } = defect;
    const hint = HINTS[name];
    const { seed, tried, what, crashed } = await pool.run(() =>
      hunt(defect, hint === undefined ? [] : [hint], budget),
    );
    t.not(seed, undefined, `${tried} seeds do not show it. ${crashed}`);
    t.not(what, '');
    if (seed !== hint) t.log(`found by seed ${seed}, not by ${hint}: npm run sim -- --defects --update`);
    t.is(await without(defect, seed!), undefined, `seed ${seed} fails without the defect, too`);
  });
}

/** What the same seed shows of the product as it is; one after another, once each. */
const sound = new Map<string, Promise<Failure | undefined>>();
let last: Promise<unknown> = Promise.resolve();

function without(defect: Defect, seed: number): Promise<Failure | undefined> {
  const key = `${defect.within} ${seed}`;
  let outcome = sound.get(key);
  if (outcome === undefined) {
    outcome = last.then(() => runSeed(defect, seed));
    last = outcome;
    sound.set(key, outcome);
  }
  return outcome;
}
