/** Boards that run the firmware's own device code, on links that drop, double, delay and corrupt. */
import { nobleDigest } from '../../../boards/virtual/digest.js';
import { VirtualFlash } from '../../../boards/virtual/flash.js';
import { SeededRandom } from '../../../boards/virtual/random.js';
import { virtualSources } from '../../../boards/virtual/sources.js';
import { Device } from '../../../firmware/device.js';
import { toHex } from '../../../firmware/seal/index.js';
import { KeyStore } from '../../../firmware/store/key-store.js';
import { RamBacklog } from '../../../firmware/store/ram-backlog.js';
import type { VirtualIdentity } from '../../support/virtual-peer.js';
import type { FakeLink, Rig } from './rig.js';

export interface Trouble {
  drop: number;
  duplicate: number;
  corrupt: number;
  delay: number;
}

const MAX_RECORDED = 5000;

export const CALM: Trouble = { drop: 0, duplicate: 0, corrupt: 0, delay: 0 };

export class Board {
  readonly sealed: string[] = [];
  readonly receipted: string[] = [];
  /** What somebody on the link has recorded. */
  readonly recorded: Uint8Array[] = [];
  lost = 0;
  trouble = CALM;
  device!: Device;
  #rig: Rig;
  /** What had passed when the present gateway began. */
  #passedMs = 0;
  readonly #identity: VirtualIdentity;
  readonly #random: SeededRandom;
  readonly #flash = new VirtualFlash({ sectors: 3 });
  #link: FakeLink | undefined;

  constructor(rig: Rig, owner: VirtualIdentity, seed: number) {
    this.#rig = rig;
    this.#identity = owner;
    this.#random = new SeededRandom(seed);
    new KeyStore(this.#flash).provision(owner.id, owner.entry().down!, 0, owner.chain(0));
  }

  boot(): void {
    const keys = new KeyStore(this.#flash);
    keys.load();
    const nowMs = () => this.#passedMs + this.#rig.clock.monotonic();
    const bootMs = nowMs();
    const name = (epoch: number, seq: number, bytes: Uint8Array) => `${epoch}/${seq} ${toHex(bytes)}`;
    this.device = new Device(
      {
        digest: nobleDigest,
        uptime: { nowMs: () => Math.floor(nowMs() - bootMs) },
        random: this.#random,
        wire: {
          send: (buffer, from, to) => {
            if (this.recorded.length < MAX_RECORDED) this.recorded.push(buffer.slice(from, to));
            this.#carry(buffer.slice(from, to), bytes => this.#link?.handler?.data(bytes));
            return true;
          },
        },
        board: { freeMemoryBytes: () => 40_000 },
        keys,
        backlog: new RamBacklog(65_536),
        sources: virtualSources(this.#random, 20),
        observer: {
          sealed: (epoch, seq, _kind, buffer, from, to) =>
            void this.sealed.push(name(epoch, seq, buffer.subarray(from, to))),
          receipted: (epoch, seq, buffer, from, to) =>
            void this.receipted.push(name(epoch, seq, buffer.subarray(from, to))),
          lost: () => void this.lost++,
        },
      },
      { firmware: 'test', restart: 'power-on' },
    );
    const fault = this.device.start();
    if (fault !== '') throw new Error(fault);
    this.connect();
  }

  /** Another gateway is where the one before was. */
  moveTo(rig: Rig): void {
    this.#link?.end('gone');
    this.#link = undefined;
    this.#passedMs += this.#rig.clock.monotonic();
    this.#rig = rig;
    this.connect();
  }

  /** Somebody on the link sends what he has recorded. */
  replay(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#link?.handler?.data(frame);
  }

  connect(): void {
    this.#link?.end('again');
    this.device.linkUp();
    this.#link = this.#rig.serial.connect(`serial:${this.#identity.idText}`, bytes =>
      this.#carry(bytes, arrived => this.device.receive(arrived)),
    );
  }

  #carry(bytes: Uint8Array, arrive: (bytes: Uint8Array) => void): void {
    const random = this.#random;
    const { drop, duplicate, corrupt, delay } = this.trouble;
    if (random.unit() < drop) return;
    const times = random.unit() < duplicate ? 2 : 1;
    if (random.unit() < corrupt) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    for (let i = 0; i < times; i++) {
      const late = random.unit() < delay ? random.below(60) : 0;
      this.#rig.clock.after(1 + late, () => arrive(bytes));
    }
  }
}

export async function run(rig: Rig, boards: readonly Board[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) {
    for (const { device } of boards) device.poll();
    rig.clock.advance(20);
    await new Promise(resolve => setImmediate(resolve));
    if (passed % 100 === 0) await rig.disk();
  }
}

export async function settle(rig: Rig, boards: readonly Board[]): Promise<void> {
  for (const board of boards) {
    board.trouble = CALM;
    board.device.quiet = true;
  }
  for (let i = 0; i < 500 && boards.some(({ device }) => device.retained.count > 0); i++)
    await run(rig, boards, 200);
  await rig.synced();
}
