/** The firmware's own device code against the intake, over a link that drops, doubles, delays and corrupts. */
import test from 'ava';
import { nobleDigest } from '../../../boards/virtual/digest.js';
import { VirtualFlash } from '../../../boards/virtual/flash.js';
import { SeededRandom } from '../../../boards/virtual/random.js';
import { virtualSources } from '../../../boards/virtual/sources.js';
import { Device } from '../../../firmware/device.js';
import { toHex } from '../../../firmware/seal/index.js';
import { KeyStore } from '../../../firmware/store/key-store.js';
import { RamBacklog } from '../../../firmware/store/ram-backlog.js';
import { freshSeed } from '../../support/prng.js';
import type { VirtualIdentity } from '../../support/virtual-peer.js';
import { type FakeLink, identity, Rig } from './rig.js';

interface Trouble {
  drop: number;
  duplicate: number;
  corrupt: number;
  delay: number;
}

const CALM: Trouble = { drop: 0, duplicate: 0, corrupt: 0, delay: 0 };

class Board {
  readonly sealed: string[] = [];
  readonly receipted: string[] = [];
  lost = 0;
  trouble = CALM;
  device!: Device;
  readonly #rig: Rig;
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
    const { clock } = this.#rig;
    const bootMs = clock.monotonic();
    const name = (epoch: number, seq: number, bytes: Uint8Array) => `${epoch}/${seq} ${toHex(bytes)}`;
    this.device = new Device(
      {
        digest: nobleDigest,
        uptime: { nowMs: () => Math.floor(clock.monotonic() - bootMs) },
        random: this.#random,
        wire: {
          send: (buffer, from, to) => {
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

async function run(rig: Rig, boards: readonly Board[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) {
    for (const { device } of boards) device.poll();
    rig.clock.advance(20);
    await new Promise(resolve => setImmediate(resolve));
    if (passed % 100 === 0) await rig.disk();
  }
}

async function settle(rig: Rig, boards: readonly Board[]): Promise<void> {
  for (const board of boards) {
    board.trouble = CALM;
    board.device.quiet = true;
  }
  for (let i = 0; i < 500 && boards.some(({ device }) => device.retained.count > 0); i++)
    await run(rig, boards, 200);
  await rig.synced();
}

test('every reading that a device seals is journalled once and in order, and receipted only then', async t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const owners = [1, 2, 3].map(identity);
  const rig = await Rig.start(
    t,
    owners.map(owner => owner.entry()),
  );
  const boards = owners.map((owner, i) => new Board(rig, owner, seed + i));
  for (const board of boards) {
    board.boot();
    board.trouble = { drop: 0.1, duplicate: 0.1, corrupt: 0.1, delay: 0.2 };
  }
  await run(rig, boards, 20_000);
  boards[1].connect(); // the cable was pulled and put back
  await run(rig, boards, 5_000);
  rig.stalled = true; // the disk refuses for a while
  await run(rig, boards, 5_000);
  rig.stalled = false;
  await settle(rig, boards);
  for (const [i, board] of boards.entries()) {
    const stored = rig.durable
      .filter(({ device }) => device === owners[i].idText)
      .map(entry => (entry.kind === 'reading' ? `${entry.epoch}/${entry.seq} ${toHex(entry.bytes)}` : 'gap'));
    t.true(board.sealed.length > 300, `${board.sealed.length}`);
    t.deepEqual(stored, board.sealed, `device ${i}`);
    t.deepEqual(board.receipted, board.sealed);
    t.is(board.lost, 0);
  }
  t.is(rig.count('fork'), 0);
  t.is(rig.count('advances'), 0);
});

test('a board that restarts goes on in its next epoch; what it had not sent is a gap', async t => {
  const owner = identity();
  const rig = await Rig.start(t, [owner.entry()]);
  const board = new Board(rig, owner, 5);
  board.boot();
  await run(rig, [board], 3_000);
  board.boot();
  await run(rig, [board], 3_000);
  await settle(rig, [board]);
  const story = rig.story();
  const gap = story.findIndex(line => line.startsWith('gap'));
  t.regex(story[gap], /^gap 0\/\d+\.\.1\/0$/);
  t.is(story[gap + 1], '1/0');
  t.is(story.filter(line => line.startsWith('gap')).length, 1);
  t.is(rig.device(owner).restart, 'power-on');
});
