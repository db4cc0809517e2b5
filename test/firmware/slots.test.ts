import test from 'ava';
import { nobleDigest } from '../../boards/virtual/digest.js';
import { PowerCut, VirtualFlash } from '../../boards/virtual/flash.js';
import { SeededRandom } from '../../boards/virtual/random.js';
import { Epochs } from '../../firmware/epochs.js';
import { KeyChain, Sealer, toHex } from '../../firmware/seal/index.js';
import { KeyStore } from '../../firmware/store/key-store.js';
import { freshSeed } from '../support/prng.js';

const keys = new KeyChain(nobleDigest);
const root = new Uint8Array(32).fill(3);
const id = new Uint8Array(8).fill(5);
const down = keys.down(root, id);
const first = keys.first(root, id);

/** Small sectors keep the number of places where power can be cut within reach; the code knows no sizes. */
const small = (image?: Uint8Array) =>
  new VirtualFlash({ sectors: 3, sectorBytes: 64, programBytes: 16, ...(image && { image }) });

function provisioned(): VirtualFlash {
  const flash = small();
  const fault = new KeyStore(flash).provision(id, down, 0, first);
  if (fault !== '') throw new Error(fault);
  return flash;
}

/** Boots as a device does. @returns the epoch that it seals under, or the state that keeps it from that */
function boot(flash: VirtualFlash): number | string {
  const store = new KeyStore(flash);
  const state = store.load();
  if (state !== 'ready') return state;
  const sealer = new Sealer(nobleDigest, store.identity.id);
  const epochs = new Epochs(nobleDigest, store.slots, sealer);
  const fault = epochs.take() || epochs.commit();
  if (fault !== '') return fault;
  epochs.start();
  return sealer.epoch;
}

test('each boot seals under the next epoch, with the key of that epoch', t => {
  const flash = provisioned();
  for (let epoch = 0; epoch < 5; epoch++) t.is(boot(flash), epoch);
  const store = new KeyStore(flash);
  t.is(store.load(), 'ready');
  t.is(store.slots.epoch, 5);
  let chain = first;
  for (let i = 0; i < 5; i++) chain = keys.next(chain);
  t.is(toHex(store.slots.chain), toHex(chain));
  t.is(toHex(store.identity.down), toHex(down));
});

test('the flash of a device that seals holds no key of that epoch or an earlier one', t => {
  const flash = provisioned();
  let chain = first;
  for (let epoch = 0; epoch < 4; epoch++) {
    boot(flash);
    const image = toHex(flash.image);
    t.false(image.includes(toHex(chain)), `epoch ${epoch}`);
    t.false(image.includes(toHex(keys.seal(chain))));
    chain = keys.next(chain);
    t.true(image.includes(toHex(chain)));
  }
  t.false(toHex(flash.image).includes(toHex(root)));
});

test('a boot programs once', t => {
  const flash = provisioned();
  const before = flash.programs;
  boot(flash);
  t.is(flash.programs, before + 1);
});

/** Boots until one comes through, and says what it seals under; power may be cut in the first boots. */
function bootThroughCuts(
  flash: VirtualFlash,
  cuts: readonly number[],
  random: SeededRandom,
): number | string {
  for (const steps of cuts) {
    flash.cutAfter(steps, random.bits());
    try {
      return boot(flash);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
    }
  }
  flash.cutAfter(Number.POSITIVE_INFINITY, 0);
  return boot(flash);
}

test('power cut at every erase, program step and byte of a boot: no epoch repeats, no key is lost', t => {
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = new SeededRandom(seed);
  const started = provisioned();
  const highest = boot(started) as number;
  const counting = small(started.image.slice());
  boot(counting);
  const steps = counting.steps;
  t.true(steps > 64 * 2 + 48);
  for (let at = 0; at <= steps; at++) {
    for (let variant = 0; variant < 6; variant++) {
      const flash = small(started.image.slice());
      const again = variant < 3 ? [at] : [at, random.below(steps + 1), random.below(steps + 1)];
      let last = highest;
      for (let boots = 0; boots < 3; boots++) {
        const epoch = bootThroughCuts(flash, boots === 0 ? again : [], random);
        if (typeof epoch === 'string' || epoch <= last || epoch > last + 1 + 2 * again.length) {
          t.fail(`cut at ${again}: sealed ${last}, then ${epoch}`);
          return;
        }
        last = epoch;
      }
    }
  }
  t.pass();
});

test('power cut anywhere in provisioning: unprovisioned, ready, or in need of a deliberate erase', t => {
  const counting = small();
  new KeyStore(counting).provision(id, down, 0, first);
  for (let at = 0; at < counting.steps; at++) {
    const flash = small();
    flash.cutAfter(at, at + 1);
    t.throws(() => new KeyStore(flash).provision(id, down, 0, first), { instanceOf: PowerCut });
    const state = new KeyStore(flash).load();
    if (state === 'unprovisioned') {
      t.is(new KeyStore(flash).provision(id, down, 0, first), '');
      t.is(boot(flash), 0);
    } else if (state === 'ready') t.is(boot(flash), 0);
    else t.is(state, 'identity-lost');
  }
});

test('provisioned without a valid slot is a fault, never provisioning', t => {
  const flash = provisioned();
  boot(flash);
  flash.erase(0);
  flash.erase(1);
  t.is(new KeyStore(flash).load(), 'slots-lost');
  t.is(new KeyStore(flash).provision(id, down, 0, first), 'already provisioned');
  t.is(boot(flash), 'slots-lost');
  const identity = provisioned();
  identity.image[2 * 64 + 10] ^= 1;
  t.is(new KeyStore(identity).load(), 'identity-lost');
  t.is(new KeyStore(identity).provision(id, down, 0, first), 'already provisioned');
});

test('any flipped bit of the only slot makes it invalid; of the other one, it burns an epoch', t => {
  for (let bit = 0; bit < 48 * 8; bit++) {
    const flash = provisioned();
    flash.image[bit >> 3] ^= 1 << (bit & 7);
    t.is(boot(flash), 'slots-lost');
    const other = provisioned();
    other.image[64 + (bit >> 3)] ^= 1 << (bit & 7);
    t.is(boot(other), 1);
    t.is(boot(other), 2);
  }
});

test('two valid slots: the later one counts', t => {
  const flash = provisioned();
  const before = flash.image.slice(0, 64);
  boot(flash);
  flash.image.set(before, 0); // as if power had gone before the erase
  t.is(boot(flash), 1);
});

test('a flash that fails lets no epoch begin, and a later try succeeds', t => {
  const counting = provisioned();
  const provisionSteps = counting.steps;
  boot(counting);
  const steps = counting.steps - provisionSteps;
  for (let at = 0; at < steps; at++) {
    const flash = provisioned();
    flash.failAfter(at);
    t.regex(String(boot(flash)), /^flash (erase|program) failed$/);
    const epoch = boot(flash);
    t.true(epoch === 0 || epoch === 1 || epoch === 2, `${at}: ${epoch}`);
  }
});

test('a program that the flash does not hold is noticed', t => {
  const flash = provisioned();
  const broken = Object.create(flash, {
    program: { value: () => true },
    read: { value: flash.read.bind(flash) },
    erase: { value: flash.erase.bind(flash) },
    programBytes: { value: 16 },
    sectors: { value: 3 },
  }) as VirtualFlash;
  t.is(boot(broken), 'flash program failed');
});
