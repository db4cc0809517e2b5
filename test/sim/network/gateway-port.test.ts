import test from 'ava';
import type { Link } from '../../../host/ports.js';
import type { FaultPlan } from '../kernel/faults.js';
import { Life } from '../kernel/life.js';
import { World } from '../kernel/world.js';
import { GatewayPort } from './gateway-port.js';
import type { DeviceSocket } from './link-connection.js';

/** A port with a gateway's process behind it that writes down what comes. */
function rig(kind: 'tcp' | 'serial', rates: FaultPlan['rates'] = {}) {
  const world = new World({ seed: 7, faults: { rates } });
  const port = new GatewayPort(world, { name: kind, kind });
  const links: Link[] = [];
  const ends: string[] = [];
  const came: number[] = [];
  let life = new Life(world, 'gateway');
  const listen = () => {
    const present = life;
    return port.source(present).start(link => {
      links.push(link);
      return {
        data: bytes => {
          if (present.over) throw new Error('a dead process is called');
          came.push(...bytes);
        },
        closed: reason => {
          if (present.over) throw new Error('a dead process is called');
          ends.push(reason);
        },
      };
    });
  };
  const device = { ups: 0, downs: 0, bytes: [] as number[] };
  const dial = (): DeviceSocket =>
    port.dial({
      up: () => device.ups++,
      down: () => device.downs++,
      data: bytes => device.bytes.push(...bytes),
    });
  return {
    world,
    port,
    links,
    ends,
    came,
    device,
    listen,
    dial,
    get life() {
      return life;
    },
    restart: () => {
      life.end();
      life = new Life(world, 'gateway');
      return listen();
    },
    pass: (ms: number) => world.run(world.nowMs + ms),
  };
}

const bytes = (from: number, count: number) => Uint8Array.from({ length: count }, (_, i) => from + i);

for (const kind of ['tcp', 'serial'] as const) {
  test(`${kind}: bytes arrive whole and in order, both ways, as copies`, async t => {
    const r = rig(kind);
    void r.listen();
    await r.pass(10);
    const socket = r.dial();
    await r.pass(200);
    t.is(r.device.ups, 1);
    const buffer = bytes(0, 50);
    for (let i = 0; i < 4; i++) {
      t.true(socket.send(buffer));
      buffer.fill(99);
      await r.pass(i);
      buffer.set(bytes(50 * (i + 1), 50));
    }
    r.links[0].send(bytes(1, 9));
    await r.pass(1000);
    t.deepEqual(r.came, [...bytes(0, 200)]);
    t.deepEqual(r.device.bytes, [...bytes(1, 9)]);
  });

  test(`${kind}: a paused reader costs the sender room, and gets everything when it goes on`, async t => {
    const r = rig(kind);
    void r.listen();
    await r.pass(10);
    const way = r.dial();
    await r.pass(500);
    r.links.at(-1)!.pause();
    let sent = 0;
    for (let i = 0; i < 100; i++) {
      while (way.send(bytes(0, 250))) sent += 250;
      await r.pass(1000);
    }
    t.deepEqual(r.came, []);
    t.true(sent >= 65_536 && sent < 100_000, String(sent));
    t.is(way.roomBytes < 250, true);
    r.links.at(-1)!.resume();
    await r.pass(20_000);
    t.is(r.came.length, sent);
    t.true(way.roomBytes > 250);
  });
}

test('tcp: nobody is called who is dead, and the device hears of it or finds out', async t => {
  const r = rig('tcp');
  void r.listen();
  await r.pass(10);
  for (let i = 0; i < 10; i++) {
    const socket = r.dial();
    await r.pass(300);
    socket.send(bytes(0, 10));
    r.links.at(-1)!.send(bytes(0, 10));
    void r.restart();
    await r.pass(100);
    socket.send(bytes(0, 10));
    await r.pass(1000);
    t.false(socket.connected, 'a machine that is there again answers for a connection that it does not know');
  }
  t.is(r.device.ups, 10);
  t.is(r.device.downs, 10);
});

test('tcp: without a listener, dialling fails', async t => {
  const r = rig('tcp');
  const socket = r.dial();
  await r.pass(500);
  t.deepEqual([r.device.ups, r.device.downs, socket.connected], [0, 1, false]);
});

test('tcp: a device without power leaves a link behind that is closed as idle', async t => {
  const r = rig('tcp');
  void r.listen();
  await r.pass(10);
  const socket = r.dial();
  await r.pass(500);
  socket.vanish();
  await r.pass(60_000);
  t.deepEqual(r.ends, []);
  await r.pass(1_200_000);
  t.deepEqual(r.ends, ['idle']);
});

test('tcp: a peer that does not read is closed', async t => {
  const r = rig('tcp');
  void r.listen();
  await r.pass(10);
  const socket = r.dial();
  await r.pass(500);
  socket.vanish();
  for (let i = 0; i < 100 && r.ends.length === 0; i++) r.links[0].send(new Uint8Array(10_000));
  t.deepEqual(r.ends, ['does not read']);
});

test('serial: a cable outlives what is at its ends', async t => {
  const r = rig('serial');
  void r.listen();
  await r.pass(10);
  r.dial().send(bytes(0, 5));
  await r.pass(100);
  void r.restart();
  await r.pass(100);
  const socket = r.dial();
  await r.pass(100);
  socket.send(bytes(5, 5));
  await r.pass(100);
  t.deepEqual(r.came, [...bytes(0, 10)]);
  r.links.at(-1)!.close();
  t.deepEqual(r.ends, ['closed by the gateway']);
  socket.send(bytes(10, 5));
  await r.pass(10_000);
  socket.send(bytes(15, 5));
  await r.pass(100);
  t.deepEqual(
    r.came,
    [...bytes(0, 10), ...bytes(15, 5)],
    'what nobody listened to is lost; then it is opened again',
  );
  t.is(r.device.downs, 0);
});

test('everything that links suffer, the same twice', async t => {
  const rates = {
    'link-corrupt': 0.1,
    'link-cut': 0.05,
    'link-delay': 0.05,
    'link-drop': 0.1,
    'link-duplicate': 0.1,
    'link-garbage': 0.1,
    'link-reorder': 0.2,
    'link-split': 0.5,
    'link-close': 60,
    'link-half-open': 60,
    'link-partition': 30,
    'link-stall': 60,
  };
  const story = async () => {
    const r = rig('tcp', rates);
    void r.listen();
    await r.pass(10);
    let socket = r.dial();
    for (let i = 0; i < 2000; i++) {
      socket.send(bytes(i, 20));
      r.links.at(-1)?.send(bytes(i, 20));
      await r.pass(500);
      if (!socket.connected) socket = r.dial();
    }
    return [
      r.came.length,
      r.device.bytes.length,
      r.ends.length,
      ...r.world.faults.injected.values(),
      ...r.came,
    ];
  };
  const first = await story();
  t.deepEqual(await story(), first);
  t.true(first[0] > 5000, `arrived ${first[0]}`);
});
