import test from 'ava';
import { toHex } from '../../../firmware/seal/index.js';
import { identity, Rig } from './rig.js';

test('a new link is challenged at once, and again with growing pauses until somebody answers', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device, rig.serial);
  t.is(peer.challenges.length, 1);
  rig.clock.advance(1_000);
  t.is(peer.challenges.length, 2);
  rig.clock.advance(2_000);
  t.is(peer.challenges.length, 3);
  rig.clock.advance(4_000);
  rig.clock.advance(5_000);
  rig.clock.advance(5_000);
  t.is(peer.challenges.length, 6);
  peer.hello();
  rig.clock.advance(60_000);
  t.is(peer.challenges.length, 6);
});

test('an authentic hello opens a session, and the first word is a receipt: of nothing, or of what is durable', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const first = rig.connect(device);
  first.peer.hello();
  t.like(first.peer.receipt, { authentic: true, counter: 1, epoch: undefined });
  const [a, b] = device.sealMany(0, 2);
  first.peer.readings([a, b]);
  t.is(first.peer.of(1).length, 1, 'nothing more is receipted before the disk has it');
  await rig.synced();
  t.like(first.peer.receipt, { authentic: true, epoch: 0, seq: 1, tag8: b.tag8 });

  const second = rig.connect(device);
  second.peer.hello({ next: 2 });
  t.like(second.peer.receipt, { authentic: true, counter: 1, epoch: 0, seq: 1, tag8: b.tag8 });
  t.is(rig.device(device).link, 'tcp:192.0.2.7');
});

test('receipts speak of durable state: while the disk works, a repeated one stays behind', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  peer.hello();
  const [a, b, c, d] = device.sealMany(0, 4);
  peer.readings([a, b]);
  rig.clock.advance(50);
  peer.reading(a); // a replay of what is appended and not yet synced
  t.like(peer.receipt, { counter: 2, epoch: undefined });
  peer.reading(d);
  await rig.synced();
  t.like(peer.receipt, { epoch: 0, seq: 1 });
  peer.readings([c, d]);
  await rig.synced();
  t.like(peer.receipt, { epoch: 0, seq: 3, tag8: d.tag8 });
  t.deepEqual(rig.story(), ['0/0', '0/1', '0/2', '0/3']);
  const counters = peer.said.map(({ counter }) => counter);
  t.deepEqual(
    counters,
    counters.map((_, i) => i + 1),
    'the counter rises by one',
  );
  t.true(peer.said.every(({ authentic }) => authentic));
});

test('the hello that opened the session, once more, gets the receipt again and resets nothing', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  const bytes = peer.hello();
  peer.reading(device.sealMany(0, 1)[0]);
  await rig.synced();
  t.is(peer.receipt!.counter, 2);
  rig.clock.advance(100);
  peer.raw(bytes);
  t.like(peer.receipt, { counter: 3, seq: 0 });
  t.is(rig.count('hello-repeated'), 1);
  t.is(rig.count('sessions'), 1);
});

test('a second hello that is not authentic changes nothing', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  peer.hello();
  rig.clock.advance(1_000);
  peer.knock();
  t.is(peer.challenges.length, 2);
  const forged = new Uint8Array(16).fill(0xee);
  peer.raw(peer.helloFrame({ epoch: 0 }, peer.challenges.at(-1)!, forged, identity(2).up(0)));
  t.is(rig.count('refused:mac'), 1);
  const present = peer.receipt!;
  // … nor does one with the nonces of the session and another content.
  peer.raw(peer.helloFrame({ next: 5 }, peer.challenges[0], peer.deviceNonce, identity(2).up(0)));
  t.is(rig.count('refused:mac'), 2);
  peer.reading(device.sealMany(0, 1)[0]);
  await rig.synced();
  t.like(peer.receipt, { seq: 0, gateway: present.gateway, device: present.device });
  t.is(rig.count('sessions'), 1);
});

test('a hello kept from an earlier session opens nothing, on its own link or on another', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const first = rig.connect(device);
  const kept = first.peer.hello();
  rig.clock.advance(500);
  first.peer.knock();
  first.peer.hello(); // a second session on the same link
  t.is(rig.count('sessions'), 2);
  first.peer.raw(kept);
  t.is(rig.count('refused:nonce'), 1);
  const other = rig.connect(device);
  other.peer.raw(kept);
  t.is(rig.count('refused:nonce'), 2);
  t.is(rig.count('sessions'), 2);
  t.is(rig.device(device).link, first.link.name);
});

test('each hello to one challenge counts once: the earlier of two opens nothing after the later', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  const [gateway] = peer.challenges;
  const one = peer.hello();
  peer.hello({}, gateway); // the challenge came twice, so the device answered twice
  t.is(rig.count('sessions'), 2);
  peer.raw(one);
  t.is(rig.count('refused:nonce'), 1);
  for (let i = 0; i < 20; i++) peer.hello({}, gateway);
  t.is(rig.count('sessions'), 8, 'and one challenge takes only so many');
});

test('an answer to the challenge before counts while the newer one is open, not after', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device, rig.serial);
  rig.clock.advance(8_000);
  t.true(new Set(peer.challenges.map(nonce => toHex(nonce))).size >= 2, 'a challenge does not stay for ever');
  const late = peer.challenges.length - 1;
  const previous = peer.challenges.findLast(nonce => toHex(nonce) !== toHex(peer.challenges[late]))!;
  peer.hello({}, previous);
  t.is(rig.count('sessions'), 1);
  peer.hello();
  t.is(rig.count('sessions'), 2);
  peer.hello({}, previous);
  t.is(rig.count('sessions'), 2);
});

test('knocks are answered, no faster than five a second', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  for (let i = 0; i < 1_000; i++) {
    rig.clock.advance(1);
    peer.knock();
  }
  t.true(peer.challenges.length <= 7, `${peer.challenges.length}`);
  t.true(peer.challenges.length >= 5);
});

test('a device on a new link leaves the old one', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const old = rig.connect(device);
  old.peer.hello();
  const fresh = rig.connect(device);
  fresh.peer.hello();
  const [a] = device.sealMany(0, 1);
  old.peer.reading(a);
  t.is(rig.count('no-session'), 1);
  fresh.peer.reading(a);
  await rig.synced();
  t.deepEqual(rig.story(), ['0/0']);
  t.is(old.peer.of(1).length, 1);
  rig.clock.advance(10_000);
  t.false(old.link.open, 'a link without a session does not stay');
  t.true(fresh.link.open);
});

test('after a restart of the gateway a device that goes on talking is asked for a hello and loses nothing', async t => {
  const device = identity();
  const before = await Rig.start(t, [device.entry()]);
  const sealed = device.sealMany(0, 10);
  const one = before.connect(device, before.serial);
  one.peer.hello();
  one.peer.readings(sealed.slice(0, 4));
  await before.synced();
  await before.stop();

  const rig = await Rig.start(t, [device.entry()], {}, before.directory);
  const { peer } = rig.connect(device, rig.serial);
  rig.clock.advance(300);
  peer.readings(sealed.slice(4, 7)); // under the old session, as far as the device knows
  t.is(rig.count('no-session'), 3);
  t.is(peer.challenges.length, 2, 'asked again, once for all three');
  await rig.synced();
  t.deepEqual(rig.story(), []);
  peer.hello({ next: 7, oldest: { epoch: 0, seq: 4 } });
  t.like(peer.receipt, { epoch: 0, seq: 3, tag8: sealed[3].tag8 });
  peer.readings(sealed.slice(4));
  await rig.synced();
  t.deepEqual(rig.story(), ['0/4', '0/5', '0/6', '0/7', '0/8', '0/9']);
  t.like(peer.receipt, { seq: 9 });
});

test('a gateway that does not know the time tells none', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  peer.hello();
  rig.clock.synchronised = false;
  peer.timeRequest(0);
  t.is(rig.count('time-unknown'), 1);
  t.is(peer.of(2).length, 0);
  rig.clock.advance(10_000);
  rig.clock.synchronised = true;
  peer.timeRequest(0);
  t.like(peer.of(2)[0], { authentic: true, unixMs: rig.clock.now() });
});

test('the time is told to who asks within his session, and not to others', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  const { peer } = rig.connect(device);
  peer.timeRequest(0);
  t.is(rig.count('refused:nonce'), 1);
  peer.hello();
  rig.clock.advance(500);
  peer.timeRequest(0);
  t.like(peer.of(2)[0], { authentic: true, unixMs: rig.clock.now() });
  peer.timeRequest(0);
  t.is(rig.count('time-limited'), 1);
  t.is(peer.of(2).length, 1);
});

test('a device that goes silent is said so once, and once more when it is back', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry(), identity(2).entry()]);
  const { peer } = rig.connect(device);
  peer.hello();
  rig.clock.advance(175_000);
  t.false(rig.device(device).silent);
  rig.clock.advance(600_000);
  t.true(rig.device(device).silent);
  t.is(rig.events('device-silent').length, 1, 'and nothing of the device that was never heard');
  peer.reading(device.sealMany(0, 1)[0]);
  t.false(rig.device(device).silent);
  t.is(rig.events('device-heard-again').length, 1);
});

test('nobody waits for a device that was removed from the keyring while it was silent', async t => {
  const device = identity();
  const rig = await Rig.start(t, [device.entry()]);
  rig.connect(device).peer.hello();
  rig.clock.advance(600_000);
  t.true(rig.device(device).silent);
  rig.useKeyring([]);
  rig.clock.advance(10_000);
  t.false(rig.device(device).silent);
});

test('a keyring without the down key takes nothing and says why', async t => {
  const device = identity();
  const { down: _down, ...entry } = device.entry();
  const rig = await Rig.start(t, [entry]);
  const { peer } = rig.connect(device);
  peer.hello();
  t.is(peer.said.length, 0);
  t.is(rig.events('no-down-key').length, 1);
});

test('a device taken out of the keyring is not believed any more, one put in is, without a restart', async t => {
  const [a, b] = [identity(1), identity(2)];
  const rig = await Rig.start(t, [a.entry()]);
  const one = rig.connect(a);
  one.peer.hello();
  const [first, second] = a.sealMany(0, 2);
  one.peer.reading(first);
  rig.useKeyring([b.entry()]);
  one.peer.reading(second);
  t.is(rig.count('refused:unknown-device'), 1);
  const two = rig.connect(b);
  two.peer.hello();
  two.peer.readings(b.sealMany(0, 1));
  await rig.synced();
  t.deepEqual(
    rig.durable.map(({ device }) => device),
    [a.idText, b.idText],
  );
});
