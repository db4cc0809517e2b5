/** Disks that are full, fail or take their time. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { LiveSite, pause } from '../support/live-site.js';
import { SmallDisk } from '../support/mount.js';
import { needs, notAllowed } from '../support/needs.js';
import { freshSeed, type Prng, prng } from '../support/prng.js';
import { injected, mayTrace, underStrace } from '../support/strace.js';

const DISK_BYTES = 16 * 1024 * 1024;
const FILLINGS = 4;
const LIVES = 14;

test(`a disk of 16 MB that fills up and is freed ${FILLINGS} times costs time, and no reading`, async t => {
  if (!needs(t, 'mosquitto') || !needs(t, 'unshare', 'util-linux')) return;
  t.timeout(300_000);
  const disk = await SmallDisk.create(DISK_BYTES);
  if (typeof disk === 'string') {
    notAllowed(t, disk);
    return;
  }
  t.teardown(() => disk.close());
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const inside = { wrap: disk.enter };
  const live = await LiveSite.start(t, {
    seed,
    devices: 8,
    rate: 25,
    data: `${disk.path}/data`,
    gateway: inside,
    inspect: inside,
  });
  const { gateway } = live;
  for (let i = 0; i < FILLINGS; i++) {
    const from = gateway.lines.length;
    // The journal takes the rest by itself: some 60 kB a second. Once, nothing at all is left from the start.
    disk.fill(i === 1 ? 0 : random() * 200_000);
    await gateway.until(/journal-stalled.*ENOSPC|short-write/, from);
    t.true(disk.availableBytes < 1024 * 1024);
    if (i % 2 === 1) {
      // Opening needs no space.
      await gateway.restart();
      await gateway.serving();
    }
    await pause(random() * 1500);
    disk.free();
    await live.moreReceipts(200);
  }
  await live.judge(t);
});

/** What is injected into one life of the gateway: error or delay, into which calls, which of them. */
function faultsOf(random: Prng): string[] {
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from));
  const one = <T>(list: readonly T[]): T => list[whole(0, list.length)]!;
  const when = () => `when=${whole(1, 6)}+${whole(1, 5)}`;
  // Alone, since it is for what was there before: Node reads its own files with the same call.
  if (random() < 0.2) return [`pread64:error=EIO:when=${whole(1, 6)}+${whole(2, 9)}`];
  const kinds = [
    () => `fdatasync:error=${one(['EIO', 'ENOSPC', 'EDQUOT'])}:${when()}`,
    () => `fsync:error=EIO:${when()}`,
    () => `pwrite64:error=${one(['EIO', 'ENOSPC', 'EROFS'])}:${when()}`,
    // Nothing was taken. Any other number would say that bytes were written which were not, and libuv goes on after them.
    () => `pwrite64:retval=0:${when()}`,
    () => `fdatasync:delay_enter=${whole(1, 300)}ms:when=${whole(1, 4)}+${whole(1, 3)}`,
    () => `fdatasync:delay_exit=${whole(1, 100)}ms:when=1+${whole(1, 3)}`,
  ];
  // strace takes one rule a call: the last.
  const rules = new Map<string, string>();
  for (let i = 0; i < 1 + random() * 2; i++) {
    const rule = one(kinds)();
    rules.set(rule.slice(0, rule.indexOf(':')), rule);
  }
  return [...rules.values()];
}

test(`system calls that fail, fall short or take long in ${LIVES} lives of a gateway cost no reading`, async t => {
  const strace = needs(t, 'strace');
  if (strace === undefined || !needs(t, 'mosquitto')) return;
  t.timeout(300_000);
  const refused = mayTrace(strace);
  if (refused !== '') {
    notAllowed(t, refused);
    return;
  }
  const seed = freshSeed();
  t.log(`seed ${seed}`);
  const random = prng(seed);
  const live = await LiveSite.start(t, { seed, devices: 8, rate: 15 });
  const { gateway, site } = live;
  let faults = 0;
  for (let i = 0; i < LIVES; i++) {
    const rules = faultsOf(random);
    const trace = join(site.directory, `trace-${i}`);
    await gateway.end(i % 3 === 0 ? 'SIGTERM' : 'SIGKILL');
    const journal = join(site.directory, 'data', 'journal');
    const segments = readdirSync(journal).map(name => join(journal, name));
    const reading = rules.some(rule => rule.startsWith('pread64'));
    gateway.options = { wrap: underStrace(strace, rules, trace, reading ? segments : []) };
    gateway.start();
    const began = await gateway.serving().then(
      () => true,
      () => false,
    );
    const count = () => injected(readFileSync(trace, 'utf8'));
    if (began) await pause(300 + random() * 1200);
    // A busy machine has not come to it yet.
    for (let tenths = 0; began && tenths < 20 && count() === 0; tenths++) await pause(100);
    t.log(
      `${rules.join(' ')}: ${count()} times${gateway.running ? '' : `, did not begin: ${gateway.errors.trim().split('\n').at(-1)}`}`,
    );
    faults += count();
    if (gateway.running) continue;
    // Without strace: a signal to one that has not attached yet leaves it stopped for ever.
    gateway.options = {};
    gateway.start();
    await gateway.serving();
  }
  gateway.options = {};
  await gateway.restart();
  await live.moreReceipts(100);
  await live.judge(t);
  t.true(faults > 0);
});
