/** A gateway dies with its machine, and another one takes its place from a backup: by the commands of the page itself. */

import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { NodeStatus } from '../../host/control/status.js';
import type { SaidGap } from '../support/ledger.js';
import { LiveSite, pause } from '../support/live-site.js';
import { needs } from '../support/needs.js';
import { freshSeed } from '../support/prng.js';
import { MAIN, run } from '../support/program.js';

const PAGE = 'host/backup/README.md';
/** What a person may take. */
const MAX_MINUTES = 15;
const DEVICES = 5;

/** The commands of the page, in order: whatever stands in its blocks for a shell. */
async function commands(): Promise<string[]> {
  const text = await readFile(PAGE, 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => block!.trim().split('\n'));
}

/** Two machines' directories, and a shell that knows them. */
class Machines {
  readonly old: string;
  readonly next: string;
  readonly data: string;
  readonly #desk: string;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(root: string, live: LiveSite) {
    this.old = live.site.directory;
    this.next = join(root, 'etc');
    this.data = join(root, 'var');
    this.#desk = join(root, 'desk');
    const variables = { OLD: this.old, NEW: this.next, DATA: this.data, BACKUPS: join(root, 'backups') };
    const path = `${join(root, 'bin')}${delimiter}${process.env.PATH}`;
    this.#environment = { ...process.env, ...variables, NO_COLOR: '1', PATH: path };
  }

  static async make(t: ExecutionContext, live: LiveSite): Promise<Machines> {
    const root = await mkdtemp(join(tmpdir(), 'sovereign-restore-'));
    t.teardown(() => rm(root, { recursive: true, force: true }));
    for (const name of ['bin', 'desk', 'backups']) await mkdir(join(root, name));
    const program = `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`;
    await writeFile(join(root, 'bin', 'sovereign'), program, { mode: 0o755 });
    return new Machines(root, live);
  }

  /** Runs a line of the page to its end; one that ends in `&` goes on, as the page means it. */
  async shell(line: string, more: NodeJS.ProcessEnv = {}): Promise<{ code: number | null; out: string }> {
    const child = spawn('sh', ['-c', line], {
      cwd: this.#desk,
      env: { ...this.#environment, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
    const code = await new Promise<number | null>(resolve => child.once('close', resolve));
    return { code, out };
  }
}

async function statusOf(config: string): Promise<NodeStatus> {
  for (let tries = 0; ; tries++) {
    const { code, lines, errors } = await run(['status', '--json', '--config', config]);
    if (code === 0) return JSON.parse(lines[0]!) as NodeStatus;
    if (tries > 100) throw new Error(errors);
    await pause(200);
  }
}

/** The gateway that the page has started. */
function teardownGateway(t: ExecutionContext, { pid }: NodeStatus): void {
  t.teardown(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  });
}

const covers = ({ device, from, to }: SaidGap, key: string) => {
  const [of, epoch, seq] = key.split('/');
  const at = [Number(epoch), Number(seq)] as const;
  const after = at[0] > from[0] || (at[0] === from[0] && at[1] >= from[1]);
  return of === device && after && (at[0] < to[0] || (at[0] === to[0] && at[1] < to[1]));
};

/** A site, a backup of its gateway, and more readings since; then the gateway is gone with its machine. */
async function disaster(t: ExecutionContext, unpublished: boolean) {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const live = await LiveSite.start(t, { seed, devices: DEVICES, rate: 8 });
  const machines = await Machines.make(t, live);
  const page = await commands();
  const begin = page.findIndex(line => line.startsWith('sovereign backup verify'));
  t.is(begin, 2, page.join('\n'));
  await live.moreReceipts(60);
  for (const line of page.slice(0, begin)) {
    const { code, out } = await machines.shell(line);
    t.is(code, 0, `${line}\n${out}`);
  }
  await live.moreReceipts(100);
  const first = (await machines.shell('ls $BACKUPS/*.age')).out.trim();
  live.signalDevices('SIGSTOP');
  await pause(300);
  await live.allPrinted();
  if (unpublished) {
    t.is((await live.site.run(['pause'])).code, 0);
    live.signalDevices('SIGCONT');
    await live.moreReceipts(50);
    live.signalDevices('SIGSTOP');
    await pause(300);
  }
  await live.gateway.end('SIGKILL');
  await rename(join(machines.old, 'data'), join(machines.old, 'data-of-a-dead-disk'));
  live.signalDevices('SIGCONT');
  return { live, machines, rest: page.slice(begin), backup: first };
}

test('the page brings a site back to work, and its subscriber has every reading once', async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const { live, machines, rest, backup } = await disaster(t, false);
  const { ledger } = live;
  const before = ledger.receipted;
  const begunAt = performance.now();
  for (const line of rest) {
    // The shell of a person stays when the gateway does; this one would wait for it.
    const command = line.endsWith(' &') ? `${line.slice(0, -2)} >/dev/null 2>&1 &` : line;
    if (line.startsWith('sovereign status'))
      teardownGateway(t, await statusOf(join(machines.next, 'config.yaml')));
    const { code, out } = await machines.shell(command, { BACKUP: backup });
    t.is(code, 0, `${line}\n${out}`);
    // From here on BACKUPS is what it was, and BACKUP the old one.
  }
  await live.moreReceipts(DEVICES * 10);
  const minutes = (performance.now() - begunAt) / 60_000;
  t.true(minutes < MAX_MINUTES);
  const status = await statusOf(join(machines.next, 'config.yaml'));
  t.log(`${before} readings before, at work again after ${(minutes * 60).toFixed(1)} s`);
  t.like(status.handover, { replaces: [status.handover?.from] });
  t.not(status.gateway, status.handover?.from);
  // What the old gateway took since is a gap of each device in the new journal, once it is back.
  for (let tries = 0; ; tries++) {
    const { devices } = await statusOf(join(machines.next, 'config.yaml'));
    if (devices.every(({ gaps }) => gaps === 1)) break;
    if (tries > 100) throw new Error(JSON.stringify(devices));
    await pause(200);
  }

  live.signalDevices('SIGTERM');
  await live.allPrinted();
  await pause(500);
  t.deepEqual(ledger.contradictions, []);
  t.deepEqual(ledger.alarms, []);
  t.deepEqual(ledger.missing(), []);
  t.is(ledger.repeats, 0, 'printed twice');
  t.deepEqual(ledger.noticed, [], 'what the old one had published is no gap to a subscriber');
  const checked = await run(['journal', 'check', machines.data, '--json']);
  t.is(checked.code, 0, checked.errors);
  t.is(JSON.parse(checked.lines.at(-1)!).summary.handovers, 1);
});

test('what the old gateway had receipted and not published is told as lost, and nothing else is', async t => {
  if (!needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const { live, machines, rest, backup } = await disaster(t, true);
  const { ledger } = live;
  const gone = ledger.missing();
  t.true(gone.length >= 50);
  for (const line of rest.slice(0, 3)) {
    const command = line.endsWith(' &') ? `${line.slice(0, -2)} >/dev/null 2>&1 &` : line;
    const { code, out } = await machines.shell(command, { BACKUP: backup });
    t.is(code, 0, `${line}\n${out}`);
  }
  teardownGateway(t, await statusOf(join(machines.next, 'config.yaml')));
  for (let tries = 0; ledger.lost.length < DEVICES && tries < 600; tries++) await pause(200);
  t.deepEqual(
    gone.filter(key => !ledger.lost.some(gap => covers(gap, key))),
    [],
    'lost, and not told',
  );
  for (const { text } of ledger.lost) t.regex(text, /was replaced by gw-/);
  live.signalDevices('SIGTERM');
  await pause(2000);
  const known = new Set(gone);
  t.deepEqual(
    ledger.missing().filter(key => !known.has(key)),
    [],
  );
  t.is(ledger.repeats, 0);
  t.deepEqual(ledger.contradictions, []);
});
