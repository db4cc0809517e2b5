import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { NodeStorage } from '../../../host/node/storage.js';
import type { Storage, StorageFile } from '../../../host/ports.js';
import { StateFile, type StateModel } from '../../../host/subscriber/state-file.js';
import { freshSeed, prng } from '../../support/prng.js';
import { TestLog } from '../uplink/support.js';

/** A set of numbers: lines only ever add. */
class Numbers implements StateModel {
  readonly all = new Set<number>();
  apply(line: unknown): boolean {
    const { n } = line as { n?: unknown };
    if (!Array.isArray(n)) return false;
    for (const number of n) this.all.add(number);
    return true;
  }
  *snapshot(): Iterable<unknown> {
    for (const number of this.all) yield { n: [number] };
  }
}

async function directoryOf(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'state-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function load(directory: string, storage: Storage = new NodeStorage()) {
  const model = new Numbers();
  const log = new TestLog();
  const state = await StateFile.open({ storage, log }, directory, model, 2000);
  const add = async (...numbers: number[]) => {
    for (const number of numbers) model.all.add(number);
    state.append({ n: numbers });
    await state.commit();
  };
  return { model, log, state, add };
}

const states = async (directory: string) =>
  (await readdir(directory)).filter(name => name.endsWith('.jsonl')).sort();

test('what was committed is there after each opening, and old files go', async t => {
  const directory = await directoryOf(t);
  for (let round = 0; round < 4; round++) {
    const { model, state, add } = await load(directory);
    t.is(model.all.size, round * 100);
    for (let i = 0; i < 100; i++) await add(round * 100 + i);
    await state.close();
  }
  t.is((await states(directory)).length, 1);
});

test('cut anywhere, as a crash does it: nothing committed before the cut’s line is lost, no damage is told', async t => {
  const directory = await directoryOf(t);
  const { state, add } = await load(directory);
  for (let i = 0; i < 20; i++) await add(i);
  await state.close();
  const [name] = await states(directory);
  const whole = await readFile(join(directory, name));
  const header = whole.indexOf('{"end":1}') + 10;
  for (let cut = header; cut <= whole.length; cut += 3) {
    const copy = await directoryOf(t);
    await writeFile(join(copy, name), whole.subarray(0, cut));
    const { model, log, state: opened } = await load(copy);
    const lines = whole.subarray(header, cut).toString().split('\n').length - 1;
    t.is(model.all.size, lines, `cut at ${cut}`);
    t.deepEqual(log.lines, []);
    await opened.close();
  }
});

test('a file that was being written when the process died does not count; the one before does', async t => {
  const directory = await directoryOf(t);
  const { state, add } = await load(directory);
  await add(1, 2, 3);
  await state.close();
  const [name] = await states(directory);
  const whole = await readFile(join(directory, name));
  const end = whole.indexOf('{"end":1}');
  for (const cut of [0, 5, 40, end - 3]) {
    await writeFile(join(directory, 'state-0000000099.jsonl'), whole.subarray(0, Math.max(0, cut)));
    const { model, log, state: opened } = await load(directory);
    t.is(model.all.size, 3);
    t.deepEqual(log.lines, []);
    await opened.close();
    for (const other of await states(directory)) await rm(join(directory, other));
    await writeFile(join(directory, name), whole);
  }
});

test('any flipped byte costs at most the lines it is in', async t => {
  const seed = freshSeed();
  t.log(`SEED=${seed}`);
  const random = prng(seed);
  const directory = await directoryOf(t);
  const { state, add } = await load(directory);
  for (let i = 0; i < 20; i++) await add(i);
  await state.close();
  const [name] = await states(directory);
  const whole = await readFile(join(directory, name));
  for (let round = 0; round < 60; round++) {
    const copy = await directoryOf(t);
    const bytes = Buffer.from(whole);
    bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8);
    await writeFile(join(copy, name), bytes);
    const { model, state: opened } = await load(copy);
    t.true(model.all.size >= 18, String(model.all.size));
    await opened.close();
  }
});

test('a write or sync that fails is told; the next commit makes everything durable, in a new file', async t => {
  const directory = await directoryOf(t);
  const real = new NodeStorage();
  let failing: 'write' | 'sync' | '' = '';
  const wrap = (file: StorageFile): StorageFile => ({
    read: (target, position) => file.read(target, position),
    write: async (source, position) => {
      if (failing === 'write') throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      return file.write(source.subarray(0, Math.min(source.length, 7)), position);
    },
    sync: async () => {
      if (failing === 'sync') throw Object.assign(new Error('i/o'), { code: 'EIO' });
      return file.sync();
    },
    size: () => file.size(),
    close: () => file.close(),
  });
  const storage: Storage = {
    list: path => real.list(path),
    ensureDirectory: path => real.ensureDirectory(path),
    syncDirectory: path => real.syncDirectory(path),
    open: async (path, mode) => wrap(await real.open(path, mode)),
    rename: (from, to) => real.rename(from, to),
    remove: path => real.remove(path),
    space: path => real.space(path),
  };
  const { state, add } = await load(directory, storage);
  await add(1);
  for (const kind of ['write', 'sync'] as const) {
    failing = kind;
    await t.throwsAsync(add(2));
    await t.throwsAsync(add(3));
    failing = '';
    await add(4);
  }
  await state.close();
  const { model, log, state: opened } = await load(directory);
  t.deepEqual([...model.all].sort(), [1, 2, 3, 4]);
  t.deepEqual(log.lines, []);
  await opened.close();
});

test('a line with a right checksum that is no JSON is damage, and no more', async t => {
  const directory = await directoryOf(t);
  const { state, add } = await load(directory);
  await add(1);
  await state.close();
  const [name] = await states(directory);
  const line = (json: string) => `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
  const before = await readFile(join(directory, name), 'utf8');
  await writeFile(join(directory, name), `${before}${line('{"n":')}${line('7')}${line('{"n":[2]}')}`);
  const again = await load(directory);
  t.deepEqual([...again.model.all], [1, 2]);
  t.true(again.log.lines.includes('subscriber-state-damaged'));
  await again.state.close();
});

test('a file with the last number that there is takes nothing with it', async t => {
  const directory = await directoryOf(t);
  const { state, add } = await load(directory);
  await add(1);
  await state.close();
  await writeFile(join(directory, 'state-9999999999.jsonl'), '');
  for (let i = 0; i < 2; i++) {
    const again = await load(directory);
    t.deepEqual([...again.model.all], [1]);
    await again.state.close();
  }
});
