/** What Prometheus makes of a real gateway, and whether alerts and dashboard speak of what there is. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { families } from '../../../host/metrics/text.js';
import { freePort, startAedes } from '../../support/brokers.js';
import { pause } from '../../support/live-site.js';
import { needs } from '../../support/needs.js';
import { Site } from '../../support/site.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const ALERTS = join(root, 'host/deploy/alerts.yml');
const DASHBOARD = join(root, 'host/deploy/grafana.json');
const RULE_TESTS = join(root, 'test/host/metrics/alerts.test.yml');

/** What a gateway over tcp on a machine that tells nothing of its clock and its disk can't show. */
const WHEN_THERE = new Set([
  'sovereign_backup_timestamp_seconds',
  'sovereign_clock_synchronised',
  'sovereign_device_clock_synchronised',
  'sovereign_device_settings_refused',
  'sovereign_device_signal_dbm',
  'sovereign_disk_life_seconds',
  'sovereign_disk_written_bytes_total',
  'sovereign_fetch_refused_total',
  'sovereign_journal_bytes',
  'sovereign_refused_total',
  'sovereign_serial_broken_frames_total',
  'sovereign_serial_noise_bytes_total',
  'sovereign_uplink_certificate_expiry_timestamp_seconds',
]);

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

async function rules(): Promise<Rule[]> {
  const { groups } = parse(await readFile(ALERTS, 'utf8')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(group => group.rules);
}

/** Everything that the dashboard asks, with its variables replaced. */
async function queries(): Promise<{ title: string; expr: string }[]> {
  const { panels, annotations } = JSON.parse(await readFile(DASHBOARD, 'utf8'));
  const found = [...panels, ...annotations.list].flatMap(({ title, name, targets, expr }) =>
    [...(targets ?? []), ...(expr ? [{ expr }] : [])].map(target => ({
      title: title ?? name,
      expr: target.expr
        .replaceAll(/\$__rate_interval/g, '1m')
        .replaceAll('"$job"', '".+"')
        .replaceAll('"$instance"', '".+"'),
    })),
  );
  return found;
}

const named = (expr: string) => [...new Set(expr.match(/\b(sovereign|process|nodejs)_\w+/g) ?? [])];

function promtool(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise(resolve => {
    const child = execFile(program, args, (error, stdout, stderr) =>
      resolve(error ? `${error.message}\n${stdout}${stderr}` : stderr),
    );
    child.stdin!.end(input);
  });
}

/** A gateway with devices that have delivered, and the address of its metrics. */
async function gateway(t: ExecutionContext): Promise<string> {
  const broker = await startAedes();
  t.teardown(() => broker.stop());
  const port = await freePort();
  const linkPort = await freePort();
  const site = await Site.create({
    broker: broker.url,
    linkPort,
    uplink: ', protocol: 3.1.1',
    extra: `metrics: { listen: "127.0.0.1:${port}" }\n`,
  });
  t.teardown(() => site.remove());
  const running = site.program(['gateway']);
  t.teardown(() => running.end());
  await running.until(() => running.errors.includes('gateway-started'), 'a start');
  const devices = site.program(['simulate', '--devices', '2', '--rate', '20', '--readings', '0']);
  t.teardown(() => devices.end());
  return `127.0.0.1:${port}`;
}

/** What Prometheus answers, as far as it is looked at. */
interface Answer {
  readonly error?: string;
  readonly data?: {
    readonly result?: readonly unknown[];
    readonly groups?: readonly { readonly rules: readonly { readonly health: string }[] }[];
  };
}

async function prometheus(t: ExecutionContext, program: string, target: string) {
  const directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
  const port = await freePort();
  const config = {
    global: { scrape_interval: '500ms', evaluation_interval: '1s' },
    rule_files: [ALERTS],
    scrape_configs: [{ job_name: 'sovereign', static_configs: [{ targets: [target] }] }],
  };
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config)); // which is YAML
  const child: ChildProcess = spawn(
    program,
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  t.teardown(async () => {
    const gone = new Promise(resolve => child.once('close', resolve));
    child.kill('SIGKILL');
    await gone;
    await rm(directory, { recursive: true, force: true });
  });
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`).catch(() => undefined);
    // While it starts it says 503, in plain words.
    const isJson = answer?.headers.get('content-type')?.includes('json');
    return isJson ? ((await answer?.json()) as Answer) : undefined;
  };
  return {
    ask,
    query: async (expr: string) => {
      const answer = await ask(`query?query=${encodeURIComponent(expr)}`);
      return { error: answer?.error, series: answer?.data?.result?.length ?? 0 };
    },
  };
}

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 600) throw new Error(`no ${what}`);
    await pause(50);
  }
}

test('alerts and dashboard name only what there is; each alert says what to do', async t => {
  const known = new Set(families(1).map(({ name }) => name));
  const all = await rules();
  t.true(all.length >= 15);
  for (const { alert, expr, labels, annotations } of all) {
    t.deepEqual(
      named(expr).filter(name => !known.has(name)),
      [],
      alert,
    );
    t.regex(labels.severity, /^(critical|warning|info)$/, alert);
    t.true(annotations.summary.length > 10 && annotations.description.length > 20, alert);
  }
  const asked = await queries();
  t.true(asked.length > 25);
  for (const { title, expr } of asked)
    t.deepEqual(
      named(expr).filter(name => !known.has(name)),
      [],
      title,
    );
  const { panels } = JSON.parse(await readFile(DASHBOARD, 'utf8'));
  t.is(new Set(panels.map(({ id }: { id: number }) => id)).size, panels.length);
});

test('promtool takes the alerts, and each of them speaks when it has to and is quiet otherwise', async t => {
  const program = needs(t, 'promtool', 'prometheus');
  if (program === undefined) return;
  t.is(await promtool(program, ['check', 'rules', ALERTS]), '');
  t.is(await promtool(program, ['test', 'rules', RULE_TESTS]), '');
  const { tests } = parse(await readFile(RULE_TESTS, 'utf8')) as { tests: { name: string }[] };
  const names = new Set(tests.map(({ name }) => name));
  for (const { alert } of await rules())
    t.true(names.has(`${alert} speaks`) && names.has(`${alert} is quiet`), alert);
});

test('a real gateway, scraped by a real Prometheus: every panel shows something', async t => {
  const [check, server] = [needs(t, 'promtool', 'prometheus'), needs(t, 'prometheus')];
  if (check === undefined || server === undefined) return;
  const target = await gateway(t);
  const text = async () => (await fetch(`http://${target}/metrics`)).text();
  await until(
    async () => /^sovereign_uplink_published_readings_total [1-9]/m.test(await text()),
    'readings published',
  );
  const scraped = await text();
  t.is(await promtool(check, ['check', 'metrics'], scraped), '');
  const names = new Set(scraped.match(/^[a-z]+_\w+/gm));
  const known = new Set(families(1).map(({ name }) => name));
  t.deepEqual(
    [...names].filter(name => !known.has(name)),
    [],
  );
  const missing = [...(await rules()), ...(await queries())]
    .flatMap(({ expr }) => named(expr))
    .filter(name => !names.has(name) && !WHEN_THERE.has(name));
  t.deepEqual(missing, []);

  const { ask, query } = await prometheus(t, server, target);
  await until(
    async () => (await query('count_over_time(up{job="sovereign"}[1m]) > 4')).series === 1,
    'scrapes',
  );
  t.is((await query('up{job="sovereign"} == 1')).series, 1);
  t.is((await query('sovereign_devices{state="online"} == 2')).series, 1);
  for (const { alert, expr } of await rules()) t.is((await query(expr)).error, undefined, alert);
  for (const { title, expr } of await queries()) {
    const { error, series } = await query(expr);
    t.is(error, undefined, `${title}: ${expr}`);
    const conditional = named(expr).some(name => WHEN_THERE.has(name)) || expr.includes('resets(');
    if (!conditional) t.true(series > 0, `${title}: ${expr}`);
  }
  const evaluated = async () => (await ask('rules'))?.data?.groups?.flatMap(group => group.rules) ?? [];
  await until(async () => (await evaluated()).every(({ health }) => health !== 'unknown'), 'rules');
  t.deepEqual([...new Set((await evaluated()).map(({ health }) => health))], ['ok']);
});
