import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import ts from 'typescript';
import { compiled, edited } from './apply.js';
import { DEFECTS } from './defects.js';

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
