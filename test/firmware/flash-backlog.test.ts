import test, { type ExecutionContext } from 'ava';
import { PowerCut, VirtualFlash } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { eraseBacklog, FlashBacklog } from '../../firmware/store/flash-backlog.js';
import { freshSeed } from '../support/prng.js';

const ID = new Uint8Array(8).fill(7);
const MAX_BYTES = 90;
/** Small sectors keep the number of places where power can be cut within reach; the code knows no sizes. */
const SHAPE = { sectors: 7, sectorBytes: 384, programBytes: 16 };
const RING = { first: 2, sectors: 5, id: ID, maxEnvelopeBytes: MAX_BYTES, unitBytes: 32 };
const MAX_ENTRIES_PER_SECTOR = Math.floor((384 - 32 - 24) / 60);

const open = (flash: VirtualFlash, ramBytes = 400) =>
  new FlashBacklog(flash, { ...RING, ramBytes, graceMs: 0, everyMs: 0 });

interface Entry {
  readonly epoch: number;
  readonly seq: number;
}

/** The one envelope that (epoch, seq) ever has. */
function envelope({ epoch, seq }: Entry): Uint8Array {
  const random = new SeededRandom(1000 * epoch + seq);
  const bytes = new Uint8Array(40 + random.below(MAX_BYTES - 40));
  random.fill(bytes);
  return bytes;
}

const same = (a: Entry, b: Entry) => a.epoch === b.epoch && a.seq === b.seq;
const before = (a: Entry, b: Entry) => a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);
const name = ({ epoch, seq }: Entry) => `${epoch}:${seq}`;

/** A device's use of its backlog, at random but repeatable. */
class History {
  backlog: FlashBacklog;
  /** What should be held, oldest first. */
  held: Entry[] = [];
  readonly lost = new Set<string>();
  readonly flash: VirtualFlash;
  #random: SeededRandom;
  #epoch = 0;
  #seq = 0;

  constructor(flash: VirtualFlash, seed: number, epoch = 0) {
    this.flash = flash;
    this.#random = new SeededRandom(seed);
    this.#epoch = epoch;
    this.backlog = open(flash);
  }

  /** In flash for certain. */
  get durable(): Entry[] {
    return this.held.slice(0, this.backlog.kept);
  }

  step(nowMs: number): void {
    const random = this.#random;
    const dice = random.below(20);
    if (dice < 12) this.push();
    else if (dice < 15) this.backlog.tend(nowMs, true);
    else if (dice < 19) for (let left = random.below(6); left > 0; left--) this.shift();
    else if (random.below(3) === 0) {
      this.backlog.tend(nowMs, true);
      this.#epoch++;
      this.#seq = 0;
    }
  }

  push(): void {
    const entry = { epoch: this.#epoch, seq: this.#seq };
    const bytes = envelope(entry);
    while (!this.backlog.push(entry.epoch, entry.seq, bytes, 0, bytes.length)) {
      this.lost.add(name(this.held[0]));
      this.shift();
    }
    this.held.push(entry);
    this.#seq++;
  }

  shift(): void {
    // Forgotten before the flash knows: this is what a receipt or a loss means.
    this.held.shift();
    this.backlog.shift();
  }
}

function contents(backlog: FlashBacklog): { entry: Entry; bytes: Uint8Array }[] {
  const list = [];
  for (let i = 0; i < backlog.count; i++) {
    if (!backlog.select(i)) throw new Error(`entry ${i} of ${backlog.count} can't be selected`);
    const entry = { epoch: backlog.epoch, seq: backlog.seq };
    list.push({ entry, bytes: backlog.buffer.slice(backlog.from, backlog.to) });
  }
  return list;
}

/** What is wrong with what a reboot found, in words. */
function judge(found: ReturnType<typeof contents>, durable: readonly Entry[], newest: Entry): string {
  for (let i = 0; i < found.length; i++) {
    const { entry, bytes } = found[i];
    if (i > 0 && !before(found[i - 1].entry, entry)) return `${name(entry)} out of order`;
    if (before(newest, entry)) return `${name(entry)} was never sealed`;
    const whole = Buffer.compare(bytes, envelope(entry)) === 0;
    const torn = bytes.length === 0 && !durable.some(one => same(one, entry));
    if (!whole && !torn) return `${name(entry)} has other bytes`;
  }
  for (const entry of durable) {
    if (!found.some(one => same(one.entry, entry))) return `${name(entry)} is gone`;
  }
  const again = found.filter(({ entry }) => durable.length > 0 && before(entry, durable[0])).length;
  if (again > MAX_ENTRIES_PER_SECTOR) return `${again} entries come again`;
  return '';
}

const STEPS = 90;

function run(history: History): void {
  for (let i = 0; i < STEPS; i++) history.step(i);
}

test('a ring behaves as a list does, through reboots', t => {
  for (let round = 0; round < 60; round++) {
    const seed = freshSeed();
    const history = new History(new VirtualFlash(SHAPE), seed);
    for (let i = 0; i < 300; i++) {
      history.step(i);
      const found = contents(history.backlog).map(({ entry }) => name(entry));
      if (`${found}` !== `${history.held.map(name)}`) {
        t.fail(`seed ${seed}, step ${i}: ${found} instead of ${history.held.map(name)}`);
        return;
      }
      const rebooted = contents(open(new VirtualFlash({ ...SHAPE, image: history.flash.image.slice() })));
      const wrong = judge(rebooted, history.durable, { epoch: 1e6, seq: 0 });
      if (wrong !== '' || rebooted.some(({ bytes }) => bytes.length === 0)) {
        t.fail(`seed ${seed}, step ${i}: ${wrong}`);
        return;
      }
    }
  }
  t.pass();
});

function cutEverywhere(t: ExecutionContext, seed: number): void {
  const counting = new History(new VirtualFlash(SHAPE), seed);
  run(counting);
  const { steps } = counting.flash;
  const random = new SeededRandom(seed);
  for (let at = 0; at < steps; at++) {
    const flash = new VirtualFlash(SHAPE);
    const history = new History(flash, seed);
    flash.cutAfter(at, at);
    let durable: Entry[] = [];
    const wasDurable = () => durable.filter(entry => history.held.some(one => same(one, entry)));
    try {
      for (let i = 0; i < STEPS; i++) {
        durable = history.durable;
        history.step(i);
      }
      t.fail(`seed ${seed}: no cut at ${at}`);
      return;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    durable = wasDurable();
    const newest = { epoch: 1e6, seq: 0 };
    let wrong = judge(contents(open(flash)), durable, newest);
    // Life goes on, and power goes again.
    const next = new History(flash, seed + at, 1000);
    const left = contents(next.backlog);
    next.held = left.map(({ entry }) => entry);
    flash.cutAfter(random.below(1500), at);
    let later = next.durable;
    try {
      for (let i = 0; i < STEPS; i++) {
        later = next.durable;
        next.step(i);
      }
      later = next.durable;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
    const readable = later.filter(
      entry =>
        next.held.some(one => same(one, entry)) &&
        !left.some(one => same(one.entry, entry) && one.bytes.length === 0),
    );
    wrong ||= judge(contents(open(flash)), readable, newest);
    if (wrong !== '') {
      t.fail(`seed ${seed}, cut at step ${at}: ${wrong}`);
      return;
    }
  }
  t.log(`seed ${seed}: ${steps} cuts`);
  t.pass();
}

for (const n of [1, 2]) {
  test(`power cut at every erase, program step and byte of a history (${n})`, t =>
    cutEverywhere(t, freshSeed()));
}

test('a flash that fails at any byte costs nothing that memory still has', t => {
  const seed = freshSeed();
  const counting = new History(new VirtualFlash(SHAPE), seed);
  run(counting);
  for (let at = 0; at < counting.flash.steps; at += 3) {
    const flash = new VirtualFlash(SHAPE);
    const history = new History(flash, seed);
    flash.failAfter(at);
    run(history);
    const found = contents(history.backlog);
    const expected = history.held.map(name);
    const rebooted = judge(contents(open(flash)), history.durable, { epoch: 1e6, seq: 0 });
    if (`${found.map(({ entry }) => name(entry))}` !== `${expected}` || rebooted !== '') {
      t.fail(`seed ${seed}, failure at ${at}: ${rebooted}`);
      return;
    }
    if (found.some(({ entry, bytes }) => Buffer.compare(bytes, envelope(entry)) !== 0)) {
      t.fail(`seed ${seed}, failure at ${at}: other bytes`);
      return;
    }
  }
  t.pass();
});

test('sectors are used in turn: no sector is erased more than once more than another', t => {
  const erases = new Array<number>(SHAPE.sectors).fill(0);
  const flash = new VirtualFlash(SHAPE);
  const erase = flash.erase.bind(flash);
  flash.erase = sector => {
    erases[sector]++;
    return erase(sector);
  };
  let epoch = 0;
  for (let boot = 0; boot < 40; boot++) {
    const history = new History(flash, boot, epoch++);
    history.held = contents(history.backlog).map(({ entry }) => entry);
    for (let i = 0; i < 50; i++) history.step(i);
    epoch += 20;
  }
  t.log(erases.join(' '));
  const [, , ...ring] = erases;
  t.true(Math.min(...ring) > 20);
  t.true(Math.max(...ring) - Math.min(...ring) <= 1);
  t.deepEqual(erases.slice(0, 2), [0, 0]);
});

test('nothing is written while readings are taken, and all of it once nobody does', t => {
  const flash = new VirtualFlash(SHAPE);
  const backlog = new FlashBacklog(flash, { ...RING, ramBytes: 400, graceMs: 5_000, everyMs: 10_000 });
  const push = (seq: number) => {
    const bytes = envelope({ epoch: 0, seq });
    return backlog.push(0, seq, bytes, 0, bytes.length);
  };
  for (let seq = 0; seq < 1000; seq++) {
    t.true(push(seq));
    backlog.tend(1000 * seq, false);
    if (seq > 1) backlog.shift();
  }
  t.is(flash.erases + flash.programs, 0);
  t.is(backlog.tend(1_000_000, true), 5_000);
  t.is(backlog.tend(1_004_999, true), 1);
  t.is(flash.erases + flash.programs, 0);
  t.is(backlog.tend(1_005_000, true), 10_000);
  t.is(backlog.kept, backlog.count);
  push(1000);
  t.is(backlog.tend(1_006_000, true), 9_000);
  t.is(backlog.sendable, backlog.count - 1);
  t.is(backlog.tend(1_015_000, true), 10_000);
  t.is(backlog.kept, backlog.count);
});

test('what another identity left is not read, and is written over', t => {
  const flash = new VirtualFlash(SHAPE);
  const history = new History(flash, 5);
  run(history);
  history.backlog.tend(1e6, true);
  t.true(open(flash).count > 0);
  const other = new FlashBacklog(flash, { ...RING, id: new Uint8Array(8), ramBytes: 400 });
  t.is(other.count, 0);
});

test('rot in a head or in a body costs what it hits, and the rest is served', t => {
  const whole = new History(new VirtualFlash(SHAPE), 11);
  for (let i = 0; i < 12; i++) whole.push();
  whole.backlog.tend(1e6, true);
  const { image } = whole.flash;
  for (let at = 2 * SHAPE.sectorBytes; at < image.length; at += 3) {
    const rotten = image.slice();
    rotten[at] ^= 0x10;
    const backlog = open(new VirtualFlash({ ...SHAPE, image: rotten }));
    const found = contents(backlog).filter(({ bytes }) => bytes.length > 0);
    const bad = found.find(({ entry, bytes }) => Buffer.compare(bytes, envelope(entry)) !== 0);
    if (bad !== undefined || found.length < 12 - MAX_ENTRIES_PER_SECTOR) {
      t.fail(`bit at ${at}: ${found.length} left`);
      return;
    }
  }
  t.pass();
});

test("erasing a ring, whoever's it was, pauses after each sector", t => {
  const flash = new VirtualFlash(SHAPE);
  const { backlog } = new History(flash, 1);
  for (let seq = 0; backlog.kept < 10; seq++) {
    const bytes = envelope({ epoch: 1, seq });
    if (!backlog.push(1, seq, bytes, 0, bytes.length)) break;
    backlog.tend(seq, true);
  }
  t.true(open(flash).count >= 10);
  const beside = flash.image.slice(0, RING.first * SHAPE.sectorBytes);
  let fed = 0;
  t.true(eraseBacklog(flash, RING.first, RING.sectors, () => fed++));
  t.is(fed, RING.sectors);
  t.is(open(flash).count, 0);
  t.deepEqual(flash.image.slice(0, RING.first * SHAPE.sectorBytes), beside);
  t.true(flash.image.slice(RING.first * SHAPE.sectorBytes).every(byte => byte === 0xff));
});
