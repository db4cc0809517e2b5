/** A whole site as processes: broker, gateway, devices and subscriber, with one ledger over all that they say. */
import { createHash } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { freePort, Mosquitto } from './brokers.js';
import { keyOf, Ledger } from './ledger.js';
import { type Loss, LossyProxy, NO_LOSS } from './lossy-proxy.js';
import { type Program, type ProgramOptions, run } from './program.js';
import { Site, type SiteOptions } from './site.js';

export const pause = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

export interface LiveSiteOptions extends Partial<SiteOptions> {
  readonly seed: number;
  readonly devices: number;
  /** Readings a second of each. */
  readonly rate: number;
  /** On the way from the devices to the gateway. */
  readonly loss?: Loss;
  /** Lines of Mosquitto's configuration. */
  readonly mosquitto?: readonly string[];
  /** How the gateway is run; may be changed before it is started again. */
  readonly gateway?: ProgramOptions;
  /** Another link for the devices than tcp: its address. */
  readonly link?: string;
  /** Where the gateway's data is, when not in the site's directory; how programs are run that look into it. */
  readonly data?: string;
  readonly inspect?: ProgramOptions;
  readonly simulate?: ProgramOptions;
  readonly subscribe?: ProgramOptions;
}

/** How long to wait for what must come, however busy the machine is. */
const PATIENCE_MS = 120_000;
const DAMAGED = /^ {4}at |^\w*Error: |unhandled/i;

/** One gateway after the other, on one site. */
export class LiveGateway {
  /** How it is run from the next start on. */
  options: ProgramOptions;
  /** Every line of standard error of all of them. */
  readonly lines: string[] = [];
  lives = 0;
  /** What the last start took until devices were let in. */
  startMs = 500;
  readonly #site: Site;
  #program: Program | undefined;
  #started = false;

  constructor(site: Site, options: ProgramOptions = {}) {
    this.#site = site;
    this.options = options;
  }

  get pid(): number {
    return this.#program?.pid ?? 0;
  }

  get running(): boolean {
    return this.#program?.running === true;
  }

  get errors(): string {
    return this.#program?.errors ?? '';
  }

  start(): void {
    const begunAt = performance.now();
    this.lives++;
    this.#started = false;
    const program = this.#site.program(['gateway'], {
      ...this.options,
      says: line => {
        this.lines.push(line);
        if (program !== this.#program || !line.includes('gateway-started')) return;
        this.#started = true;
        this.startMs = performance.now() - begunAt;
      },
    });
    this.#program = program;
  }

  /** Devices are let in. */
  async serving(): Promise<void> {
    await this.#program!.until(() => this.#started, 'gateway-started', PATIENCE_MS);
  }

  /** Until a life of it, from now on, has said something like that. */
  async until(pattern: RegExp, from = this.lines.length): Promise<void> {
    await this.#program!.until(
      () => this.lines.slice(from).some(line => pattern.test(line)),
      `${pattern}`,
      PATIENCE_MS,
    );
  }

  /** Where in `lines` the last such line stands; 0: nowhere. */
  lastLine(pattern: RegExp): number {
    for (let i = this.lines.length - 1; i > 0; i--) if (pattern.test(this.lines[i]!)) return i;
    return 0;
  }

  signal(signal: NodeJS.Signals): void {
    this.#program!.kill(signal);
  }

  end(signal: NodeJS.Signals) {
    return this.#program!.end(signal);
  }

  /** @throws when it was not running any more: nothing that is injected may end it */
  async restart(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) throw new Error(`the gateway ended by itself: ${this.errors}`);
    await this.end(signal);
    this.start();
  }
}

export class LiveSite {
  readonly ledger = new Ledger();
  readonly site: Site;
  readonly broker: Mosquitto;
  readonly gateway: LiveGateway;
  readonly proxy: LossyProxy | undefined;
  readonly #options: LiveSiteOptions;
  readonly #link: string;
  #devices!: Program;
  #subscriber!: Program;

  private constructor(
    options: LiveSiteOptions,
    parts: { site: Site; broker: Mosquitto; proxy: LossyProxy | undefined; link: string },
  ) {
    this.#options = options;
    this.site = parts.site;
    this.broker = parts.broker;
    this.proxy = parts.proxy;
    this.#link = parts.link;
    this.gateway = new LiveGateway(parts.site, options.gateway);
  }

  /** Resolves when every device was receipted its first readings, and the subscriber has printed some. */
  static async start(t: ExecutionContext, options: LiveSiteOptions): Promise<LiveSite> {
    const broker = await Mosquitto.start(['max_queued_messages 0', ...(options.mosquitto ?? [])]);
    t.teardown(() => broker.stop());
    const linkPort = await freePort();
    const proxy = options.loss && new LossyProxy(linkPort, options.seed, options.loss ?? NO_LOSS);
    const link = options.link ?? `tcp://127.0.0.1:${proxy ? await proxy.listen() : linkPort}`;
    if (proxy) t.teardown(() => proxy.close());
    const extra = `${options.data === undefined ? '' : `data: ${options.data}\n`}${options.extra ?? ''}`;
    const site = await Site.create({ broker: broker.url, linkPort, ...options, extra });
    t.teardown(() => site.remove());
    const live = new LiveSite(options, { site, broker, proxy, link });
    t.teardown(() => live.#stop());
    live.startSubscriber();
    // Its session stands before anything is published: what is queued for it is never lost by a restart of it.
    await live.#subscriber.until(() => live.#subscriber.errors.includes('connected to'), 'its session');
    live.startDevices();
    live.gateway.start();
    await live.moreReceipts(options.devices);
    return live;
  }

  get devices(): number {
    return this.#options.devices;
  }

  startSubscriber(): void {
    this.#subscriber = this.site.program(['subscribe', '--id', 'ledger', '--json'], {
      ...this.#options.subscribe,
      line: line => this.ledger.print(line),
      says: line => this.ledger.say(line),
    });
  }

  startDevices(): void {
    const { devices, rate, seed } = this.#options;
    const numbers = ['--devices', `${devices}`, '--rate', `${rate}`, '--seed', `${seed % 2 ** 32}`];
    this.#devices = this.site.program(
      ['simulate', ...numbers, '--link', this.#link, '--state', `${this.site.directory}/boards`, '--json'],
      { ...this.#options.simulate, line: line => this.ledger.receipt(line) },
    );
  }

  async restartSubscriber(signal: NodeJS.Signals = 'SIGKILL', away: () => Promise<void> = async () => {}) {
    await this.#subscriber.end(signal);
    await away();
    this.startSubscriber();
  }

  /** A power cut of all boards: what was in their memory alone is gone. */
  async restartDevices(): Promise<void> {
    await this.#devices.end('SIGKILL');
    this.ledger.devicesKilled();
    this.startDevices();
  }

  signalDevices(signal: NodeJS.Signals): void {
    this.#devices.kill(signal);
  }

  signalSubscriber(signal: NodeJS.Signals): void {
    this.#subscriber.kill(signal);
  }

  /** Resolves once gateway and subscriber are connected to the broker as it runs now. */
  async connected(): Promise<void> {
    const words = () => this.#subscriber.errors.split('\n').filter(line => line.includes('mqtt://'));
    await this.#subscriber
      .until(() => words().at(-1)?.startsWith('connected to') === true, 'the subscriber', PATIENCE_MS)
      .catch(error => this.#explain(error));
    await this.gateway.until(
      /"event":"uplink-online"/,
      this.gateway.lastLine(/"event":"uplink-(online|waiting)"/),
    );
  }

  /** Resolves once `count` more readings were receipted than when it was called. */
  async moreReceipts(count: number): Promise<void> {
    const wanted = this.ledger.receipted + count;
    await this.#devices
      .until(() => this.ledger.receipted >= wanted, `${count} more receipts`, PATIENCE_MS)
      .catch(error => this.#explain(error));
  }

  /** Resolves once everything receipted so far was printed. */
  async allPrinted(): Promise<void> {
    await this.#subscriber
      .until(() => this.ledger.missing().length === 0, 'all that was receipted', PATIENCE_MS)
      .catch(error => this.#explain(error));
  }

  /**
   * With the faults over: more is receipted; then the devices stop, everything arrives, everything ends in order,
   * and the journal is sound and holds what was receipted.
   * @param given what the test has reason to expect: readings printed twice; readings that the broker lost, so that
   * gaps are noticed, asked for and closed
   */
  async judge(t: ExecutionContext, given: { repeats?: boolean; repairs?: boolean } = {}): Promise<void> {
    const { ledger, gateway } = this;
    await this.moreReceipts(this.#options.devices);
    const devices = await this.#devices.end('SIGTERM');
    t.is(devices.code, 0, this.#devices.errors);
    t.regex(this.#devices.errors, / 0 lost\s*$/, 'no board had to give up a reading');
    await this.allPrinted();
    await pause(500); // what should not come has had its chance
    const ended = await gateway.end('SIGTERM');
    t.is(ended.code, 0, gateway.errors);
    const { code } = await this.#subscriber.end('SIGTERM');
    t.is(code, 0, this.#subscriber.errors);

    const { receipted, printed, repeats, late, lost, noticed } = ledger;
    t.log(
      `seed ${this.#options.seed}: ${receipted} receipted, ${printed} printed, ${repeats} twice, ${late} late;`,
      `${noticed.length} gaps noticed, ${lost.length} final; ${gateway.lives} lives of the gateway`,
    );
    t.deepEqual(ledger.contradictions, []);
    t.deepEqual(ledger.alarms, []);
    t.deepEqual(ledger.missing(), []);
    t.deepEqual(lost, [], 'given up, and not lost');
    if (!given.repairs) t.deepEqual(noticed, [], 'a gap for a while');
    if (!given.repairs && !given.repeats) t.is(late, 0, 'out of order');
    if (!given.repeats) t.is(repeats, 0, 'printed twice');
    t.is(given.repeats ? 0 : ledger.torn, 0, 'torn lines');
    t.deepEqual(
      gateway.lines.filter(line => DAMAGED.test(line)),
      [],
      'the gateway caught an error that nobody expected',
    );
    await this.#judgeJournal(t);
  }

  /** What stands in the journal, as `sovereign journal` reads it. */
  async #judgeJournal(t: ExecutionContext): Promise<void> {
    const data = this.#options.data ?? `${this.site.directory}/data`;
    const journal = (command: string, line?: (line: string) => void) =>
      run(['journal', command, data, '--json'], { ...this.#options.inspect, ...(line && { line }) });
    const checked = await journal('check');
    t.is(checked.code, 0, `${checked.lines.join('\n')}\n${checked.errors}`);
    const held = new Map<string, string>();
    let offset = 0;
    const disorder: string[] = [];
    const printed = await journal('cat', line => {
      const entry = JSON.parse(line);
      if (entry.offset <= offset) disorder.push(line);
      offset = entry.offset;
      if (entry.kind !== 'reading') return;
      const digest = createHash('sha256').update(Buffer.from(entry.bytes, 'base64url')).digest('hex');
      const key = keyOf(entry);
      if ((held.get(key) ?? digest) !== digest) disorder.push(`two digests: ${line}`);
      held.set(key, digest);
    });
    t.is(printed.code, 0, printed.errors);
    t.deepEqual(disorder, []);
    t.deepEqual(this.ledger.absentFrom(held), [], 'receipted, and not in the journal');
  }

  async #explain(error: unknown): Promise<never> {
    const status = await this.site.run(['status', '--json'], this.#options.inspect).catch(() => undefined);
    throw new Error(
      [
        `${error}`.slice(-4000),
        `missing: ${this.ledger.missing().slice(0, 20).join(' ')}`,
        `gateway: ${this.gateway.lines.slice(-60).join('\n')}`,
        `subscriber: ${this.#subscriber.errors.slice(-4000)}`,
        `devices: ${this.#devices.errors.slice(-2000)}`,
        `broker: ${this.broker.output.slice(-4000)}`,
        `status: ${status?.lines.join('').slice(0, 8000)}`,
      ].join('\n'),
    );
  }

  async #stop(): Promise<void> {
    const running = [this.#devices, this.#subscriber].filter(program => program !== undefined);
    await Promise.all(running.map(program => program.end('SIGKILL')));
    if (this.gateway.running) await this.gateway.end('SIGKILL');
  }
}
