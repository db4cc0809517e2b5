import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..'));

function files(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => ending.test(name) && !name.includes('node_modules'))
    .map(name => `${folder}/${name}`);
}

/** Without comments: these name what they warn of. Strings stay, as module names are strings. */
function code(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  let out = '';
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan())
    out += `${scanner.getTokenText()} `;
  return out;
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\/\/.*$/gm, ' ');

/** Math.random however it is reached, the SDK's rng, and C's own generators. */
const INSECURE =
  /\bMath\s*(\.|\?\.|\[\s*['"`])\s*random\b|\{[^}]*\brandom\b[^}]*\}\s*=\s*Math\b|['"`]rng['"`]/;
const INSECURE_C = /\b(s?rand|random|srandom|rand_r|drand48|c_rand)\s*\(/;
const INSECURE_MODULE = /crypt\/etc|\brng\b/;

const sources = ['firmware', 'boards', 'host'].flatMap(folder => files(folder, /\.ts$/));

test('no key and no nonce can come from Math.random or rng', t => {
  t.true(sources.length > 100);
  t.deepEqual(
    sources.filter(path => INSECURE.test(code(readFileSync(join(root, path), 'utf8')))),
    [],
  );
});

test('what the search looks for is found', t => {
  for (const text of [
    'Math.random()',
    'Math . random ( )',
    "Math['random']()",
    'const { random } = Math;',
    "import rng from 'rng';",
    'const a = 1; // fine\nMath.random();',
  ])
    t.regex(code(text), INSECURE, text);
  for (const text of ['// Math.random', '/* rng */ a.random()', 'random.fill(key)', "import 'native/random'"])
    t.notRegex(code(text), INSECURE, text);
  t.regex('x = rand();', INSECURE_C);
  t.notRegex('get_rand_64(); esp_fill_random(out, size); bootloader_random_enable();', INSECURE_C);
});

test('native code takes its random from the chip alone', t => {
  const natives = files('firmware/native', /\.(c|h|js)$/);
  t.true(natives.length > 5);
  for (const path of natives)
    t.notRegex(withoutComments(readFileSync(join(root, path), 'utf8')), INSECURE_C, path);
  const random = withoutComments(readFileSync(join(root, 'firmware/native/random/native_random.c'), 'utf8'));
  t.regex(random, /get_rand_64\(\)/);
  t.regex(random, /rosc_hw->randombit/);
  t.regex(random, /sovereignSha256End\(&hash, out\)/);
  t.regex(random, /esp_fill_random\(out, size\)/);
});

test('no manifest brings in the SDK’s generator', t => {
  const manifests = [
    ...files('manifests', /\.json$/),
    ...files('boards', /\.json$/),
    ...files('firmware', /\.json$/),
  ];
  t.true(manifests.length > 8);
  for (const path of manifests) t.notRegex(readFileSync(join(root, path), 'utf8'), INSECURE_MODULE, path);
});

test('seeded numbers stay on the virtual board and out of what seals', t => {
  // Tests and simulations need them; a board's program must not be able to reach them.
  for (const path of sources.filter(path => path.startsWith('firmware/')))
    t.notRegex(code(readFileSync(join(root, path), 'utf8')), /SeededRandom|boards\/virtual/, path);
});

test('on a board, all random is native', t => {
  const main = code(readFileSync(join(root, 'firmware/main.ts'), 'utf8'));
  t.regex(main, /import \{ fill \} from 'native\/random'/);
});
