/** The gateway as a process of its own, as it runs on a site, with a keyring of known devices. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toHex } from '../../firmware/seal/index.js';
import { callGateway } from '../../host/control/client.js';
import type { NodeStatus } from '../../host/control/status.js';
import { systemClock } from '../../host/node/clock.js';
import { connectUnix } from '../../host/node/unix-socket.js';
import { freePort } from '../support/brokers.js';
import { MAIN } from '../support/program.js';
import type { VirtualIdentity } from '../support/virtual-peer.js';

const START_TIMEOUT_MS = 30_000;

export class GatewayRig {
  readonly directory: string;
  readonly port: number;
  /** From the start of the process to the line that says it serves. */
  startedMs = 0;
  #child: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  /** @param settings more lines of the configuration, such as `uplink: { … }` */
  static async start(identities: readonly VirtualIdentity[], settings = ''): Promise<GatewayRig> {
    const rig = new GatewayRig(await mkdtemp(join(tmpdir(), 'sovereign-bench-')), await freePort());
    const devices = identities.map(identity => {
      const { id, name, epoch, chain, down } = identity.entry();
      return `  - { id: "${id}", name: "${name}", epoch: ${epoch}, chain: "${toHex(chain)}", down: "${toHex(down!)}" }`;
    });
    await writeFile(join(rig.directory, 'keyring.yaml'), `version: 1\ndevices:\n${devices.join('\n')}\n`, {
      mode: 0o600,
    });
    await rig.configure(settings);
    await rig.run();
    return rig;
  }

  /** Writes the configuration; counts from the next `run`. */
  configure(settings: string): Promise<void> {
    const text = `site: bench
gateway: bench
links: { tcp: { listen: "127.0.0.1:${this.port}", maxConnections: 1100, maxUnauthenticated: 1100 } }
log: { level: info }
${settings}
`;
    return writeFile(join(this.directory, 'config.yaml'), text);
  }

  /** Starts the process; resolves when it serves. */
  async run(): Promise<void> {
    const began = performance.now();
    const child = spawn(
      process.execPath,
      [MAIN, 'gateway', '--config', join(this.directory, 'config.yaml')],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the gateway does not start: ${said}`)),
        START_TIMEOUT_MS,
      );
      const hear = (chunk: Buffer) => {
        if (said.length < 65_536) said += chunk;
        if (!said.includes('gateway-started')) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout!.on('data', hear);
      child.stderr!.on('data', hear);
      child.once('exit', () => reject(new Error(`the gateway ended: ${said}`)));
    });
    this.startedMs = performance.now() - began;
  }

  /** Resident memory of the process, now and at its highest. */
  memory(): { bytes: number; peakBytes: number } {
    const text = readFileSync(`/proc/${this.#child!.pid}/status`, 'utf8');
    const of = (name: string) => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    return { bytes: of('VmRSS'), peakBytes: of('VmHWM') };
  }

  status(): Promise<NodeStatus> {
    const ports = { clock: systemClock, connect: connectUnix };
    return callGateway(ports, join(this.directory, 'data', 'control.sock'), 'status', {});
  }

  /** @param signal SIGTERM: it takes leave; SIGKILL: it does not */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise(resolve => child.once('close', resolve));
    child.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    await this.end();
    await rm(this.directory, { recursive: true, force: true });
  }
}
