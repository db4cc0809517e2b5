import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import type { Fault } from '../../../host/fault.js';
import { HttpListener, type HttpOptions } from '../../../host/node/http.js';
import { silentLog } from '../../../host/node/log.js';
import type { HttpHandler, MessageSocket } from '../../../host/web/ports.js';

const answer = (body: string, status = 200) => ({ status, headers: { 'Content-Type': 'text/plain' }, body });

async function listening(t: ExecutionContext, handler: HttpHandler, options: Partial<HttpOptions> = {}) {
  const listener = new HttpListener(
    { host: '127.0.0.1', port: 0, setting: 'web.listen', ...options },
    silentLog,
  );
  await listener.start(handler);
  t.teardown(() => listener.stop());
  return listener;
}

const echo: HttpHandler = {
  request: ({ method, path, host, peer }) => answer([method, path, host, peer].join(' ')),
  upgrade: ({ path }) =>
    path === '/no'
      ? answer('not here', 403)
      : socket => ({
          message: text => socket.send(text),
          closed: () => {},
        }),
};

/** Of what is still needed. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** What comes back to raw bytes until the other side closes. */
async function raw(t: ExecutionContext, port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  let told = '';
  socket.setEncoding('utf8').on('data', chunk => {
    told += chunk;
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return told;
}

const H2C =
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';

test('an upgrade that is not known is passed over: curl --http2 gets the page', async t => {
  const { port } = await listening(t, echo);
  const ask = (head: string, more: string) => raw(t, port, `${head} HTTP/1.1\r\nHost: gw\r\n${more}\r\n`);
  const answered = await ask('GET /', H2C);
  t.regex(answered, /^HTTP\/1\.1 200 OK\r\n/);
  t.regex(answered, /\r\nConnection: close\r\n\r\nGET \/ gw 127\.0\.0\.1$/);
  t.regex(await ask('HEAD /', H2C), /^HTTP\/1\.1 200 [\s\S]*Content-Length: \d+\r\n[\s\S]*\r\n\r\n$/);
  t.regex(await ask('GET /', 'Connection: upgrade\r\nUpgrade: TLS/1.0\r\n'), /^HTTP\/1\.1 200 /);
  t.regex(await ask('POST /', `${H2C}Content-Length: 3\r\n`), /^HTTP\/1\.1 413 /);
  // What follows on the connection is not read as another request.
  const twice = await ask('GET /', `${H2C}\r\nGET /second HTTP/1.1\r\nHost: gw\r\n`);
  t.is(twice.split('HTTP/1.1 200').length, 2);
  t.regex(await ask('GET /no', 'Connection: Upgrade\r\nUpgrade: WebSocket\r\n'), /^HTTP\/1\.1 403 /);
});

test('who goes on sending after such an answer loses the connection all the same', async t => {
  const { port } = await listening(t, echo, { requestMs: 300 });
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  socket.write(`GET / HTTP/1.1\r\nHost: gw\r\n${H2C}\r\n`);
  const drip = setInterval(() => socket.write('x'), 50);
  t.teardown(() => clearInterval(drip));
  const begun = Date.now();
  await new Promise(resolve => {
    socket.on('close', resolve); // with an error, since it goes on sending
    setTimeout(resolve, 3000).unref();
  });
  t.true(Date.now() - begun < 2000);
});

test('who is given such an answer and reads nothing of it holds up nothing', async t => {
  const large: HttpHandler = { ...echo, request: () => answer('x'.repeat(16 * 1024 * 1024)) };
  const listener = await listening(t, large, { requestMs: 300 });
  const socket = connect(listener.port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: gw\r\n${H2C}\r\n`);
  await once(socket, 'connect');
  await new Promise(resolve => setTimeout(resolve, 50));
  const begun = Date.now();
  await listener.stop();
  t.true(Date.now() - begun < 200);
});

async function opened(t: ExecutionContext, port: number, path = '/socket'): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

test('a request reaches the handler without its query; a failing handler gives no reason away', async t => {
  const { port } = await listening(t, echo);
  const response = await fetch(`http://127.0.0.1:${port}/a/b?token=secret`);
  t.is(await response.text(), `GET /a/b 127.0.0.1:${port} 127.0.0.1`);
  const failing = await listening(t, {
    request: () => {
      throw new Error('the reason');
    },
  });
  const failed = await fetch(`http://127.0.0.1:${failing.port}/`);
  t.is(failed.status, 500);
  t.notRegex(await failed.text(), /the reason/);
});

test('an address that is taken is a Fault that names the setting and what to do', async t => {
  const { port } = await listening(t, echo);
  const second = new HttpListener({ host: '127.0.0.1', port, setting: 'metrics.listen' }, silentLog);
  const fault = (await t.throwsAsync(second.start(echo))) as Fault;
  t.is(fault.code, 'port-taken');
  t.regex(fault.remedy, /metrics\.listen/);
  const tls = { cert: 'no certificate', key: 'no key' };
  const third = new HttpListener({ host: '127.0.0.1', port: 0, setting: 'web.listen', tls }, silentLog);
  const invalid = (await t.throwsAsync(third.start(echo))) as Fault;
  t.is(invalid.code, 'tls-invalid');
  t.regex(invalid.message, /^web\.cert and web\.key/);
});

test('bodies, endless heads and bytes that are no HTTP are refused', async t => {
  const { port } = await listening(t, echo);
  t.is((await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x' })).status, 413);
  t.regex(
    await raw(t, port, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431/,
  );
  t.regex(
    await raw(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n'),
    /^HTTP\/1\.1 413/,
  );
  t.regex(await raw(t, port, '\0\u0001\u0002'.repeat(500)), /^HTTP\/1\.1 400/);
  t.is((await fetch(`http://127.0.0.1:${port}/`)).status, 200, 'others are served');
});

test('a crowd of connections is cut off where the limit is', async t => {
  const { port } = await listening(t, echo, { maxConnections: 3 });
  const crowd: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    crowd.push(socket);
  }
  const late = connect(port, '127.0.0.1').on('error', () => {});
  await once(late, 'close');
  crowd[0]!.destroy();
  await once(crowd[0]!, 'close');
  await t.notThrowsAsync(async () => {
    for (let i = 0; i < 50; i++) {
      const ok = await fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      );
      if (ok) return;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    throw new Error('the place of the one that went is not given to another');
  });
});

test('texts go both ways over a WebSocket; what is binary or too long ends it', async t => {
  const { port } = await listening(t, echo, { maxSockets: 2 });
  const socket = await opened(t, port);
  socket.send('grüße');
  t.is(String((await once(socket, 'message'))[0]), 'grüße');
  const second = await opened(t, port);
  const refused = new WebSocket(`ws://127.0.0.1:${port}/`).on('error', () => {});
  const [, response] = await once(refused, 'unexpected-response');
  t.is(response.statusCode, 503);
  second.send(new Uint8Array(3));
  t.is((await once(second, 'close'))[0], 1003);
  socket.send('x'.repeat(5000));
  t.is((await once(socket, 'close'))[0], 1009);
  const forbidden = new WebSocket(`ws://127.0.0.1:${port}/no`).on('error', () => {});
  t.is((await once(forbidden, 'unexpected-response'))[1].statusCode, 403);
});

test('who begins a request and does not end it, and who gives no sign of life, is let go', async t => {
  const { port } = await listening(t, echo, { requestMs: 300, pingMs: 100 });
  t.regex(await raw(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nX: '), /^(HTTP\/1\.1 408|$)/);
  t.regex(await raw(t, port, ''), /^(HTTP\/1\.1 408|$)/, 'nor who asks nothing');
  const alive = await opened(t, port);
  const dead = new WebSocket(`ws://127.0.0.1:${port}/`, { autoPong: false });
  t.teardown(() => dead.terminate());
  t.is((await once(dead, 'close'))[0], 1006);
  alive.send('still here');
  t.is(String((await once(alive, 'message'))[0]), 'still here');
});

test('who does not read is let go, and heard of once', async t => {
  let theirs: MessageSocket | undefined;
  const reasons: string[] = [];
  const { port } = await listening(t, {
    ...echo,
    upgrade: () => socket => {
      theirs = socket;
      return { message: () => {}, closed: reason => reasons.push(reason) };
    },
  });
  const socket = await opened(t, port);
  socket.pause();
  const text = 'x'.repeat(256 * 1024);
  for (let i = 0; i < 200 && reasons.length === 0; i++) {
    theirs!.send(text);
    await new Promise(resolve => setImmediate(resolve));
  }
  t.deepEqual(reasons, ['does not read']);
  theirs!.send(text);
  theirs!.close(1000, 'again');
  t.is(reasons.length, 1);
});

test('what many leave unread is not on the heap, which the unit keeps small', async t => {
  const theirs: MessageSocket[] = [];
  const { port } = await listening(t, {
    ...echo,
    upgrade: () => socket => {
      theirs.push(socket);
      return { message: () => {}, closed: () => {} };
    },
  });
  for (let i = 0; i < 12; i++) (await opened(t, port)).pause();
  const before = heapBytes();
  for (const [i, socket] of theirs.entries())
    for (let k = 0; socket.pendingBytes < 3_500_000; k++) {
      socket.send(`${i}/${k} `.padEnd(64 * 1024, '-'));
      await new Promise(resolve => setImmediate(resolve));
    }
  const pending = theirs.reduce((sum, { pendingBytes }) => sum + pendingBytes, 0);
  t.true(pending > 40_000_000);
  const grown = heapBytes() - before;
  t.true(grown < pending / 8, `${grown} bytes of heap for ${pending} unread`);
});

test('a stop says goodbye to every page and ends what is open', async t => {
  const listener = new HttpListener({ host: '127.0.0.1', port: 0, setting: 'web.listen' }, silentLog);
  await listener.start(echo);
  const { port } = listener;
  const socket = await opened(t, port);
  const idle = connect(port, '127.0.0.1').on('error', () => {});
  await once(idle, 'connect');
  const closing = Promise.all([once(socket, 'close'), once(idle, 'close'), listener.stop()]);
  t.is((await closing)[0][0], 1001);
  t.is(listener.port, 0);
  await t.throwsAsync(fetch(`http://127.0.0.1:${port}/`));
});
