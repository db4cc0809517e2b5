import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Prng, prng } from './prng.js';

/** Probabilities per frame, in each direction. */
export interface Loss {
  drop: number;
  duplicate: number;
  corrupt: number;
  /** The frame changes places with the next one. */
  swap: number;
}

export const NO_LOSS: Loss = { drop: 0, duplicate: 0, corrupt: 0, swap: 0 };

/** A TCP proxy on loopback that treats 0x00-delimited frames as a bad wire would; from one seed. */
export class LossyProxy {
  readonly counts = { frames: 0, dropped: 0, duplicated: 0, corrupted: 0, swapped: 0 };
  readonly #random: Prng;
  readonly #loss: Loss;
  readonly #targetPort: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(targetPort: number, seed: number, loss: Loss) {
    this.#targetPort = targetPort;
    this.#random = prng(seed);
    this.#loss = loss;
    this.#server = createServer(device => this.#join(device));
  }

  /** Listens on a free port and returns it. */
  async listen(): Promise<number> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }

  #join(device: Socket): void {
    const gateway = connect(this.#targetPort, '127.0.0.1');
    this.#carry(device, gateway);
    this.#carry(gateway, device);
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let rest = Buffer.alloc(0);
    let held: Buffer | undefined;
    from.on('data', chunk => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        const frame = Buffer.from(rest.subarray(0, end + 1));
        rest = rest.subarray(end + 1);
        for (const out of this.#treat(frame)) {
          if (held === undefined && this.#random() < this.#loss.swap) {
            this.counts.swapped++;
            held = out;
          } else {
            to.write(out);
            if (held !== undefined) to.write(held);
            held = undefined;
          }
        }
      }
    });
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  #treat(frame: Buffer): Buffer[] {
    this.counts.frames++;
    const { drop, duplicate, corrupt } = this.#loss;
    const chance = this.#random();
    if (chance < drop) {
      this.counts.dropped++;
      return [];
    }
    if (chance < drop + duplicate) {
      this.counts.duplicated++;
      return [frame, frame];
    }
    if (chance < drop + duplicate + corrupt) {
      this.counts.corrupted++;
      frame[Math.floor(this.#random() * frame.length)]! ^= 1 << Math.floor(this.#random() * 8);
    }
    return [frame];
  }
}
