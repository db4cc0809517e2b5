import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
const MAX_LINES = 400;

interface Source {
  path: string;
  text: string;
  /** Paths from the root for relative imports, specifiers for packages and `node:` modules. */
  imports: string[];
}

function sources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.includes('node_modules'))
    .map(name => {
      const path = join(folder, name);
      const text = readFileSync(join(root, path), 'utf8');
      const imports = ts
        .preProcessFile(text)
        .importedFiles.map(({ fileName }) =>
          fileName.startsWith('.')
            ? relative(root, join(root, dirname(path), fileName)).replace(/\.js$/, '.ts')
            : fileName,
        );
      return { path, text, imports };
    });
}

const firmware = sources('firmware');
const boards = sources('boards');
const PAGE = 'host/web/page';
/** Runs in a browser, and is bundled apart from the rest. */
const page = sources(PAGE);
const host = sources('host').filter(({ path }) => !path.startsWith(`${PAGE}/`));
const tests = sources('test');
const isPackage = (specifier: string) => !specifier.includes('.ts');
const under = (path: string, ...folders: string[]) =>
  folders.some(folder => path === folder || path.startsWith(`${folder}/`));

function offenders(files: Source[], allowed: (specifier: string, file: Source) => boolean): string[] {
  return files.flatMap(file =>
    file.imports
      .filter(specifier => !allowed(specifier, file))
      .map(specifier => `${file.path} imports ${specifier}`),
  );
}

/** The text without comments, so that a word in a comment is not taken for a use. */
function code(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text);
  let out = '';
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    const comment =
      token === ts.SyntaxKind.SingleLineCommentTrivia || token === ts.SyntaxKind.MultiLineCommentTrivia;
    const literal =
      token === ts.SyntaxKind.StringLiteral || token === ts.SyntaxKind.NoSubstitutionTemplateLiteral;
    out += comment || literal ? ' ' : scanner.getTokenText();
  }
  return out;
}

test('firmware/seal imports nothing outside itself', t => {
  const seal = firmware.filter(({ path }) => under(path, 'firmware/seal'));
  t.true(seal.length > 0);
  t.deepEqual(
    offenders(seal, specifier => under(specifier, 'firmware/seal')),
    [],
  );
});

/** What only the SDK's build knows: its own modules, the native ones, and the board that it builds for. */
const OF_THE_BOARD = /^(timer$|net$|embedded:|native\/|boards\/this\/)/;

test('firmware imports firmware alone, and boards add their own folder and one hash library', t => {
  t.deepEqual(
    offenders(
      firmware,
      (specifier, { path }) =>
        under(specifier, 'firmware') || (path === 'firmware/main.ts' && OF_THE_BOARD.test(specifier)),
    ),
    [],
  );
  t.deepEqual(
    offenders(
      boards,
      (specifier, { path }) =>
        under(specifier, 'firmware', 'boards') ||
        (under(path, 'boards/virtual')
          ? specifier.startsWith('@noble/hashes/')
          : OF_THE_BOARD.test(specifier)),
    ),
    [],
  );
});

test('the host takes only the seal from the other side; simulate alone runs the device code', t => {
  t.deepEqual(
    offenders(host, (specifier, file) => {
      if (isPackage(specifier) || under(specifier, 'host', 'firmware/seal')) return true;
      return (
        under(file.path, 'host/cli/simulate.ts', 'host/cli/simulate') &&
        under(specifier, 'firmware', 'boards/virtual')
      );
    }),
    [],
  );
});

test('the host takes its effects from ports: the commands alone reach into host/node', t => {
  t.deepEqual(
    offenders(
      host,
      (specifier, file) => !under(specifier, 'host/node') || under(file.path, 'host/cli', 'host/node'),
    ),
    [],
  );
});

test('the page imports itself, its plots, texts that the commands have too, and what it and the gateway say to each other', t => {
  t.true(page.length > 0);
  const spoken = ['host/control', 'host/ports.ts', 'host/texts.ts', 'host/web/messages.ts'];
  t.deepEqual(
    offenders(page, specifier => specifier === 'uplot' || under(specifier, PAGE, ...spoken)),
    [],
  );
  const code = page.filter(({ text }) =>
    /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc)\b/.test(text),
  );
  t.deepEqual(
    code.map(({ path }) => path),
    [],
    'a text never becomes markup',
  );
});

test('no product code imports a test', t => {
  t.deepEqual(
    offenders([...firmware, ...boards, ...host, ...page], specifier => !under(specifier, 'test')),
    [],
  );
});

/** Where each effect and each package with effects may be imported. */
const IMPORTED_IN: Record<string, readonly string[]> = {
  'node:fs': ['host/node'],
  'node:fs/promises': ['host/node'],
  'node:net': ['host/node'],
  'node:http': ['host/node'],
  'node:https': ['host/node'],
  ws: ['host/node/web-sockets.ts', 'host/node/broker-socket.ts'],
  'node:child_process': ['host/node'],
  'node:crypto': ['host/node'],
  'node:os': ['host/node'],
  'node:timers': ['host/node'],
  'node:timers/promises': ['host/node'],
  mqtt: ['host/node/broker.ts'],
  aedes: ['host/node/embedded-broker.ts'],
  serialport: ['host/node/serial.ts'],
  onoff: ['host/node/gpio.ts'],
  pino: ['host/node/log.ts'],
  yaml: ['host/config', 'host/keyring/file.ts'],
  zod: ['host/config', 'host/config.ts', 'host/keyring/file.ts'],
  commander: ['host/cli'],
  'prom-client': ['host/metrics'],
  'age-encryption': ['host/backup/age.ts'],
};

test('every effect is imported in one place', t => {
  t.deepEqual(
    offenders(host, (specifier, file) => {
      const places = IMPORTED_IN[specifier];
      return places === undefined || under(file.path, ...places);
    }),
    [],
  );
});

const EFFECT =
  /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|Math\.random|console\.)/;

test('time, timers, chance and the console are used in host/node alone', t => {
  const users = [...firmware, ...boards, ...host]
    .filter(({ path }) => !under(path, 'host/node', 'firmware/main.ts'))
    .filter(({ text }) => EFFECT.test(code(text)))
    .map(({ path, text }) => `${path} uses ${EFFECT.exec(code(text))![1]}`);
  t.deepEqual(users, []);
});

test(`no source is longer than ${MAX_LINES} lines`, t => {
  const long = [...firmware, ...boards, ...host, ...page, ...tests]
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES);
  t.deepEqual(long, []);
});
