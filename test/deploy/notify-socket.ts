import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../support/cable.js';
import { pause } from '../support/live-site.js';

/** Prints each datagram as one line. Perl, as in what is tested: Node has no such sockets. */
const LISTEN = `
  use Socket;
  $| = 1;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die $!;
  bind($socket, pack_sockaddr_un($ARGV[0])) or die $!;
  while (defined recv($socket, my $said, 65536, 0)) { $said =~ s/\\n/;/g; print "$said\\n" }
`;

/** What systemd has for a service of Type=notify: a datagram socket. */
export class NotifySocket {
  readonly path: string;
  /** Each datagram, its lines joined with ";". */
  readonly said: string[] = [];
  readonly #directory: string;
  readonly #listener: ChildProcess;

  private constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'notify');
    this.#listener = spawn('perl', ['-e', LISTEN, this.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#listener.stdout! }).on('line', line => this.said.push(line));
  }

  static async listen(): Promise<NotifySocket> {
    const socket = new NotifySocket(await mkdtemp(join(tmpdir(), 'notify-')));
    await until(() => existsSync(socket.path));
    return socket;
  }

  /** What a program is started with, so that it is watched over. */
  environment(watchdogMs: number): NodeJS.ProcessEnv {
    return { NOTIFY_SOCKET: this.path, WATCHDOG_USEC: `${watchdogMs * 1000}` };
  }

  heard(text: string): boolean {
    return this.said.some(line => line.split(';').includes(text));
  }

  /** How often the watchdog has been fed. */
  get fed(): number {
    return this.said.filter(line => line.split(';').includes('WATCHDOG=1')).length;
  }

  /** How often the watchdog is fed within so long from now. */
  async feedings(ms: number): Promise<number> {
    const before = this.fed;
    await pause(ms);
    return this.fed - before;
  }

  async close(): Promise<void> {
    const gone = once(this.#listener, 'exit');
    this.#listener.kill();
    await gone;
    await rm(this.#directory, { recursive: true });
  }
}
