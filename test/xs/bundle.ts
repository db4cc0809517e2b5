/**
 * Makes one script, as the engine evaluates it, of a compiled module and everything that it imports. The
 * engine has no module loader here; on a board the build of the firmware does this.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plugin, rollup } from 'rollup';
import { root } from './engine.js';

/** The packages that run on boards. Anything else from outside, `node:` modules above all, is an error. */
const PACKAGES = ['@noble/hashes'];

/**
 * @param entry a module in `build/`, as a path from there: `test/xs/side/seal.js`
 * @returns a script in strict mode without imports and exports
 */
export async function bundle(entry: string): Promise<string> {
  const build = await rollup({
    input: join(root, 'build', entry),
    plugins: [packages],
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  try {
    const { output } = await build.generate({ format: 'iife', strict: true });
    return output[0].code;
  } finally {
    await build.close();
  }
}

/** Finds a package's file as a board would: under the conditions `import` and `default`, never `node`. */
const packages: Plugin = {
  name: 'packages',
  resolveId(specifier) {
    if (/^[./]|^\0/.test(specifier)) return null;
    const name = PACKAGES.find(known => specifier.startsWith(`${known}/`));
    if (name === undefined) throw new Error(`${specifier} is not there on a board`);
    const folder = join(root, 'node_modules', name);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      exports: Record<string, string | Record<string, string>>;
    };
    const target = manifest.exports[`.${specifier.slice(name.length)}`];
    const file = typeof target === 'string' ? target : (target?.import ?? target?.default);
    if (typeof file !== 'string') throw new Error(`${name} has no ${specifier}`);
    return join(folder, file);
  },
};
