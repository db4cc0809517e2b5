import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { root } from './engine.js';
import { type Heap, XsWorker } from './worker.js';

let xs: XsWorker;
test.beforeEach(async () => {
  xs = await XsWorker.start();
});
test.afterEach.always(() => xs?.end());

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.serial('values go both ways, in every character', async t => {
  await xs.evaluate('exported.echo = value => value; exported.nothing = () => {};');
  const values = [
    '',
    'ä\u0000\u007f\u2028',
    '𝄞 💧',
    '\ud800',
    -0.5,
    2 ** 53,
    null,
    [true, { a: [] }],
    'x'.repeat(300_000),
  ];
  for (const value of values) t.deepEqual((await xs.call('echo', value)).value, value);
  t.is((await xs.call('nothing')).value, undefined);
  await xs.evaluate('exported.later = async value => { await null; return value; };');
  t.is((await xs.call('later', 7)).value, 7);
});

test.serial('the meter is the same at every run, and counts', async t => {
  const script = 'exported.sum = n => { let s = 0; for (let i = 0; i < n; i++) s += i; return s; };';
  const other = await XsWorker.start();
  try {
    await xs.evaluate(script);
    await other.evaluate(script);
    const { meter } = (await xs.call('sum', 1000)).cost;
    t.is((await other.call('sum', 1000)).cost.meter, meter);
    t.true((await xs.call('sum', 2000)).cost.meter - meter > 1000);
  } finally {
    await other.end();
  }
});

test.serial('heap counters see what is kept, what is garbage, and what is let go', async t => {
  await xs.evaluate(`exported.keep = n => { globalThis.kept = n && Array.from({ length: n }, () => new Uint8Array(100)); };
    exported.drop = n => { for (let i = 0; i < n; i++) new Uint8Array(100); };`);
  await xs.call('keep', 0);
  const empty = await xs.heap();
  t.deepEqual(await xs.heap(), empty);
  await xs.call('keep', 1000);
  const full = await xs.heap();
  t.true(full.slots >= empty.slots + 4000 && full.chunkBytes >= empty.chunkBytes + 100_000);
  await xs.call('keep', 0);
  t.deepEqual(await xs.heap(), empty);
  const taken = (await xs.call<Heap>('#taken', 'drop', 100)).value;
  t.true(taken.slots >= 400 && taken.chunkBytes >= 10_000);
  t.deepEqual(await xs.heap(), empty);
});

test.serial('nothing is there that boards lack', async t => {
  const absent = [
    'TextEncoder',
    'TextDecoder',
    'console',
    'structuredClone',
    'setTimeout',
    'setImmediate',
    'performance',
  ];
  absent.push(
    'crypto',
    'Buffer',
    'process',
    'require',
    'queueMicrotask',
    'URL',
    'Intl',
    'harden',
    'print',
    'gc',
  );
  await xs.evaluate('exported.types = names => names.filter(name => name in globalThis)');
  t.deepEqual((await xs.call('types', absent)).value, []);
});

test.serial('an exception and an unhandled rejection fail their command alone', async t => {
  await t.throwsAsync(xs.evaluate('throw new RangeError("far")'), { message: /RangeError: far/ });
  await t.throwsAsync(xs.evaluate('let = 1 1'), { message: /SyntaxError/ });
  await t.throwsAsync(xs.evaluate('Promise.reject(new Error("silent"))'), { message: /silent/ });
  await xs.evaluate('exported.reject = async () => { throw new Error("asynchronous"); }');
  await t.throwsAsync(xs.call('reject'), { message: /asynchronous/ });
  await t.throwsAsync(xs.call('absent'), { message: /no function/ });
  await xs.evaluate('Promise.reject(new Error("handled")).catch(() => {})');
  t.true((await xs.heap()).slots > 0);
});

test.serial('commands wait for each other', async t => {
  await xs.evaluate('let order = []; exported.step = n => { order.push(n); return order; }');
  const answers = await Promise.all([xs.call('step', 1), xs.call('step', 2), xs.call('step', 3)]);
  t.deepEqual(
    answers.map(({ value }) => value),
    [[1], [1, 2], [1, 2, 3]],
  );
});

test.serial('an engine that dies fails the command and everything after it', async t => {
  await t.throwsAsync(xs.evaluate('(function f() { f(); })()'), { message: /stack overflow/ });
  await t.throwsAsync(xs.evaluate('1'), { message: /ended/ });
  const other = await XsWorker.start();
  const endless = other.evaluate('for (;;);');
  process.kill(other.pid!, 'SIGKILL');
  await t.throwsAsync(endless, { message: /SIGKILL/ });
  await other.end();
});

test.serial('the end leaves no process behind', async t => {
  const pid = xs.pid!;
  t.true(lives(pid));
  await xs.end();
  t.false(lives(pid));
  await xs.end();
});

for (const [how, signal] of [
  ['killed', 'SIGKILL'],
  ['terminated', 'SIGTERM'],
] as const) {
  test.serial(`an engine that runs for ever dies with tests that are ${how}`, async t => {
    const worker = pathToFileURL(join(root, 'build', 'test', 'xs', 'worker.js')).href;
    const program = `const { XsWorker } = await import(${JSON.stringify(worker)});
      const xs = await XsWorker.start();
      xs.evaluate('for (;;);');
      process.stdout.write(String(xs.pid));`;
    const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [chunk] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(chunk.toString());
    t.true(lives(pid));
    parent.kill(signal);
    await once(parent, 'close');
    // The kernel's signal is on its way; the dead process then waits for its new parent to collect it.
    for (let i = 0; i < 500 && lives(pid) && !isZombie(pid); i++)
      await new Promise(resolve => setTimeout(resolve, 10));
    t.true(!lives(pid) || isZombie(pid));
  });
}

function isZombie(pid: number): boolean {
  try {
    return /^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}
