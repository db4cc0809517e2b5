import test from 'ava';
import type { Digest, Mac } from '../../../firmware/seal/index.js';
import { KeyChain } from '../../../firmware/seal/index.js';
import { Budget, globalBudget, LINK_LIMITS, linkBudget, unlimited } from '../../../host/keyring/budget.js';
import { EPOCH_WINDOW, KeyCache } from '../../../host/keyring/chains.js';
import { ratchet } from '../../../host/keyring/provision.js';
import { nodeDigest } from '../../../host/node/digest.js';
import { FakeClock } from '../../support/fake-clock.js';
import { device } from './keys.js';

/** Counts the keys that are set up: one for every derivation, and one for every key that is given out. */
function counting(): Digest & { hmacs: number } {
  const digest = {
    hmacs: 0,
    sha256: nodeDigest.sha256,
    hmac(key: Uint8Array) {
      digest.hmacs += 1;
      return nodeDigest.hmac(key);
    },
  };
  return digest;
}

const MESSAGE = new TextEncoder().encode('what devices send');

function tag(mac: Mac): string {
  const out = new Uint8Array(32);
  mac.compute(MESSAGE, 0, MESSAGE.length, out, 0);
  return Buffer.from(out).toString('hex');
}

function expected(chain: Uint8Array, steps: number, purpose: 'seal' | 'up'): string {
  return tag(nodeDigest.hmac(new KeyChain(nodeDigest)[purpose](ratchet(nodeDigest, chain, steps))));
}

test('keys are those of the chain, in any order of epochs', t => {
  const entry = { ...device('a'), epoch: 10 };
  const cache = new KeyCache(nodeDigest);
  for (const epoch of [10, 11, 500, 63, 64, 65, 12, 4106, 500, 10, 11]) {
    const seal = cache.seal(entry, epoch, unlimited);
    const up = cache.up(entry, epoch, unlimited);
    if (typeof seal === 'string' || typeof up === 'string') return t.fail(`${epoch}: ${seal} ${up}`);
    t.is(tag(seal), expected(entry.chain, epoch - 10, 'seal'), `${epoch}`);
    t.is(tag(up), expected(entry.chain, epoch - 10, 'up'), `${epoch}`);
  }
  return undefined;
});

test('epochs before the base are too old; more than 4,096 past the last accepted, too far', t => {
  const entry = { ...device('a'), epoch: 10 };
  const cache = new KeyCache(nodeDigest);
  t.is(cache.seal(entry, 9, unlimited), 'too-old');
  t.is(cache.seal(entry, 0, unlimited), 'too-old');
  t.is(cache.seal(entry, 10 + EPOCH_WINDOW + 1, unlimited), 'too-far');
  t.is(cache.seal(entry, Number.MAX_SAFE_INTEGER, unlimited), 'too-far');
  t.is(typeof cache.seal(entry, 10 + EPOCH_WINDOW, unlimited), 'object');
  cache.accepted(entry.id, 100);
  cache.accepted(entry.id, 50); // the window never moves back
  t.is(typeof cache.seal(entry, 100 + EPOCH_WINDOW, unlimited), 'object');
  t.is(cache.seal(entry, 101 + EPOCH_WINDOW, unlimited), 'too-far');
  t.is(typeof cache.seal(entry, 10, unlimited), 'object');
});

test('the key of the present epoch is kept: no derivation a reading', t => {
  const digest = counting();
  const cache = new KeyCache(digest);
  const entry = device('a');
  const first = cache.seal(entry, 1, unlimited);
  const before = digest.hmacs;
  for (let i = 0; i < 1000; i++) t.is(cache.seal(entry, 1, unlimited), first);
  cache.up(entry, 1, unlimited);
  t.is(digest.hmacs, before);
});

test('a base far behind is walked once, and after that an epoch costs what lies past a checkpoint', t => {
  const digest = counting();
  const cache = new KeyCache(digest);
  const entry = device('a');
  cache.accepted(entry.id, 5000);
  t.is(typeof cache.seal(entry, 5001, unlimited), 'object');
  t.true(digest.hmacs >= 5001 && digest.hmacs < 5010);
  const before = digest.hmacs;
  for (const epoch of [4999, 5000, 4950, 4000, 3000]) cache.seal(entry, epoch, unlimited);
  t.true(digest.hmacs - before < 5 * 70, `${digest.hmacs - before}`);
});

test('the way to a far last accepted epoch is walked in steps, and gets there without a budget', t => {
  const cache = new KeyCache(nodeDigest);
  const entry = device('a');
  cache.accepted(entry.id, 150_000);
  const none = { take: () => false, give: () => {} };
  t.is(cache.seal(entry, 150_000, none), 'budget');
  t.is(cache.seal(entry, 150_000, none), 'budget');
  t.is(typeof cache.seal(entry, 150_000, none), 'object');
});

test('the next epochs cost no budget, those further ahead do and give it back once authentic', t => {
  const clock = new FakeClock();
  const cache = new KeyCache(nodeDigest);
  const entry = device('a');
  const spent: number[] = [];
  const budget = {
    take: (count: number) => spent.push(count) > 0,
    give: (count: number) => void spent.push(-count),
  };
  for (const epoch of [0, 1, 2, 3, 4]) cache.seal(entry, epoch, budget);
  t.deepEqual(spent, []);
  cache.seal(entry, 40, budget);
  t.is(spent.length, 1);
  cache.verified(entry.id, 39);
  t.is(spent.length, 1);
  cache.verified(entry.id, 40);
  cache.verified(entry.id, 40);
  t.deepEqual(spent, [spent[0], -spent[0]]);
  const empty = new Budget(clock, { perSecond: 0, burst: 10 });
  t.is(cache.seal(entry, 2000, empty), 'budget');
  t.is(typeof cache.seal(entry, 1, empty), 'object');
});

test('a budget fills with time, up to its burst, and charges its parent', t => {
  const clock = new FakeClock();
  const parent = new Budget(clock, { perSecond: 10, burst: 15 });
  const child = new Budget(clock, { perSecond: 10, burst: 10 }, parent);
  t.true(child.take(10));
  t.false(child.take(1));
  child.give(3);
  t.true(child.take(3));
  clock.advance(500);
  t.true(child.take(5));
  t.false(child.take(1));
  clock.advance(60_000);
  t.false(child.take(11));
  t.true(parent.take(10));
  t.false(child.take(6), 'the parent holds only 5');
  t.true(child.take(5));
});

test('10,000 forged epochs a second cost one link its budget, and no other device its readings', t => {
  const clock = new FakeClock();
  const digest = counting();
  const cache = new KeyCache(digest);
  const global = globalBudget(clock);
  const attacker = linkBudget(clock, global);
  const honest = linkBudget(clock, global);
  const [victim, other] = [device('victim'), device('other')];
  cache.accepted(victim.id, 7);
  cache.accepted(other.id, 7);
  let state = 12_345;
  t.log(`seed ${state}`);
  let denied = 0;
  for (let i = 0; i < 10_000; i++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    if (cache.seal(victim, 13 + (state % EPOCH_WINDOW), attacker) === 'budget') denied += 1;
    clock.advance(0.1);
    if (i % 100 === 0) {
      // Both devices go on through it: readings, and a boot now and then.
      const epoch = 7 + (i / 100 > 50 ? 1 : 0);
      t.is(typeof cache.seal(victim, epoch, attacker), 'object');
      t.is(typeof cache.seal(other, epoch, honest), 'object');
      cache.accepted(victim.id, epoch);
      cache.accepted(other.id, epoch);
    }
  }
  t.true(denied > 5000, `${denied}`);
  t.true(digest.hmacs < LINK_LIMITS.burst + LINK_LIMITS.perSecond + 1000, `${digest.hmacs}`);
  t.is(typeof cache.seal(other, 40, honest), 'object');
});

test('forged epochs of many devices leave a bounded number of checkpoints', t => {
  const cache = new KeyCache(nodeDigest, { maxCheckpoints: 1000 });
  const base = device('a');
  const entries = Array.from({ length: 30 }, (_, i) => ({ ...base, id: i.toString(16).padStart(16, '0') }));
  for (const entry of entries) cache.seal(entry, EPOCH_WINDOW, unlimited);
  t.true(cache.checkpoints > 900 && cache.checkpoints <= 1000, `${cache.checkpoints}`);
  cache.retain(id => id === entries[0].id);
  t.true(cache.checkpoints <= 130);
});

test('a device that is re-based or provisioned anew loses its old keys', t => {
  const cache = new KeyCache(nodeDigest);
  const entry = device('a');
  const old = cache.seal(entry, 1, unlimited) as Mac;
  t.is(cache.seal({ ...entry, name: 'renamed' }, 1, unlimited), old, 'the same base: the keys stay');
  const rebased = { ...entry, chain: device('b').chain };
  t.not(tag(cache.seal(rebased, 1, unlimited) as Mac), tag(old));
});
