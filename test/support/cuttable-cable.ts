import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { until } from './cable.js';
import type { Prng } from './prng.js';

type Direction = 'up' | 'down';

/**
 * A cable whose two ends are pseudo-terminals of two socats, with this process in between: so it can be cut within a
 * frame, the first part of which has arrived.
 */
export class CuttableCable {
  readonly gatewayEnd: string;
  readonly deviceEnd: string;
  /** How many times it was cut within a frame. */
  cuts = 0;
  readonly #socat: string;
  readonly #random: Prng;
  readonly #server: Server;
  #children: ChildProcess[] = [];
  #sockets: Socket[] = [];
  #cut: { direction: Direction; done: () => void } | undefined;

  private constructor(socat: string, directory: string, random: Prng, server: Server) {
    this.#socat = socat;
    this.#random = random;
    this.#server = server;
    this.gatewayEnd = join(directory, 'gateway');
    this.deviceEnd = join(directory, 'device');
  }

  static async create(socat: string, directory: string, random: Prng): Promise<CuttableCable> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return new CuttableCable(socat, directory, random, server);
  }

  async plug(): Promise<void> {
    const device = await this.#end(this.deviceEnd);
    const gateway = await this.#end(this.gatewayEnd);
    this.#carry('up', device, gateway);
    this.#carry('down', gateway, device);
    await until(() => existsSync(this.gatewayEnd) && existsSync(this.deviceEnd));
  }

  /** Resolves when the cable is gone: within the next frame of that direction. */
  async cut(direction: Direction): Promise<void> {
    await new Promise<void>(done => {
      this.#cut = { direction, done };
    });
    await this.#pull();
  }

  async close(): Promise<void> {
    await this.#pull();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  /** One socat: a pseudo-terminal, and a connection to us. */
  #end(path: string): Promise<Socket> {
    const { port } = this.#server.address() as { port: number };
    return new Promise(resolve => {
      this.#server.once('connection', socket => {
        socket.setNoDelay(true);
        socket.on('error', () => {});
        this.#sockets.push(socket);
        resolve(socket);
      });
      const ends = [`pty,raw,echo=0,link=${path}`, `tcp:127.0.0.1:${port}`];
      this.#children.push(spawn(this.#socat, ends, { stdio: 'ignore' }));
    });
  }

  #carry(direction: Direction, from: Socket, to: Socket): void {
    from.on('data', chunk => {
      const end = chunk.indexOf(0);
      // Where a frame ends in this chunk, cut before; frames are longer than two bytes.
      if (this.#cut?.direction !== direction || end < 2) {
        to.write(chunk);
        return;
      }
      const { done } = this.#cut;
      this.#cut = undefined;
      this.cuts++;
      from.pause();
      to.write(chunk.subarray(0, 1 + Math.floor(this.#random() * (end - 1))), () => done());
    });
  }

  async #pull(): Promise<void> {
    const children = this.#children;
    this.#children = [];
    const gone = children.map(child => {
      const exited = new Promise<void>(resolve => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', () => resolve());
      });
      child.kill('SIGTERM'); // so that it takes its link away
      return exited;
    });
    await Promise.all(gone);
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets = [];
  }
}
