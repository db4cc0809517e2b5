import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type LampState, lampLit } from '../../firmware/lamp.js';

const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..'));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const json = (path: string) => JSON.parse(read(path));
const boards = readdirSync(join(root, 'boards'), { withFileTypes: true })
  .filter(entry => entry.isDirectory() && entry.name !== 'virtual')
  .map(entry => entry.name);

test('every module of the firmware is preloaded, the main program is not', t => {
  // What is not preloaded is built up in memory at each start, of which a Pico has too little.
  const common = json('manifests/common.json');
  const folders = Object.keys(common.modules).filter(name => name.endsWith('/*'));
  const modules = folders.flatMap(name => {
    const folder = name.slice(0, -2);
    return readdirSync(join(root, folder))
      .filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
      .map(file => `${folder}/${file.slice(0, -3)}`);
  });
  const shared = Object.keys(common.modules).filter(name => name.startsWith('boards/'));
  const preloaded = [...shared, ...modules.filter(name => name !== 'firmware/main')];
  t.deepEqual([...common.preload].sort(), preloaded.sort());
});

test('every folder of the firmware is in the manifest', t => {
  const { modules } = json('manifests/common.json');
  const folders = readdirSync(join(root, 'firmware'), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== 'native')
    .map(entry => `firmware/${entry.name}/*`);
  for (const folder of folders) t.true(folder in modules, folder);
});

test('every board has its manifest, its pins and its README', t => {
  t.true(boards.length >= 4);
  for (const board of boards) {
    const manifest = json(`boards/${board}/manifest.json`);
    t.is(manifest.modules['boards/this/pins'], './pins', board);
    t.is(typeof manifest.build.SOVEREIGN_TARGET, 'string', board);
    t.true(read(`boards/${board}/pins.ts`).includes(`name: '${board}'`), board);
    const readme = read(`boards/${board}/README.md`);
    for (const word of ['sovereign flash', 'sovereign device provision', '| Pin'])
      t.true(readme.includes(word), `${board}: ${word}`);
  }
});

test('partition tables end within 4 MB and have room for the backlog', t => {
  for (const board of boards.filter(name => name.startsWith('esp32'))) {
    let end = 0;
    for (const line of read(`boards/${board}/partitions.csv`).split('\n')) {
      const [name, , , offset, size] = line.split(',').map(part => part.trim());
      if (line.startsWith('#') || !offset) continue;
      t.true(Number(offset) >= end, `${board}: ${name}`);
      end = Number(offset) + Number(size);
      if (name === 'sovereign') t.true(Number(size) >= 146 * 4096);
    }
    t.true(end <= 4 * 1024 * 1024);
  }
});

test('the lamp’s patterns tell the states apart', t => {
  const seen = (state: LampState) =>
    Array.from({ length: 40 }, (_, i) => (lampLit(state, i * 100) ? 'x' : '.')).join('');
  t.is(seen('open').slice(0, 10), 'x.x.......');
  t.is(seen('fault').slice(0, 6), 'x.x.x.');
  t.is(seen('away').slice(0, 10), 'xxxxx.....');
  t.is(seen('connected').match(/x/g)?.length, 2);
});
