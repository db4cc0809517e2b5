import { connect, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { FrameType } from '../../../firmware/seal/index.js';
import { Fault } from '../../../host/fault.js';
import { TcpListener, type TcpOptions } from '../../../host/node/tcp.js';
import type { Link, Log } from '../../../host/ports.js';
import { VirtualPeer } from '../../support/virtual-peer.js';
import { identity, Rig } from '../intake/rig.js';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

interface Seen {
  link: Link;
  bytes: number;
  closed?: string;
}

async function listen(t: ExecutionContext, options: Partial<TcpOptions> = {}) {
  const listener = new TcpListener(
    {
      host: '127.0.0.1',
      port: 0,
      prefix: 'tcp',
      setting: 'links.tcp.listen',
      maxConnections: 8,
      ...options,
    },
    silent,
  );
  const seen: Seen[] = [];
  await listener.start(link => {
    const one: Seen = { link, bytes: 0 };
    seen.push(one);
    return {
      data: bytes => {
        one.bytes += bytes.length;
      },
      closed: reason => {
        one.closed = one.closed === undefined ? reason : `${one.closed}, and then ${reason}`;
      },
    };
  });
  t.teardown(() => listener.stop());
  return { listener, seen };
}

function client(t: ExecutionContext, port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  return socket;
}

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000 && !done(); i++) await new Promise(resolve => setTimeout(resolve, 2));
  if (!done()) throw new Error('what was awaited did not come');
}

test('a connection is a link: bytes both ways, and its end', async t => {
  const { listener, seen } = await listen(t);
  const socket = client(t, listener.port);
  let received = '';
  socket.on('data', chunk => {
    received += chunk.toString();
  });
  await until(() => seen.length === 1);
  t.is(seen[0].link.name, 'tcp:127.0.0.1');
  const reused = Buffer.from('one');
  seen[0].link.send(reused);
  reused.write('two');
  seen[0].link.send(reused);
  socket.write('hello');
  await until(() => received === 'onetwo' && seen[0].bytes === 5);
  socket.end();
  await until(() => seen[0].closed !== undefined);
  t.is(listener.connections, 0);
  seen[0].link.send(reused); // to nobody
  t.pass();
});

test('a port that is taken: a Fault that names the port and the remedy', async t => {
  const { listener } = await listen(t);
  const second = new TcpListener(
    { host: '127.0.0.1', port: listener.port, prefix: 'tcp', setting: 'links.tcp.listen', maxConnections: 1 },
    silent,
  );
  const fault = await t.throwsAsync<Fault>(
    second.start(() => ({ data() {}, closed() {} })),
    { instanceOf: Fault },
  );
  t.is(fault?.code, 'port-taken');
  t.true(fault?.message.includes(String(listener.port)));
  t.true(fault?.remedy.includes('links.tcp.listen'));
  await second.stop();
});

test('an address of another machine is a Fault too', async t => {
  const fault = await t.throwsAsync<Fault>(listen(t, { host: '192.0.2.1' }), { instanceOf: Fault });
  t.is(fault?.code, 'address-unknown');
});

test('connections beyond the limit are closed at once', async t => {
  const { listener, seen } = await listen(t, { maxConnections: 3 });
  const sockets = Array.from({ length: 10 }, () => client(t, listener.port));
  let closed = 0;
  for (const socket of sockets) socket.on('close', () => closed++);
  await until(() => closed === 7);
  t.is(seen.length, 3);
  t.is(listener.connections, 3);
  t.is(listener.refused, 7);
});

test('a client that never reads is closed when too much waits for it; the others notice nothing', async t => {
  const { listener, seen } = await listen(t, { maxPendingBytes: 64 * 1024 });
  const deaf = client(t, listener.port);
  deaf.pause();
  await until(() => seen.length === 1);
  const other = client(t, listener.port);
  let received = 0;
  other.on('data', chunk => {
    received += chunk.length;
  });
  await until(() => seen.length === 2);
  const message = Buffer.alloc(16 * 1024);
  let highest = 0;
  for (let i = 0; seen[0].closed === undefined && i < 10_000; i++) {
    seen[0].link.send(message);
    highest = Math.max(highest, seen[0].link.pendingBytes);
    if (i % 4 === 0) {
      seen[1].link.send(Buffer.from('x'));
      await new Promise(resolve => setImmediate(resolve));
    }
  }
  t.is(seen[0].closed, 'does not read');
  t.true(highest <= 64 * 1024, `${highest}`);
  await until(() => received > 0);
  t.is(seen[1].closed, undefined);
});

test('a connection on which nothing moves is closed', async t => {
  const { listener, seen } = await listen(t, { idleMs: 50 });
  client(t, listener.port);
  await until(() => seen[0]?.closed !== undefined);
  t.is(seen[0].closed, 'idle');
});

test('a paused link holds the sender back', async t => {
  const { listener, seen } = await listen(t);
  const socket = client(t, listener.port);
  await until(() => seen.length === 1);
  seen[0].link.pause();
  const sent = 32 * 1024 * 1024;
  socket.write(Buffer.alloc(sent));
  await new Promise(resolve => setTimeout(resolve, 100));
  t.true(seen[0].bytes < sent / 2);
  seen[0].link.resume();
  await until(() => seen[0].bytes === sent);
});

test('stop closes the connections and frees the port', async t => {
  const { listener, seen } = await listen(t);
  const { port } = listener;
  client(t, port);
  await until(() => seen.length === 1);
  await listener.stop();
  t.is(seen[0].closed, 'stopped');
  await t.notThrowsAsync(listen(t, { port }));
});

test('devices over real connections beside 1,000 that only open one', async t => {
  const devices = [1, 2, 3].map(identity);
  const rig = await Rig.start(
    t,
    devices.map(device => device.entry()),
  );
  const listener = new TcpListener(
    { host: '127.0.0.1', port: 0, prefix: 'tcp', setting: 'links.tcp.listen', maxConnections: 64 },
    silent,
  );
  await rig.intake.listenTcp(listener, 16);
  const talkers = devices.map(device => {
    const socket = client(t, listener.port);
    const peer = new VirtualPeer(device, bytes => socket.write(bytes));
    socket.on('data', chunk => peer.receive(chunk));
    return { device, peer };
  });
  await until(() => talkers.every(({ peer }) => peer.challenges.length > 0));
  for (const { peer } of talkers) peer.hello();
  await until(() => rig.count('sessions') === 3);
  let open = 0;
  for (let i = 0; i < 1_000; i++) {
    const socket = client(t, listener.port);
    socket.resume();
    socket.on('connect', () => open++);
    socket.on('close', () => open--);
    if (i % 50 === 0) await new Promise(resolve => setTimeout(resolve, 1));
  }
  for (const { device, peer } of talkers) {
    const bytes = device
      .sealMany(0, 100)
      .flatMap(({ bytes: one }) => [...peer.frame(FrameType.reading, one)]);
    peer.raw(Uint8Array.from(bytes));
  }
  await until(() => talkers.every(({ peer }) => peer.receipt?.seq === 99));
  await until(() => open <= 3 + 16);
  t.true(listener.connections <= 64);
  t.is(rig.count('next'), 300);
});
