/** What feeds systemd's watchdog, with real processes, a real socket and what really makes a gateway hang. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '../support/brokers.js';
import { until } from '../support/cable.js';
import { needs, notAllowed } from '../support/needs.js';
import type { Program, ProgramOptions } from '../support/program.js';
import { Site } from '../support/site.js';
import { mayTrace, underStrace } from '../support/strace.js';
import { NotifySocket } from './notify-socket.js';

/** `host/deploy/systemd/start` of the sources, seen from `build/test/deploy`. */
const START = join(dirname(fileURLToPath(import.meta.url)), '../../../host/deploy/systemd/start');
const WATCHDOG_MS = 1000;
/** In so long a gateway that works feeds it, if the machine is not busy, seven times. */
const WHILE_MS = 1800;

async function watched(t: ExecutionContext, options: ProgramOptions = {}) {
  const socket = await NotifySocket.listen();
  t.teardown(() => socket.close());
  const linkPort = await freePort();
  const site = await Site.create({ broker: `mqtt://127.0.0.1:${await freePort()}`, linkPort });
  t.teardown(() => site.remove());
  const gateway = site.program(['gateway'], {
    ...options,
    wrap: [...(options.wrap ?? []), START],
    env: { ...options.env, ...socket.environment(WATCHDOG_MS) },
  });
  t.teardown(() => gateway.end('SIGKILL'));
  await until(() => socket.heard('READY=1') || !gateway.running);
  t.true(socket.heard('READY=1'), gateway.errors);
  return { socket, site, gateway, link: `tcp://127.0.0.1:${linkPort}` };
}

/** However long that takes a busy machine. */
async function feeds(t: ExecutionContext, socket: NotifySocket): Promise<void> {
  const enough = socket.fed + 3;
  await until(() => socket.fed >= enough);
  t.true(socket.fed >= enough);
}

/** What was on its way aside, nothing comes. */
async function starves(t: ExecutionContext, socket: NotifySocket): Promise<void> {
  await socket.feedings(WATCHDOG_MS);
  t.is(await socket.feedings(WHILE_MS), 0);
}

async function ends(t: ExecutionContext, gateway: Program, socket: NotifySocket): Promise<void> {
  t.is((await gateway.end('SIGTERM')).code, 0, gateway.errors);
  t.true(socket.heard('STOPPING=1'));
}

test('a gateway says when it is up and that it works, without a broker too; stopped, it says nothing', async t => {
  const { socket, gateway } = await watched(t);
  await feeds(t, socket);
  t.true(socket.heard('STATUS=working'));
  gateway.kill('SIGSTOP');
  await starves(t, socket);
  gateway.kill('SIGCONT');
  await feeds(t, socket);
  await ends(t, gateway, socket);
  t.notRegex(gateway.errors, /notify-/);
});

test('a loop that is blocked feeds nothing until it turns again', async t => {
  const site = await Site.create({ broker: 'mqtt://127.0.0.1:1', linkPort: 0 });
  t.teardown(() => site.remove());
  const block = join(site.directory, 'block.mjs');
  await writeFile(
    block,
    `process.on('SIGUSR2', () => {
       process.stderr.write('BLOCKED\\n');
       for (const end = Date.now() + ${2 * (WATCHDOG_MS + WHILE_MS)}; Date.now() < end; );
     });`,
  );
  const { socket, gateway } = await watched(t, { env: { NODE_OPTIONS: `--import ${block}` } });
  await feeds(t, socket);
  gateway.kill('SIGUSR2');
  await gateway.until(() => gateway.errors.includes('BLOCKED'), 'the block');
  await starves(t, socket);
  const before = socket.said.length;
  await until(() => socket.said.length > before);
  await feeds(t, socket);
  await ends(t, gateway, socket);
});

test('a journal whose disk ends no write feeds nothing, and says why', async t => {
  const strace = needs(t, 'strace');
  if (strace === undefined) return;
  const why = mayTrace(strace);
  if (why !== '') return notAllowed(t, why);
  // The first syncs of each thread succeed; then one takes as long as a dying flash card likes.
  const rule = 'fdatasync:delay_enter=6s:when=4';
  const { socket, site, gateway, link } = await watched(t, {
    wrap: underStrace(strace, [rule], '/dev/null'),
  });
  await feeds(t, socket);
  const devices = site.program(['simulate', '--devices', '1', '--rate', '20', '--link', link]);
  t.teardown(() => devices.end('SIGKILL'));
  const hangs = () =>
    socket.said.some(line => line.includes('hangs: the disk has ended no write of the journal'));
  await until(() => hangs() || !gateway.running);
  t.true(hangs(), gateway.errors);
  await devices.end('SIGKILL');
  t.is(await socket.feedings(WHILE_MS), 0);
  t.regex(gateway.errors, /\bhealth-lost\b/);
  // What was only slow is well again.
  await until(() => /\bhealth-back\b/.test(gateway.errors));
  await feeds(t, socket);
  await ends(t, gateway, socket);
  return undefined;
});
