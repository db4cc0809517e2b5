import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { isLocked, lockDirectory } from '../../../host/node/lock.js';

async function directory(t: { teardown(run: () => Promise<void>): void }): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sovereign-lock-'));
  t.teardown(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('a second owner is refused until the first lets go', async t => {
  const path = await directory(t);
  t.false(await isLocked(path));
  const lock = await lockDirectory(path);
  t.true(await isLocked(path));
  const fault = await t.throwsAsync(lockDirectory(path), { name: 'Fault', code: 'data-locked' });
  t.true(fault?.message.includes(path));
  await lock.release();
  t.false(await isLocked(path));
  await (await lockDirectory(path)).release();
});

test('the lock of a killed process is gone with it', async t => {
  const path = await directory(t);
  const module = new URL('../../../host/node/lock.js', import.meta.url).href;
  const script = join(path, 'hold.mjs');
  await writeFile(
    script,
    `import { lockDirectory } from ${JSON.stringify(module)};
     await lockDirectory(${JSON.stringify(path)});
     process.stdout.write('held');
     setInterval(() => {}, 1000);`,
  );
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>(resolve => child.stdout.once('data', () => resolve()));
  await t.throwsAsync(lockDirectory(path), { code: 'data-locked' });
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  await (await lockDirectory(path)).release();
  t.pass();
});

test('what is missing or forbidden is named with its remedy', async t => {
  const path = await directory(t);
  const none = await t.throwsAsync(lockDirectory(path, 'no-such-flock'), { code: 'flock-missing' });
  t.regex((none as unknown as { remedy: string }).remedy, /util-linux/);
  await t.throwsAsync(lockDirectory(join(path, 'absent')), { code: 'data-not-writable' });
  t.false(await isLocked(join(path, 'absent')));
});
