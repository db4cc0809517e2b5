import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedBroker } from '../../host/node/embedded-broker.js';
import { findProgram } from './needs.js';

/** A real Mosquitto with persistence in a directory of its own; may be killed and started again. */
export class Mosquitto {
  readonly port: number;
  readonly directory: string;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(port: number, directory: string) {
    this.port = port;
    this.directory = directory;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** What it has written to its log. */
  get output(): string {
    return this.#output;
  }

  /** @param lines added to the configuration; `allow_anonymous true` unless they say otherwise */
  static async start(lines: readonly string[] = []): Promise<Mosquitto> {
    const port = await freePort();
    const directory = await mkdtemp(join(tmpdir(), 'mosquitto-'));
    const broker = new Mosquitto(port, directory);
    await broker.configure(lines);
    await broker.run();
    return broker;
  }

  /** Writes the configuration; counts from the next `run`. */
  async configure(lines: readonly string[]): Promise<void> {
    const anonymous = lines.some(line => line.startsWith('allow_anonymous')) ? [] : ['allow_anonymous true'];
    const config = [
      // Or it becomes the user `mosquitto`, who can’t write here. Without root it stays who it is.
      'user root',
      `listener ${this.port} 127.0.0.1`,
      'persistence true',
      `persistence_location ${this.directory}/`,
      'autosave_interval 1800',
      'log_type error',
      'log_type warning',
      'log_type notice',
      ...anonymous,
      ...lines,
    ];
    await writeFile(join(this.directory, 'mosquitto.conf'), `${config.join('\n')}\n`);
  }

  /** @throws when mosquitto is not installed */
  async run(): Promise<void> {
    const program = findProgram('mosquitto');
    if (program === undefined) throw new Error('mosquitto is not installed: apt-get install mosquitto');
    const child = spawn(program, ['-c', join(this.directory, 'mosquitto.conf')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const note = (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-65_536);
    };
    child.stdout!.on('data', note);
    child.stderr!.on('data', note);
    for (let tries = 0; !(await answers(this.port)); tries++) {
      if (child.exitCode !== null || tries > 200) throw new Error(`mosquitto does not run: ${this.#output}`);
      await new Promise(resolve => setTimeout(resolve, 25));
    }
  }

  /** SIGKILL: what it has not written is gone. SIGTERM: it writes everything. SIGUSR1: writes and stays. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise(resolve => child.once('close', resolve));
    child.kill(signal);
    await gone;
  }

  /** Stops and goes on: connections stay, nothing is answered. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR1'): void {
    this.#child?.kill(signal);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The embedded broker under the same interface. */
export async function startAedes(): Promise<{ url: string; stop(): Promise<void> }> {
  const broker = await startEmbeddedBroker();
  return { url: broker.url, stop: () => broker.close() };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
