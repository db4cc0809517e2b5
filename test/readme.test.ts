import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { version } from '../host/version.js';
import { needs } from './support/needs.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(text('package.json'));

test('a newcomer has run it by line 20', t => {
  const lines = text('README.md').split('\n').slice(0, 20);
  t.true(lines.includes('npm ci && npm start'));
});

test('every dependency has its reason', t => {
  const readme = text('README.md');
  const { dependencies, optionalDependencies, devDependencies } = manifest;
  const unexplained = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }).filter(
    name => !readme.includes(`\`${name}\``),
  );
  t.deepEqual(unexplained, []);
});

test('the program knows its version', t => {
  t.is(version, manifest.version);
});

test('the Ruby example verifies the envelopes of the vectors and refuses forged ones', t => {
  const ruby = needs(t, 'ruby', 'ruby-cose');
  if (!ruby) return;
  const script = /```ruby\n([\s\S]*?)```/.exec(text('README.md'))![1]!;
  const { id, chains, sealed, forged } = JSON.parse(text('test/vectors/envelopes.json'));
  const keyring = { devices: [{ id, name: 'cold-room', epoch: 1, chain: chains[1] }] };
  const directory = mkdtempSync(join(tmpdir(), 'readme-'));
  writeFileSync(join(directory, 'verify.rb'), script);
  writeFileSync(join(directory, 'verify.yaml'), JSON.stringify(keyring)); // JSON is YAML
  const good = sealed.map(({ envelope }: { envelope: string }) => envelope);
  const bad = forged.map(({ hex }: { hex: string }) => hex);
  const { status, stdout, stderr } = spawnSync(ruby, ['verify.rb', 'verify.yaml'], {
    cwd: directory,
    input: `${[...good, ...bad].join('\n')}\n`,
    encoding: 'utf8',
  });
  rmSync(directory, { recursive: true });
  t.is(status, 0, stderr);
  t.true(stdout.includes('cold-room 1/0 temperature 21.5 Cel\n'), stdout);
  const records = sealed.flatMap((vector: { records: unknown[] }) => vector.records);
  t.is(stdout.trim().split('\n').length, records.length);
  t.is(stderr.match(/^refused: /gm)?.length, bad.length, stderr);
});
