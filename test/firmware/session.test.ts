import test from 'ava';
import { FrameType, MessageWriter } from '../../firmware/seal/index.js';
import { nodeDigest } from '../../host/node/digest.js';
import { difference, World } from './world.js';

test('a device knocks when the link comes up, and again while nobody answers, less and less often', t => {
  const world = new World();
  world.gateway.answering = false;
  const knocks: number[] = [];
  const push = world.gateway.push.bind(world.gateway);
  world.gateway.push = bytes => {
    if (bytes.length > 1 && bytes.length < 24) knocks.push(world.nowMs);
    push(bytes);
  };
  world.run(60_000);
  const gaps = knocks.slice(1).map((at, i) => at - knocks[i]);
  t.deepEqual(gaps.slice(0, 6), [2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
});

test('a hello says what is held, and comes back as a session', t => {
  const world = new World({ settings: { restart: 'watchdog' } });
  world.gateway.answering = false;
  world.run(10_000);
  world.gateway.answering = true;
  world.run(10_000);
  const [hello] = world.gateway.hellos;
  t.is(hello.restart, 'watchdog');
  t.is(hello.epoch, 0);
  t.deepEqual([hello.oldestEpoch, hello.oldestSeq], [0, 0]);
  t.is(hello.backlog, hello.next);
  t.true(world.device.session.open);
});

test('a flood of forged challenges neither ends a session nor makes a flood of hellos', t => {
  const world = new World({ ratePerSecond: 20 });
  world.run(2_000);
  const { hellos } = world.gateway;
  const before = hellos.length;
  const { nonces } = world.gateway;
  const writer = new MessageWriter();
  let upFrames = 0;
  const push = world.gateway.push.bind(world.gateway);
  world.gateway.push = bytes => {
    if (bytes.length > 150) upFrames++;
    push(bytes);
  };
  for (let i = 0; i < 5_000; i++) {
    const length = writer.challenge(new Uint8Array(16).fill(i));
    world.deliver(world.gateway.frame(FrameType.challenge, writer.buffer.slice(0, length)));
    world.run(1);
  }
  t.true(upFrames <= 200, `${upFrames}`);
  t.is(hellos.length, before);
  t.is(world.gateway.nonces, nonces);
  t.true(world.device.session.open);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
  t.is(world.device.sender.resent, 0);
});

test('downlinks replayed within a session are ignored', t => {
  const world = new World({ ratePerSecond: 20 });
  world.run(3_000);
  const { receipted, device } = world;
  const freed = receipted.length;
  const { replayed } = device.session.ignored;
  const old = [...world.downlinks];
  world.gateway.answering = false;
  for (const frame of old) device.receive(frame);
  t.is(receipted.length, freed);
  t.true(device.session.ignored.replayed >= replayed + 10);
  t.true(device.session.open);
});

test('downlinks replayed from an earlier session, or an earlier boot, are ignored', t => {
  const world = new World({ ratePerSecond: 20 });
  world.run(3_000);
  const old = [...world.downlinks];
  world.device.linkDown();
  world.device.linkUp();
  world.run(1_000);
  t.is(world.gateway.hellos.length, 2);
  const { foreign } = world.device.session.ignored;
  for (const frame of old) world.device.receive(frame);
  t.true(world.device.session.ignored.foreign > foreign + 10);
  world.boot();
  for (const frame of old) world.device.receive(frame);
  t.false(world.device.session.open);
  t.is(world.device.retained.mismatched, 0);
  world.run(1_000);
  world.settle();
  t.is(world.gateway.accepted[world.gateway.accepted.length - 1].epoch, 1);
});

test('a receipt that is forged in any byte frees nothing', t => {
  const world = new World({ ratePerSecond: 20, syncMs: 1e9 });
  world.run(2_000);
  const { gateway, device } = world;
  gateway.durable = gateway.position;
  const downs: Uint8Array[] = [];
  const before = world.downlinks.length;
  gateway.receipt();
  downs.push(...world.downlinks.splice(before));
  world.linked = false;
  // Behind the frame's checksum: what a wrong key or a changed message gives.
  const writer = new MessageWriter();
  const wrong = nodeDigest.hmac(new Uint8Array(32));
  const length = writer.receipt(wrong, gateway.id, gateway.nonces, 1_000, gateway.position);
  device.receive(gateway.frame(FrameType.down, writer.buffer.slice(writer.start, writer.start + length)));
  t.is(device.session.ignored.forged, 1);
  const other = writer.receipt(gateway.down, new Uint8Array(8), gateway.nonces, 1_000, gateway.position);
  device.receive(gateway.frame(FrameType.down, writer.buffer.slice(writer.start, writer.start + other)));
  t.is(device.session.ignored.foreign, 1);
  t.is(world.receipted.length, 0);
  device.receive(gateway.frame(FrameType.down, new Uint8Array(40)));
  device.receive(gateway.frame(FrameType.challenge, new Uint8Array(3)));
  device.receive(gateway.frame(77, new Uint8Array(3)));
  t.is(device.session.ignored.malformed, 2);
  for (const frame of downs) device.receive(frame);
  t.true(world.receipted.length > 0);
});

test('the old session stays until the gateway answers in the new one', t => {
  const world = new World({ ratePerSecond: 20, syncMs: 1e9 });
  world.run(2_000);
  const { gateway } = world;
  const old = { ...gateway.nonces };
  gateway.answering = false;
  gateway.challenge();
  world.run(100);
  t.true(world.device.session.open);
  // The gateway's word in the old session still counts.
  gateway.answering = true;
  gateway.nonces.gateway = old.gateway;
  gateway.sync();
  world.run(10);
  t.true(world.receipted.length > 0);
});

test('once the gateway has answered in a new session, its word in the old one no longer counts', t => {
  const world = new World({ ratePerSecond: 20, syncMs: 1e9 });
  world.run(2_000);
  const { gateway } = world;
  const old = { ...gateway.nonces };
  gateway.challenge();
  world.run(500);
  t.is(gateway.hellos.length, 2);
  Object.assign(gateway.nonces, old);
  gateway.counter = 1_000;
  const { foreign } = world.device.session.ignored;
  gateway.sync();
  world.run(10);
  t.is(world.receipted.length, 0);
  t.is(world.device.session.ignored.foreign, foreign + 1);
});

test('a silent gateway is asked for a new session after three resends', t => {
  const world = new World({ ratePerSecond: 20, backlogBytes: 262_144 });
  world.run(2_000);
  world.gateway.answering = false;
  world.run(20_000);
  world.gateway.answering = true;
  world.gateway.restart();
  const { knocks } = world.gateway;
  world.run(20_000);
  t.true(world.gateway.knocks > knocks);
  world.settle();
  t.is(difference(world.gateway.accepted, world.sealed), '');
});

test('wall time comes from an authentic answer to the open request alone', t => {
  const world = new World();
  world.gateway.answersTime = false;
  world.run(5_000);
  t.is(world.gateway.timeRequests.length, 1);
  t.is(world.device.time.unixMs(5_000), -1);
  t.true(world.sealed.length > 10);
  // Late: more than 2 s after the request.
  world.gateway.time(world.gateway.timeRequests[0], 1_800_000_000_000);
  world.run(10);
  t.is(world.device.time.unixMs(5_000), -1);
  t.is(world.device.session.ignored.untimely, 1);
  // To another request.
  world.run(5_900);
  t.is(world.gateway.timeRequests.length, 2);
  world.gateway.time(world.gateway.timeRequests[0], 1_800_000_000_000);
  world.run(10);
  t.is(world.device.time.unixMs(0), -1);
  t.is(world.device.session.ignored.untimely, 2);
  // In time, to this one, and then once more.
  const atMs = world.nowMs;
  world.gateway.time(world.gateway.timeRequests[1], 1_800_000_000_000);
  world.run(10);
  const unixMs = world.device.time.unixMs(world.nowMs);
  t.true(Math.abs(unixMs - (1_800_000_000_000 + world.nowMs - atMs)) < 1_000, `${unixMs}`);
  world.gateway.time(world.gateway.timeRequests[1], 1_900_000_000_000);
  world.run(10);
  t.true(world.device.time.unixMs(world.nowMs) < 1_800_000_100_000);
  t.is(world.device.session.ignored.untimely, 3);
  world.run(1_000);
  world.settle();
  const { accepted } = world.gateway;
  t.is(accepted[0].unixMs, -1);
  t.true(accepted[accepted.length - 1].unixMs > 1_800_000_000_000);
});

test('the time is asked for again each hour', t => {
  const world = new World({ ratePerSecond: 0.01 });
  world.run(2.5 * 3_600_000);
  t.is(world.gateway.timeRequests.length, 3);
});
