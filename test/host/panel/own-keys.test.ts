import test from 'ava';
import { KeyChain, toHex } from '../../../firmware/seal/index.js';
import type { Fault } from '../../../host/fault.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { systemRandom } from '../../../host/node/random.js';
import { OwnKeys } from '../../../host/panel/own-keys.js';
import type { Storage, StorageFile } from '../../../host/ports.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';

const DIRECTORY = '/data/own-device';

/** Cuts the power after so many bytes and steps written: what was written stays, the rest never happens. */
class CutStorage implements Storage {
  left: number;
  readonly #inner: MemoryStorage;

  constructor(inner: MemoryStorage, left: number) {
    this.#inner = inner;
    this.left = left;
  }

  list = (directory: string) => this.#inner.list(directory);
  space = () => this.#inner.space();
  ensureDirectory = async () => this.#spend(1);
  syncDirectory = async () => this.#spend(1);

  async open(path: string, mode: 'read' | 'update' | 'create'): Promise<StorageFile> {
    if (mode === 'create') this.#spend(1);
    const file = await this.#inner.open(path, mode);
    return {
      read: (target, position) => file.read(target, position),
      write: async (source, position) => {
        const fits = Math.min(source.length, this.left);
        await file.write(source.subarray(0, fits), position);
        this.#spend(source.length);
        return source.length;
      },
      sync: async () => this.#spend(1),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#spend(1);
    await this.#inner.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await this.#inner.remove(path);
    this.#spend(1);
  }

  #spend(cost: number): void {
    if (this.left < cost) throw new Error('the power is gone');
    this.left -= cost;
  }
}

const ports = (storage: Storage) => ({ storage, random: systemRandom, digest: nodeDigest });
const never = () => false;

test('each start seals under the next epoch, and the key of what was sealed is no longer stored', async t => {
  const storage = new MemoryStorage();
  const made = await OwnKeys.create(ports(storage), DIRECTORY, never);
  const base = await made.base();
  t.is(base.epoch, 0);
  const chains = new KeyChain(nodeDigest);
  let chain = base.chain;
  for (let epoch = 0; epoch < 5; epoch++) {
    const keys = (await OwnKeys.load(ports(storage), DIRECTORY))!;
    t.is(keys.id, made.id);
    const begun = await keys.begin();
    t.is(begun.epoch, epoch);
    t.is(toHex(begun.chain), toHex(chain));
    const stored = [...storage.files.values()].map(bytes => Buffer.from(bytes));
    t.false(
      stored.some(bytes => bytes.includes(Buffer.from(chain))),
      'the key of this epoch lies on the disk',
    );
    chain = chains.next(chain);
    t.true(stored.some(bytes => bytes.includes(Buffer.from(chain))));
  }
  t.is((await made.begin(40)).epoch, 40);
  t.is((await made.begin(7)).epoch, 41);
});

test('what the slots hold, and what is sealed under', async t => {
  const made = new MemoryStorage();
  const { base } = await OwnKeys.create(ports(made), DIRECTORY, never).then(async keys => ({
    base: await keys.base(),
  }));
  const keys = (await OwnKeys.load(ports(made), DIRECTORY))!;
  const at = async (epoch: number) => {
    await keys.begin(epoch - 1);
    return ['slot-0', 'slot-1']
      .map(slot => made.files.get(`${DIRECTORY}/${slot}`)!.slice())
      .find(bytes => bytes[0] !== 0xff)!;
  };
  t.is(base.epoch, 0);
  const five = await at(5);
  const six = await at(6);
  const empty = new Uint8Array(48).fill(0xff);
  const torn = six.slice().fill(0xff, 20);
  const cases: [Uint8Array | undefined, Uint8Array | undefined, number | undefined][] = [
    [five, empty, 5],
    [empty, five, 5],
    [five, six, 6],
    [six, five, 6],
    [five, torn, 6],
    [torn, five, 6],
    [five, undefined, 6],
    [five.slice(0, 47), six, 7],
    [torn, empty, undefined],
    [empty, empty, undefined],
  ];
  for (const [first, second, epoch] of cases) {
    for (const [slot, bytes] of [['slot-0', first] as const, ['slot-1', second] as const])
      if (bytes === undefined) made.files.delete(`${DIRECTORY}/${slot}`);
      else made.files.set(`${DIRECTORY}/${slot}`, bytes.slice());
    const begun = await keys.begin().catch((fault: Fault) => fault.code);
    t.deepEqual(typeof begun === 'string' ? begun : begun.epoch, epoch ?? 'own-device-damaged');
  }
});

test('wherever the power is cut, no epoch is used twice and the identity stays', async t => {
  const storage = new MemoryStorage();
  const { id } = await OwnKeys.create(ports(storage), DIRECTORY, never);
  let last = -1;
  for (let cut = 0; cut < 220; cut++) {
    // A start that is cut: if it got its key in spite of that, it has sealed with it.
    const keys = (await OwnKeys.load(ports(new CutStorage(storage, cut)), DIRECTORY))!;
    const begun = await keys.begin().catch(() => undefined);
    for (const one of [begun, await (await OwnKeys.load(ports(storage), DIRECTORY))!.begin()]) {
      if (one === undefined) continue;
      t.true(one.epoch > last, `epoch ${one.epoch} after ${last}, cut at ${cut}`);
      last = one.epoch;
    }
  }
  t.is((await OwnKeys.load(ports(storage), DIRECTORY))?.id, id);
});

test('an identity that was never finished is none', async t => {
  for (let cut = 0; cut < 300; cut++) {
    const storage = new MemoryStorage();
    const made = await OwnKeys.create(ports(new CutStorage(storage, cut)), DIRECTORY, never).catch(
      () => undefined,
    );
    const loaded = await OwnKeys.load(ports(storage), DIRECTORY);
    if (made !== undefined) t.is(loaded?.id, made.id);
    const keys = loaded ?? (await OwnKeys.create(ports(storage), DIRECTORY, never));
    t.is((await keys.begin()).epoch, 0, `cut at ${cut}`);
  }
});

test('what the disk has destroyed is a fault that says what to do, and never a new identity', async t => {
  const storage = new MemoryStorage();
  const keys = await OwnKeys.create(ports(storage), DIRECTORY, never);
  for (const slot of ['slot-0', 'slot-1']) storage.files.set(`${DIRECTORY}/${slot}`, new Uint8Array(48));
  const fault = await t.throwsAsync<Fault>(keys.begin());
  t.is(fault?.code, 'own-device-damaged');
  t.regex(fault?.remedy ?? '', /delete \/data\/own-device/);
  storage.files.set(`${DIRECTORY}/identity`, Buffer.from('{"format":1,"id":"x"}'));
  t.is((await t.throwsAsync<Fault>(OwnKeys.load(ports(storage), DIRECTORY)))?.code, 'own-device-damaged');
});
