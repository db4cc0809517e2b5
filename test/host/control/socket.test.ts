import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { callGateway } from '../../../host/control/client.js';
import { ControlServer } from '../../../host/control/server.js';
import type { NodeStatus } from '../../../host/control/status.js';
import { systemClock } from '../../../host/node/clock.js';
import { silentLog } from '../../../host/node/log.js';
import { connectUnix, UnixListener } from '../../../host/node/unix-socket.js';
import type { Timer } from '../../../host/ports.js';
import { FakeClock } from '../../support/fake-clock.js';
import { handlersWith } from './handlers.js';
import { emptyStatus } from './status.js';

/** Time that the test moves, and turns that come by themselves. */
class TurningClock extends FakeClock {
  override after(ms: number, run: () => void): Timer {
    if (ms > 0) return super.after(ms, run);
    const turn = setImmediate(run);
    return { cancel: () => clearImmediate(turn) };
  }
}

async function serve(
  t: ExecutionContext,
  status: () => NodeStatus = () => emptyStatus,
  clock: FakeClock = new TurningClock(),
) {
  const directory = mkdtempSync(join(tmpdir(), 'sovereign-control-'));
  const path = join(directory, 'control.sock');
  const source = new UnixListener(path);
  const server = new ControlServer({ clock, log: silentLog, source }, handlersWith({ status }));
  await server.start();
  t.teardown(async () => {
    await server.stop();
    rmSync(directory, { recursive: true });
  });
  const ask = () => callGateway({ clock: systemClock, connect: connectUnix }, path, 'status', {});
  return { path, server, ask, clock };
}

function message(text: string | Uint8Array, length = Buffer.byteLength(text)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, Buffer.from(text as string)]);
}

/** A client of the test's own: sends bytes, and gives back what came until the server closed. */
function raw(path: string, bytes: Uint8Array): { socket: Socket; closed: Promise<Buffer> } {
  const socket = connect(path);
  const chunks: Buffer[] = [];
  const closed = new Promise<Buffer>(resolve => {
    socket.on('data', chunk => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
  socket.write(bytes);
  return { socket, closed };
}

function answers(bytes: Buffer): unknown[] {
  const found = [];
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at))
    found.push(JSON.parse(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)).toString()));
  return found;
}

test('a call is answered; the socket is for its owner alone, and goes with the server', async t => {
  const { path, server, ask } = await serve(t);
  t.deepEqual(await ask(), emptyStatus);
  t.is(statSync(path).mode & 0o777, 0o600);
  await server.stop();
  t.false(existsSync(path));
});

test('a socket that a killed gateway left is replaced', async t => {
  const { path } = await serve(t);
  writeFileSync(`${path}2`, '');
  const again = new ControlServer(
    { clock: new FakeClock(), log: silentLog, source: new UnixListener(`${path}2`) },
    handlersWith(),
  );
  await again.start();
  await again.stop();
  t.pass();
});

test('no gateway: the fault says so', async t => {
  const { path } = await serve(t);
  const ask = (at: string) => callGateway({ clock: systemClock, connect: connectUnix }, at, 'status', {});
  await t.throwsAsync(ask(`${path}.not`), { code: 'gateway-absent' });
  writeFileSync(`${path}.file`, '');
  await t.throwsAsync(ask(`${path}.file`), { code: 'gateway-absent' });
  await t.throwsAsync(ask(`/tmp/${'x'.repeat(120)}`), { code: 'path-too-long' });
  if (process.getuid?.() === 0) return;
  chmodSync(path, 0);
  await t.throwsAsync(ask(path), { code: 'permission' });
});

test('a handler that throws costs its answer alone', async t => {
  let calls = 0;
  const { ask } = await serve(t, () => {
    calls += 1;
    if (calls === 1) throw new Error('not now');
    return emptyStatus;
  });
  await t.throwsAsync(ask(), { code: 'gateway-failed', message: 'the gateway says: not now' });
  t.deepEqual(await ask(), emptyStatus);
});

const refused: Record<string, [request: string | Uint8Array, answer: object]> = {
  'no JSON': ['{"call":', { ok: false, code: 'bad-request' }],
  'no object': ['[1]', { ok: false, code: 'bad-request' }],
  'no UTF-8': [new Uint8Array([0x22, 0xff, 0x22]), { ok: false, code: 'bad-request' }],
  'an unknown call': ['{"call":"__proto__"}', { ok: false, code: 'unknown-call' }],
  'no call': ['{}', { ok: false, code: 'unknown-call' }],
  'a key too many': ['{"call":"status","x":1}', { ok: false, code: 'bad-request' }],
  'deep nesting': ['['.repeat(4000), { ok: false, code: 'bad-request' }],
};
for (const [name, [request, answer]] of Object.entries(refused))
  test(`${name} is answered with what is wrong, and the connection goes on`, async t => {
    const { path, ask } = await serve(t);
    const { socket, closed } = raw(path, Buffer.concat([message(request), message('{"call":"status"}')]));
    let bytes = 0;
    socket.on('data', chunk => {
      bytes += chunk.length;
      if (bytes > 100) socket.end();
    });
    const [first, second] = answers(await closed) as object[];
    t.like(first, answer);
    t.deepEqual(second, { ok: true, value: emptyStatus });
    t.deepEqual(await ask(), emptyStatus);
  });

const fatal: Record<string, Uint8Array> = {
  'a length of 4 GiB': message('', 0xffff_ffff),
  'a length just too long': message('', 4097),
  'a length of 0': message(''),
  'a length of 1': message('1'),
  'a megabyte of noise': new Uint8Array(1_000_000).fill(0xa5),
  'a hundred requests at once': Buffer.concat(Array.from({ length: 100 }, () => message('{}'))),
};
for (const [name, bytes] of Object.entries(fatal))
  test(`${name} ends the connection, nobody else's`, async t => {
    const { path, ask } = await serve(t);
    await raw(path, bytes).closed;
    t.deepEqual(await ask(), emptyStatus);
  });

test('a request that never ends, and a client that never asks, are closed in time', async t => {
  const { path, clock, ask } = await serve(t);
  const slow = raw(path, message('', 4096));
  const silent = raw(path, new Uint8Array(0));
  for (let i = 0; i < 12; i++) {
    await ask();
    slow.socket.write(' ');
    clock.advance(1000);
  }
  t.is((await slow.closed).length, 0);
  t.is((await silent.closed).length, 0);
});

test('who asks for much at once lets others ask in between', async t => {
  let made = 0;
  const { path, ask } = await serve(t, () => {
    made += 1;
    return emptyStatus;
  });
  const requests = Array.from({ length: 60 }, () => message('{"call":"status"}'));
  const { socket } = raw(path, Buffer.concat(requests));
  await new Promise(resolve => socket.once('data', resolve));
  await ask();
  t.true(made < 60, `${made} were answered before`);
  while (made < 61) await new Promise(resolve => setImmediate(resolve));
  socket.destroy();
});

test('a client that never reads is closed, and costs a bounded amount', async t => {
  const big = { ...emptyStatus, site: 'x'.repeat(2_000_000) };
  const { path, ask } = await serve(t, () => big);
  const { socket, closed } = raw(
    path,
    Buffer.concat(Array.from({ length: 60 }, () => message('{"call":"status"}'))),
  );
  socket.pause();
  await ask();
  setTimeout(() => socket.resume(), 500);
  t.true((await closed).length < 60 * 2_000_000);
});

test('what all clients together leave unread is bounded: who has left most goes first', async t => {
  const long = { ...emptyStatus, dataDirectory: 'x'.repeat(8 * 1024 * 1024) };
  const { path, ask } = await serve(t, () => long);
  const request = message('{"call":"status"}');
  const greedy = raw(path, Buffer.concat([request, request]));
  greedy.socket.pause();
  const gone = new Set<Socket>();
  const idle = Array.from({ length: 7 }, () => raw(path, request).socket.pause());
  for (const socket of [greedy.socket, ...idle]) socket.on('close', () => gone.add(socket));
  t.is((await ask()).dataDirectory.length, long.dataDirectory.length, 'who reads gets his answer');
  // A socket tells that the other side has gone once what came has been read.
  for (const socket of [greedy.socket, ...idle]) socket.resume();
  while (gone.size === 0) await new Promise(resolve => setTimeout(resolve, 5));
  t.true(gone.has(greedy.socket));
  t.true(gone.size < 5, `${gone.size} were closed`);
});

test('more clients than there is room for are turned away; those inside go on', async t => {
  const { path, ask, clock } = await serve(t);
  const first = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const client = raw(path, message('{"call":"status"}'));
      const outcome = await Promise.race([
        client.closed.then(() => 'closed'),
        new Promise(resolve => client.socket.once('data', () => resolve('answered'))),
      ]);
      return { client, outcome };
    }),
  );
  t.is(first.filter(({ outcome }) => outcome === 'answered').length, 16);
  clock.advance(20_000);
  await Promise.all(first.map(({ client }) => client.closed));
  t.deepEqual(await ask(), emptyStatus);
});
