/** A site in a directory of its own: the program's processes as users run them, with a keyring of known devices. */
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { toHex } from '../../firmware/seal/index.js';
import { callGateway } from '../../host/control/client.js';
import type { NodeStatus } from '../../host/control/status.js';
import type { KeyringEntry } from '../../host/keyring/entry.js';
import { systemClock } from '../../host/node/clock.js';
import { connectUnix } from '../../host/node/unix-socket.js';
import { freePort } from '../support/brokers.js';
import { BUNDLE, Program, type ProgramOptions } from '../support/program.js';

const START_TIMEOUT_MS = 30_000;
/** Where the installed gateway's options of node stand. */
const UNITS = join(dirname(BUNDLE), '..', 'host', 'deploy', 'systemd');
const USUAL_FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=2'];
/** Of user and system time: USER_HZ, which is 100 on Linux (man 5 proc). */
const TICK_MS = 10;

export class GatewayRig {
  readonly directory: string;
  readonly port: number;
  /** From the start of the process to the line that says it serves. */
  startedMs = 0;
  readonly #flags: readonly string[];
  #program: Program | undefined;

  private constructor(directory: string, port: number, flags: readonly string[]) {
    this.directory = directory;
    this.port = port;
    this.#flags = flags;
  }

  /**
   * Writes keyring and configuration; starts nothing.
   * @param settings more lines of the configuration, such as `uplink: { … }`
   */
  static async create(devices: readonly KeyringEntry[], settings = ''): Promise<GatewayRig> {
    const directory = await mkdtemp(join(tmpdir(), 'sovereign-bench-'));
    const rig = new GatewayRig(directory, await freePort(), await unitFlags());
    const lines = devices.map(({ id, name, epoch, chain, down }) => {
      const word = down === undefined ? '' : `, down: "${toHex(down)}"`;
      return `  - { id: "${id}", name: "${name}", epoch: ${epoch}, chain: "${toHex(chain)}"${word} }\n`;
    });
    const text = `version: 1\ndevices:\n${lines.join('')}`;
    await writeFile(join(directory, 'keyring.yaml'), text, { mode: 0o600 });
    await rig.configure(settings);
    return rig;
  }

  /** The same, with the gateway running. */
  static async start(devices: readonly KeyringEntry[], settings = ''): Promise<GatewayRig> {
    const rig = await GatewayRig.create(devices, settings);
    await rig.run();
    return rig;
  }

  /** Writes the configuration; counts from the next `run`. */
  configure(settings: string): Promise<void> {
    const text = `site: bench
gateway: bench
links: { tcp: { listen: "127.0.0.1:${this.port}", maxConnections: 1100, maxUnauthenticated: 1100 } }
${settings}
`;
    return writeFile(join(this.directory, 'config.yaml'), text);
  }

  /** `sovereign COMMAND` in this site. */
  program(args: readonly string[], options: ProgramOptions = {}): Program {
    return new Program([...args, '--config', join(this.directory, 'config.yaml')], {
      bundle: [],
      ...options,
    });
  }

  /** Starts the gateway; resolves when it serves. */
  async run(wrap: readonly string[] = []): Promise<void> {
    const began = performance.now();
    const program = this.program(['gateway'], { bundle: this.#flags, wrap });
    this.#program = program;
    const started = () => program.errors.includes('gateway-started');
    await program.until(started, 'the start of the gateway', START_TIMEOUT_MS);
    this.startedMs = performance.now() - began;
  }

  get pid(): number {
    return this.#program!.pid;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#program!.kill(signal);
  }

  /** Resident memory of the gateway, now and at its highest. */
  memory(): { bytes: number; peakBytes: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const of = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    return { bytes: of('VmRSS'), peakBytes: of('VmHWM') };
  }

  /** The processor time that the gateway has used. */
  cpuMs(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** Bytes that the gateway has passed to `write`, whatever they were for. */
  writtenBytes(): number {
    return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${this.pid}/io`, 'utf8'))![1]);
  }

  status(): Promise<NodeStatus> {
    const ports = { clock: systemClock, connect: connectUnix };
    return callGateway(ports, join(this.directory, 'data', 'control.sock'), 'status', {});
  }

  /** Resolves once the uplink is connected. */
  async online(): Promise<void> {
    const program = this.#program!;
    await program.until(() => program.errors.includes('uplink-online'), 'a connection to the broker');
  }

  /** Resolves once the uplink has published everything. */
  async drained(everyMs = 20): Promise<void> {
    while ((await this.status()).uplink?.drained !== true) await new Promise(go => setTimeout(go, everyMs));
  }

  /** @param signal SIGTERM: it takes leave; SIGKILL: it does not */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.#program?.end(signal);
  }

  async stop(): Promise<void> {
    await this.end();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The options of node with which the installed gateway runs. */
async function unitFlags(): Promise<readonly string[]> {
  const names = await readdir(UNITS).catch(() => []);
  for (const name of names.filter(name => name.endsWith('.service'))) {
    const text = await readFile(join(UNITS, name), 'utf8');
    const command = /^ExecStart=.* gateway( .*)?$/m.exec(text)?.[0];
    const flags = command?.match(/--max-(old|semi)-space-size=\d+/g);
    if (flags) return flags;
  }
  return USUAL_FLAGS;
}
