/** System calls of a real gateway, counted by strace while readings come in bursts, each once the last is receipted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { Driver } from '../bench/driver.js';
import { GatewayRig } from '../bench/gateway-rig.js';
import { compareCosts } from '../host/costs.js';
import { needs, notAllowed } from '../support/needs.js';
import { mayTrace } from '../support/strace.js';

const BURST = 64;
const BURSTS = 150;
const WARM_UP_BURSTS = 50;
/** Threads wake each other more or less often; the calls that matter are a few in a burst. */
const MAX_RISE = 1.3;
/** What threads say to each other, and how they wait. */
const BETWEEN_THREADS =
  /^(futex|epoll_wait|epoll_pwait|sched_yield|madvise|munmap|mmap|mprotect|brk|rt_sig\w*)$/;

test.serial('system calls a reading do not rise', async t => {
  t.timeout(120_000);
  const strace = needs(t, 'strace');
  if (strace === undefined) return;
  const refusal = mayTrace(strace);
  if (refusal !== '') return notAllowed(t, refusal);
  const device = new Driver(1, BURST);
  const gateway = await GatewayRig.start([device.identity.entry()]);
  t.teardown(() => gateway.stop());
  t.teardown(() => device.close());
  await device.open(gateway.port);
  for (let i = 0; i < WARM_UP_BURSTS; i++) await device.send(BURST);
  const file = join(gateway.directory, 'calls');
  const tracer = spawn(strace, ['-f', '-c', '-o', file, '-p', String(gateway.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const closed = once(tracer, 'close');
  await attached(tracer);
  for (let i = 0; i < BURSTS; i++) await device.send(BURST);
  tracer.kill('SIGINT');
  await closed;
  const calls = countedCalls(await readFile(file, 'utf8'));
  const readings = BURST * BURSTS;
  const all = [...calls].filter(([name]) => !BETWEEN_THREADS.test(name));
  const each = (of: RegExp) =>
    all.reduce((sum, [name, count]) => sum + (of.test(name) ? count : 0), 0) / readings;
  const costs = {
    'writes to files': each(/^pwrite/),
    syncs: each(/sync$/),
    'all but waiting and memory': each(/./),
  };
  t.log(JSON.stringify(Object.fromEntries(calls)), JSON.stringify(costs));
  t.true(costs.syncs > 0, 'nothing was counted');
  const name = `system calls of a reading, in bursts of ${BURST}`;
  t.deepEqual(compareCosts(name, costs, MAX_RISE, 'build/test/system/calls.test.js'), []);
});

/** Once strace has said that it is there, with every thread. It is read on: nobody there to hear it would end it. */
function attached({ stderr }: ChildProcess): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('attached')) resolve();
    });
    stderr!.once('end', () => reject(new Error(`strace does not attach: ${said}`)));
  });
}

/** `% time  seconds  usecs/call  calls  [errors]  syscall`, a line a call. */
function countedCalls(table: string): Map<string, number> {
  const calls = new Map<string, number>();
  for (const line of table.split('\n')) {
    const [, count, name] = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/.exec(line) ?? [];
    if (name !== undefined && name !== 'total') calls.set(name, Number(count));
  }
  return calls;
}
