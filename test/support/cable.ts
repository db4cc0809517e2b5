import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SerialPort } from 'serialport';

/** Waits for at most 15 s. */
export async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 3_000 && !done(); i++) await new Promise(resolve => setTimeout(resolve, 5));
  if (!done()) throw new Error('what was awaited did not come');
}

/** A cable: two pseudo-terminals that socat joins. Pulling it is killing socat. */
export class Cable {
  readonly gatewayEnd: string;
  readonly deviceEnd: string;
  readonly #socat: string;
  #process: ChildProcess | undefined;

  constructor(socat: string, directory: string) {
    this.#socat = socat;
    this.gatewayEnd = join(directory, 'gateway');
    this.deviceEnd = join(directory, 'device');
  }

  async plug(): Promise<void> {
    const end = (path: string) => `pty,raw,echo=0,link=${path}`;
    this.#process = spawn(this.#socat, [end(this.gatewayEnd), end(this.deviceEnd)], { stdio: 'ignore' });
    await until(() => existsSync(this.gatewayEnd) && existsSync(this.deviceEnd));
  }

  async pull(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined) return;
    const gone = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM'); // so that it takes its links away
    await gone;
  }
}

export async function openPort(path: string): Promise<SerialPort> {
  const port = new SerialPort({ path, baudRate: 115_200, autoOpen: false });
  port.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    port.open(error => {
      if (error) reject(error);
      else resolve();
    });
  });
  return port;
}
